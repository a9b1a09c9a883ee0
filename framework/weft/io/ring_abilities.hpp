#pragma once
// What the kernel under a ring can do beyond Linux 6.1, which every ring needs.
//
// Found out when the ring is made: an older kernel makes the constructor throw, with a text that
// says so; a feature that is missing here has a way without it. Nothing else compares versions.

namespace weft {

struct ring_abilities {
    bool zero_copy_send = false;    ///< IORING_OP_SEND_ZC
    bool zero_copy_report = false;  ///< it tells whether it copied after all (Linux 6.2)
    bool read_multishot = false;    ///< IORING_OP_READ_MULTISHOT (Linux 6.7)
    bool truncate = false;          ///< IORING_OP_FTRUNCATE (Linux 6.9)
    bool busy_poll = false;         ///< NAPI busy polling by the ring (Linux 6.9)
};

}  // namespace weft
