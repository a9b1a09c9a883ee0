#include <weft/net/io/steering_program.hpp>

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

namespace weft::net {
namespace {

using reg = std::uint8_t;
constexpr std::uint16_t ethertype_ipv4 = 0x0800;
constexpr std::uint8_t protocol_tcp = 6;
constexpr std::uint8_t protocol_udp = 17;

/// Instructions in order; jumps to the one exit that answers 0 are filled in at the end.
class assembler {
public:
    // r0: loaded values and the answer. r1: scratch. r6: the context, as loads of packet bytes
    // demand; they destroy r1 to r5.
    static constexpr reg r0 = 0, r1 = 1, r6 = 6, r7 = 7, r8 = 8, r9 = 9;

    void move(reg to, reg from) { add(BPF_ALU64 | BPF_MOV | BPF_X, to, from); }
    void operate(int what, reg on, reg with) { add(BPF_ALU64 | what | BPF_X, on, with); }
    void operate(int what, reg on, std::int32_t with) {
        add(BPF_ALU64 | what | BPF_K, on, 0, 0, with);
    }
    void constant(reg to, std::uint64_t value) {
        add(BPF_LD | BPF_DW | BPF_IMM, to, 0, 0, low_half(value));
        add(0, 0, 0, 0, low_half(value >> 32));
    }
    void load_context(reg to, std::size_t offset) {
        add(BPF_LDX | BPF_W | BPF_MEM, to, r6, static_cast<std::int16_t>(offset));
    }
    /// r0 = what lies there in the IP packet, in the machine's order. A packet that ends before it
    /// ends the program, with 0.
    void load_packet(int size, int offset) {
        add(BPF_LD | size | BPF_ABS, 0, 0, 0, SKF_NET_OFF + offset);
    }
    /// The same from where `base` says.
    void load_packet_at(int size, reg base) {
        add(BPF_LD | size | BPF_IND, 0, base, 0, SKF_NET_OFF);
    }
    void answer_zero_if(int comparison, reg value, std::int32_t with) {
        to_zero_.push_back(code_.size());
        add(BPF_JMP | comparison | BPF_K, value, 0, 0, with);
    }
    /// The jump, to be landed further on.
    [[nodiscard]] std::size_t jump_if(int comparison, reg value, std::int32_t with) {
        add(BPF_JMP | comparison | BPF_K, value, 0, 0, with);
        return code_.size() - 1;
    }
    void land(std::size_t jump) {
        code_[jump].off = static_cast<std::int16_t>(code_.size() - jump - 1);
    }
    void exit() { add(BPF_JMP | BPF_EXIT, 0); }

    [[nodiscard]] std::vector<bpf_insn> finish() {
        for (const std::size_t jump : to_zero_) land(jump);
        add(BPF_ALU64 | BPF_MOV | BPF_K, r0);
        exit();
        return std::move(code_);
    }

private:
    static std::int32_t low_half(std::uint64_t value) noexcept {
        return static_cast<std::int32_t>(static_cast<std::uint32_t>(value));
    }
    void add(int code, reg to, reg from = 0, std::int16_t offset = 0, std::int32_t value = 0) {
        bpf_insn made{};
        made.code = static_cast<std::uint8_t>(code);
        made.dst_reg = to & 0xfU;
        made.src_reg = from & 0xfU;
        made.off = offset;
        made.imm = value;
        code_.push_back(made);
    }

    std::vector<bpf_insn> code_;
    std::vector<std::size_t> to_zero_;
};

/// The steps of tcp::shard_of, on a received packet: its source is our remote end.
std::vector<bpf_insn> assemble(const tcp::shard_map& map) {
    using a = assembler;
    constexpr reg value = a::r0, scratch = a::r1, header_bytes = a::r7, hash = a::r8,
                  protocol = a::r9;
    a code;
    code.move(a::r6, a::r1);
    code.load_context(value, offsetof(__sk_buff, vlan_present));
    code.answer_zero_if(BPF_JNE, value, 0);
    code.load_context(value, offsetof(__sk_buff, protocol));
    code.answer_zero_if(BPF_JNE, value, ::htons(ethertype_ipv4));
    code.load_packet(BPF_B, 0);  // version and header length
    code.move(header_bytes, value);
    code.operate(BPF_RSH, value, 4);
    code.answer_zero_if(BPF_JNE, value, 4);
    code.operate(BPF_AND, header_bytes, 0xf);
    code.operate(BPF_LSH, header_bytes, 2);
    code.answer_zero_if(BPF_JLT, header_bytes, 20);
    code.load_packet(BPF_H, 6);  // more fragments, or an offset
    code.operate(BPF_AND, value, 0x3fff);
    code.answer_zero_if(BPF_JNE, value, 0);
    code.load_packet(BPF_B, 9);
    code.move(protocol, value);
    const std::size_t if_udp = code.jump_if(BPF_JEQ, protocol, protocol_udp);
    code.answer_zero_if(BPF_JNE, protocol, protocol_tcp);
    code.land(if_udp);
    code.load_packet(BPF_W, 12);  // source
    code.move(hash, value);
    code.operate(BPF_LSH, hash, 32);
    code.load_packet(BPF_W, 16);  // destination
    code.operate(BPF_OR, hash, value);
    code.load_packet_at(BPF_W, header_bytes);  // both ports
    const std::size_t if_tcp = code.jump_if(BPF_JNE, protocol, protocol_udp);
    code.move(scratch, value);
    code.operate(BPF_AND, scratch, 0xffff);
    const std::size_t if_shared =
        code.jump_if(BPF_JLT, scratch, static_cast<std::int32_t>(map.own_udp_ports_from));
    code.operate(BPF_MOD, scratch, static_cast<std::int32_t>(map.count));
    code.move(value, scratch);
    code.exit();
    code.land(if_tcp);
    code.land(if_shared);
    code.constant(scratch, map.seed);
    code.operate(BPF_XOR, hash, scratch);
    code.constant(scratch, tcp::shard_multiplier_1);
    code.operate(BPF_MUL, hash, scratch);
    code.move(scratch, hash);
    code.operate(BPF_RSH, scratch, 32);
    code.operate(BPF_XOR, hash, scratch);
    code.operate(BPF_XOR, hash, value);
    code.constant(scratch, tcp::shard_multiplier_2);
    code.operate(BPF_MUL, hash, scratch);
    code.move(scratch, hash);
    code.operate(BPF_RSH, scratch, 32);
    code.operate(BPF_XOR, hash, scratch);
    code.constant(scratch, tcp::shard_multiplier_1);
    code.operate(BPF_MUL, hash, scratch);
    code.operate(BPF_RSH, hash, 32);
    code.operate(BPF_MUL, hash, static_cast<std::int32_t>(map.count));
    code.operate(BPF_RSH, hash, 32);
    code.move(value, hash);
    code.exit();
    return code.finish();
}

int bpf(int command, bpf_attr& how) noexcept {
    return static_cast<int>(::syscall(SYS_bpf, command, &how, sizeof how));
}

std::uint64_t address_of(const void* pointer) noexcept {
    return reinterpret_cast<std::uintptr_t>(pointer);
}

std::error_code last_error() noexcept { return {errno, std::generic_category()}; }

}  // namespace

result<steering_program> steering_program::load(const tcp::shard_map& map) {
    const std::vector<bpf_insn> code = assemble(map);
    bpf_attr how;
    std::memset(&how, 0, sizeof how);
    how.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
    how.insns = address_of(code.data());
    how.insn_cnt = static_cast<std::uint32_t>(code.size());
    how.license = address_of("");
    std::memcpy(how.prog_name, "weft_shard_of", sizeof "weft_shard_of");
    const int fd = bpf(BPF_PROG_LOAD, how);
    if (fd < 0) return last_error();
    return steering_program{fd};
}

steering_program::~steering_program() {
    if (fd_ >= 0) ::close(fd_);
}

result<std::uint32_t> steering_program::queue_for(std::span<const std::byte> frame) const {
    bpf_attr how;
    std::memset(&how, 0, sizeof how);
    how.test.prog_fd = static_cast<std::uint32_t>(fd_);
    how.test.data_in = address_of(frame.data());
    how.test.data_size_in = static_cast<std::uint32_t>(frame.size());
    how.test.repeat = 1;
    if (bpf(BPF_PROG_TEST_RUN, how) != 0) return last_error();
    return how.test.retval;
}

}  // namespace weft::net
