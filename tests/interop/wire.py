"""A wire between two TCPs, held by the test: every IP packet passes through its hands.

    left 10.0.0.1 -- packets -- right 10.0.0.2

An end is the kernel behind a TUN in a network namespace of its own, or Weft's stack: the shared object that
packetdrill loads, called from here. Both have sockets with the same calls, so a case plays between two kernels
too, which proves the case. What the wire does to a packet a test says with `Wire.router`. Standard library only.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import select
import socket
import struct
import threading

import emulated
import netns

ADDRESS = emulated.ADDRESS
SERVER = (ADDRESS["right"], 7)
FAST_OPEN = (socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)
OTHER = {"left": "right", "right": "left"}
PATIENCE = 20  # seconds that a call on a socket may take
SIOCATMARK = 0x8905

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << bit for bit in range(8))
NOT_ECT, ECT1, ECT0, CE = range(4)


def enter():
    """Call first, instead of netns.enter()."""
    if netns.SANITIZED:
        netns.skip("this process has no sanitizer's runtime, which the shared object needs")
    netns.enter()


def checksum(data):
    """The one's complement sum of RFC 1071."""
    data = bytes(data) + b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packet_of(protocol, source, destination, payload):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0,
                       socket.inet_aton(source), socket.inet_aton(destination))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def icmp(source, destination, kind, code, rest, body=b""):
    message = struct.pack("!BBHI", kind, code, 0, rest) + body
    message = message[:2] + struct.pack("!H", checksum(message)) + message[4:]
    return packet_of(1, source, destination, message)


class Packet:
    """An IPv4 packet that holds a TCP segment, read."""

    def __init__(self, side, data):
        self.side, self.data = side, data
        self.size = len(data)
        self.ecn = data[1] & 3
        self.must_not_be_cut = bool(data[6] & 0x40)
        (_, _, self.seq, self.ack, offset, self.flags, self.window, _,
         self.urgent) = struct.unpack_from("!HHIIBBHHH", data, 20)
        self.text = data[20 + (offset >> 4) * 4:]
        self.options = dict(self.parse_options(data[40:20 + (offset >> 4) * 4]))

    @staticmethod
    def parse_options(data):
        while data and data[0] != 0:
            if data[0] == 1:
                data = data[1:]
                continue
            yield data[0], data[2:data[1]]
            data = data[data[1]:]

    @property
    def end(self):
        """The number behind its text."""
        return (self.seq + len(self.text)) % 2**32

    @property
    def sacks(self):
        """[(left, right), …]"""
        data = self.options.get(5, b"")
        return [struct.unpack_from("!II", data, at) for at in range(0, len(data), 8)]

    def has(self, flags):
        return self.flags & flags == flags

    def marked(self, codepoint):
        """The packet with this in its ECN field."""
        data = bytearray(self.data)
        data[1] = data[1] & ~3 | codepoint
        data[10:12] = b"\0\0"
        data[10:12] = struct.pack("!H", checksum(data[:20]))
        return bytes(data)


def is_tcp(data):
    return len(data) >= 40 and data[0] == 0x45 and data[9] == 6


class Kernel:
    """The kernel's TCP in a network namespace, behind a TUN. `settings`: of net.ipv4."""

    name = "kernel"

    def __init__(self, side, mtu=1500, settings=(), **_):
        self.space = emulated.Namespace()
        with self.space.entered():
            self.tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            # TUNSETIFF with IFF_TUN | IFF_NO_PI
            fcntl.ioctl(self.tun, 0x400454CA, struct.pack("16sH22x", b"wire", 0x1001))
            for name, value in dict(settings).items():
                self.space.write(f"ipv4/{name}", value)
            netns.run("ip", "address", "add", f"{ADDRESS[side]}/24", "dev", "wire")
            netns.run("ip", "link", "set", "dev", "wire", "mtu", str(mtu), "up")

    def socket(self):
        with self.space.entered():
            return patient(KernelSocket())

    def take(self):
        """The next packet that leaves, or None."""
        if not select.select([self.tun], [], [], 0.1)[0]:
            return None
        with contextlib.suppress(BlockingIOError):
            return os.read(self.tun, 65536)
        return None

    def give(self, data):
        os.write(self.tun, data)

    def wake(self):
        pass  # take() is never long

    def close(self):
        os.close(self.tun)
        self.space.close()

    def count(self, name):
        """A counter of /proc/net/netstat."""
        with self.space.entered(), open("/proc/thread-self/net/netstat", encoding="ascii") as file:
            lines = file.read().splitlines()
        for names, values in zip(lines[::2], lines[1::2]):
            if name in names.split():
                return int(values.split()[names.split().index(name)])
        raise KeyError(name)


def patient(sock):
    """Calls of it that block end with EAGAIN, after a time. Python's own time limit would hide each EAGAIN."""
    for name in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        sock.setsockopt(socket.SOL_SOCKET, name, struct.pack("ll", PATIENCE, 0))
    return sock


class KernelSocket(socket.socket):
    def accept(self):
        descriptor, peer = self._accept()
        return patient(KernelSocket(fileno=descriptor)), peer

    def is_at_mark(self):
        answer = fcntl.ioctl(self.fileno(), SIOCATMARK, struct.pack("i", -1))
        return struct.unpack("i", answer)[0] == 1

    def events(self, wanted, seconds):
        poll = select.poll()
        poll.register(self.fileno(), wanted)
        return sum(found for _, found in poll.poll(seconds * 1000))


def call_type(result, *arguments):
    return ctypes.CFUNCTYPE(result, ctypes.c_void_p, *arguments, use_errno=True)


INT, BYTES, POINTER, SIZE = ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t
# Of tests/conformance/library/packetdrill_interface.hpp, in its order; None: not called here.
CALLS = {
    "free": call_type(None), "socket": call_type(INT, INT, INT, INT),
    "bind": call_type(INT, INT, BYTES, INT), "listen": call_type(INT, INT, INT),
    "accept": call_type(INT, INT, POINTER, POINTER), "connect": call_type(INT, INT, BYTES, INT),
    "read": None, "readv": None, "recv": call_type(ctypes.c_ssize_t, INT, POINTER, SIZE, INT),
    "recvfrom": None, "recvmsg": None, "write": None, "writev": None,
    "send": call_type(ctypes.c_ssize_t, INT, BYTES, SIZE, INT),
    "sendto": call_type(ctypes.c_ssize_t, INT, BYTES, SIZE, INT, BYTES, INT), "sendmsg": None,
    "fcntl": None, "ioctl": call_type(INT, INT, ctypes.c_ulong, POINTER), "close": call_type(INT, INT),
    "shutdown": call_type(INT, INT, INT),
    "getsockopt": None, "setsockopt": call_type(INT, INT, INT, INT, BYTES, INT),
    "poll": call_type(INT, POINTER, ctypes.c_ulong, INT),
    "netdev_send": call_type(INT, BYTES, SIZE), "netdev_receive": call_type(INT, POINTER, POINTER, POINTER),
    "usleep": None, "gettimeofday": None, "epoll_create": None, "epoll_ctl": None, "epoll_wait": None,
    "pipe": None, "splice": None,
}


class Interface(ctypes.Structure):
    _fields_ = [("userdata", ctypes.c_void_p)] + [(name, kind or ctypes.c_void_p) for name, kind in CALLS.items()]


class Weft:
    """Weft's TCP in this process. `flags`: a profile, docs/packetdrill.md."""

    name = "weft"

    def __init__(self, side, mtu=1500, flags="", **_):
        self.interface = Interface()
        profile = f"local={ADDRESS[side]}, mtu={mtu}, {flags}"
        library().packetdrill_interface_init(profile.encode(), ctypes.byref(self.interface))
        self.address = ADDRESS[side]

    def call(self, name, *arguments):
        ctypes.set_errno(0)
        answer = getattr(self.interface, name)(self.interface.userdata, *arguments)
        if answer is not None and answer < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return answer

    def socket(self):
        return patient(WeftSocket(self, self.call("socket", socket.AF_INET, socket.SOCK_STREAM, 0)))

    def take(self):
        room = ctypes.create_string_buffer(65536)
        count, when = SIZE(len(room)), ctypes.c_longlong()
        self.call("netdev_receive", room, ctypes.byref(count), ctypes.byref(when))
        return room.raw[:count.value] or None

    def give(self, data):
        self.call("netdev_send", data, len(data))

    def wake(self):
        self.give(icmp(self.address, self.address, 8, 0, 0))  # take() comes back with the answer

    def close(self):
        self.call("free")


class WeftSocket:
    """The calls of socket.socket that the cases need."""

    def __init__(self, end, descriptor):
        self.end, self.descriptor = end, descriptor

    def call(self, name, *arguments):
        return self.end.call(name, self.descriptor, *arguments)

    @staticmethod
    def packed(address):
        host, port = address
        return struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", port, socket.inet_aton(host))

    def bind(self, address):
        self.call("bind", self.packed(address), 16)

    def listen(self):
        self.call("listen", 16)

    def accept(self):
        return patient(WeftSocket(self.end, self.call("accept", None, None))), None

    def connect(self, address):
        self.call("connect", self.packed(address), 16)

    def send(self, data, flags=0):
        return self.call("send", bytes(data), len(data), flags)

    def sendto(self, data, flags, address):
        return self.call("sendto", bytes(data), len(data), flags, self.packed(address), 16)

    def sendall(self, data):
        while data:
            data = data[self.send(data):]

    def recv(self, count, flags=0):
        room = ctypes.create_string_buffer(count)
        count = self.call("recv", room, count, flags)
        return room.raw[:count]

    def setsockopt(self, level, name, value):
        packed = value if isinstance(value, bytes) else struct.pack("i", value)
        self.call("setsockopt", level, name, packed, len(packed))

    def shutdown(self, how):
        self.call("shutdown", how)

    def is_at_mark(self):
        answer = INT(-1)
        self.call("ioctl", SIOCATMARK, ctypes.byref(answer))
        return answer.value == 1

    def events(self, wanted, seconds):
        asked = ctypes.create_string_buffer(struct.pack("ihh", self.descriptor, wanted, 0), 8)
        self.end.call("poll", asked, 1, int(seconds * 1000))
        return struct.unpack("ihh", asked.raw)[2]

    def close(self):
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            self.end.call("close", descriptor)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def library():
    return ctypes.CDLL(os.path.join(netns.build_folder(), "tests", "weft_packetdrill.so"), mode=os.RTLD_NOW)


class Wire:
    """For a `with` block. `left` and `right`: "kernel" or "weft"; more for both of them by name.

    `router(packet)` answers what becomes of a TCP packet: None, as it is; else what arrives instead, in a list
    of bytes for the other end, or of (side, bytes).
    """

    kinds = {"kernel": Kernel, "weft": Weft}

    def __init__(self, left, right, router, **more):
        self.ends = {"left": self.kinds[left]("left", **more), "right": self.kinds[right]("right", **more)}
        self.router, self.seen, self.is_over, self.lock = router, [], False, threading.Lock()
        self.problem = None
        self.sockets = contextlib.ExitStack()
        self.threads = [threading.Thread(target=self.carry, args=(side,)) for side in self.ends]

    def carry(self, side):
        try:
            while not self.is_over:
                data = self.ends[side].take()
                if data is not None and is_tcp(data) and not self.is_over:
                    self.pass_on(side, Packet(side, data))
        except BaseException as problem:  # of a router, mostly: the test shall hear of it
            self.problem = problem

    def pass_on(self, side, packet):
        with self.lock:
            self.seen.append(packet)
            fate = self.router(packet)
        for each in [packet.data] if fate is None else fate:
            to, data = each if isinstance(each, tuple) else (OTHER[side], each)
            self.ends[to].give(data)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.sockets.close()
        self.is_over = True
        for end in self.ends.values():
            end.wake()
        for thread in self.threads:
            thread.join()
        for end in self.ends.values():
            end.close()
        if self.problem is not None:
            raise self.problem

    def packets(self, side=None):
        with self.lock:
            return [each for each in self.seen if side in (None, each.side)]

    def listen(self, options=()):
        """A listener on the right, at SERVER. Options for setsockopt()."""
        listener = self.sockets.enter_context(self.ends["right"].socket())
        for option in options:
            listener.setsockopt(*option)
        listener.bind(SERVER)
        listener.listen()
        return listener

    def connect(self, client_options=(), server_options=()):
        """(client on the left, server on the right), connected. Options for setsockopt()."""
        listener = self.listen(server_options)
        client = self.sockets.enter_context(self.ends["left"].socket())
        for option in client_options:
            client.setsockopt(*option)
        client.connect(SERVER)
        server = self.sockets.enter_context(listener.accept()[0])
        return client, server


class Nth:
    """A router that leaves all packets alone but one: the n-th of those that are wanted."""

    def __init__(self, number, is_wanted, fate):
        self.left, self.is_wanted, self.fate, self.packet = number, is_wanted, fate, None

    def __call__(self, packet):
        if self.left == 0 or not self.is_wanted(packet):
            return None
        self.left -= 1
        if self.left != 0:
            return None
        self.packet = packet
        return self.fate(packet)


PAIRS = (("kernel", "kernel"), ("weft", "kernel"), ("kernel", "weft"))


class Case(netns.Case):
    """A case that is played between each of the pairs."""

    def on_each(self, play, pairs=PAIRS, make_router=lambda: lambda packet: None, **more):
        """`play(wire)`, with a router of its own each time."""
        for left, right in pairs:
            with self.subTest(left=left, right=right), Wire(left, right, make_router(), **more) as wire:
                play(wire)


def is_text_from_left(packet):
    return packet.side == "left" and len(packet.text) > 0


def is_before(a, b):
    """Of sequence numbers."""
    return (a - b) % 2**32 >= 2**31


def text_from_left(between):
    """Packets with text that was not sent before, and those that were sent again."""
    fresh, again, highest = [], [], None
    for each in filter(is_text_from_left, between.packets()):
        is_again = highest is not None and is_before(each.seq, highest)
        (again if is_again else fresh).append(each)
        if highest is None or is_before(highest, each.end):
            highest = each.end
    return fresh, again


def transfer(client, server, data):
    """Everything from the client to the server; what arrived."""
    def send():
        with contextlib.suppress(OSError):
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        return netns.read_all(server)
    finally:
        sender.join()


def fails_with(number, call, *arguments):
    """Whether the call fails with this errno."""
    try:
        call(*arguments)
    except OSError as problem:
        return problem.errno == number
    return False


def is_announced(sock):
    """Urgent data was announced that is not here yet: EAGAIN instead of EINVAL."""
    return fails_with(errno.EAGAIN, sock.recv, 1, socket.MSG_OOB | socket.MSG_DONTWAIT)
