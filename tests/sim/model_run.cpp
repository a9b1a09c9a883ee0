#include "model_run.hpp"

#include <weft/sim/ecn_bleacher.hpp>
#include <weft/sim/segment_splitter.hpp>
#include <weft/sim/sequence_shifter.hpp>

#include "invariant_watch.hpp"
#include "two_hosts.hpp"

#include <memory>

namespace weft::sim::test {
namespace {

using ending = side_plan::ending;

constexpr std::uint16_t first_port = 1000;
constexpr duration longest_run = 24h;
constexpr duration accept_patience = 2h;

/// What is known of the bytes in one direction.
struct stream_model {
    std::uint64_t key = 0;
    std::uint64_t written_least = 0;  ///< a write that was cut short may have left more
    std::uint64_t written_most = 0;
    std::uint64_t read = 0;
    bool is_finished = false;  ///< the writer has closed it, or is about to

    [[nodiscard]] std::byte at(std::uint64_t position) const noexcept {
        return static_cast<std::byte>((position + key) * 0x9e37'79b9'7f4a'7c15ULL >> 56);
    }
    void fill(std::span<std::byte> out) const noexcept {
        std::uint64_t position = written_least;
        for (std::byte& each : out) each = at(position++);
    }
};

struct connection_model {
    const connection_plan* plan = nullptr;
    std::size_t number = 0;
    stream_model up;
    stream_model down;
    bool was_accepted = false;
    bool was_refused = false;  ///< the server gave up waiting for the handshake to end
};

/// One run.
struct model {
    model(const model_plan& p, two_hosts& hosts) : plan{p}, on{hosts} {}

    void complain(const connection_model& of, std::string_view who, std::string text) {
        outcome.complaints.push_back("connection " + std::to_string(of.number) + ", " +
                                     std::string{who} + ": " + text);
    }
    /// An operation failed. On a connection where both ends behave nothing may.
    void note_error(const connection_model& of, std::string_view who, std::string_view what,
                    std::error_code error) {
        ++outcome.errors_seen;
        if (of.plan->is_orderly() && of.was_accepted) {
            complain(of, who, std::string{what} + ": " + error.message());
        }
    }

    const model_plan& plan;
    two_hosts& on;
    model_outcome outcome;
};

/// One end of a connection while it runs.
struct side {
    model& in;
    connection_model& of;
    const side_plan& plan;
    std::string_view name;
    stream_model& out;
    stream_model& incoming;
    tcp_stream stream = {};
};

/// Looks at bytes that were read.
bool check_bytes(side& self, std::span<const std::byte> bytes) {
    stream_model& from = self.incoming;
    for (const std::byte each : bytes) {
        if (from.read == from.written_most) {
            self.in.complain(self.of, self.name, "bytes that nobody wrote");
            return false;
        }
        if (each != from.at(from.read)) {
            self.in.complain(self.of, self.name,
                             "a wrong byte at position " + std::to_string(from.read));
            return false;
        }
        ++from.read;
    }
    self.in.outcome.bytes_read += bytes.size();
    return true;
}

void check_end(side& self) {
    const stream_model& from = self.incoming;
    ++self.in.outcome.ends_seen;
    if (!from.is_finished) self.in.complain(self.of, self.name, "an end that nobody made");
    if (from.read < from.written_least) {
        self.in.complain(self.of, self.name,
                         "the end after " + std::to_string(from.read) + " of " +
                             std::to_string(from.written_least) + " bytes");
    }
}

task<> dawdle(net::random_source& random) {
    if (random.chance(0.9)) co_return;
    (void)co_await sleep_for(random.up_to(random.chance(0.9) ? duration{50ms} : duration{3s}));
}

/// One read of some kind. The number of bytes, 0 at the end.
task<result<std::size_t>> read_once(side& self, net::random_source& random, std::string& buffer) {
    const auto into = bytes_of(buffer).first(1 + random.below(8191));
    if (random.chance(0.2)) {
        const result<void> there = co_await self.stream.readable();
        if (!there) co_return there.error();
        const std::span<const std::byte> view = self.stream.read_view();
        if (!view.empty()) {
            const auto part = view.first(1 + random.below(static_cast<std::uint32_t>(view.size())));
            const std::size_t count = part.size();
            if (!check_bytes(self, part)) co_return errc::canceled;
            self.stream.consume(count);
            co_return count;
        }
    }
    result<std::size_t> count{errc::timed_out};
    do {
        // No conditional operator: g++ 12 spoils one with co_await (docs/platform.md).
        if (random.chance(0.2)) {
            count = co_await with_timeout(random.up_to(500ms), self.stream.read_some(into));
        } else {
            count = co_await self.stream.read_some(into);
        }
    } while (count.error() == errc::timed_out);
    if (count && !check_bytes(self, into.first(*count))) co_return errc::canceled;
    co_return count;
}

task<result<void>> read_all(side& self) {
    net::random_source random{self.plan.seed};
    std::string buffer(8192, '\0');
    for (;;) {
        co_await dawdle(random);
        const result<std::size_t> count = co_await read_once(self, random, buffer);
        if (!count) {
            self.in.note_error(self.of, self.name, "read", count.error());
            co_return count.error();
        }
        if (*count == 0) {
            check_end(self);
            co_return result<void>{};
        }
    }
}

/// Writes at most all of `bytes`, in one of the ways there are.
task<result<void>> write_once(side& self, net::random_source& random,
                              std::span<const std::byte> bytes) {
    stream_model& out = self.out;
    out.written_most = out.written_least + bytes.size();
    if (random.chance(0.5)) {
        const result<void> all = co_await self.stream.write_all(bytes);
        if (all) out.written_least = out.written_most;
        co_return all;
    }
    result<std::size_t> some{errc::timed_out};
    if (random.chance(0.3)) {
        some = co_await with_timeout(random.up_to(500ms), self.stream.write_some(bytes));
    } else {
        some = co_await self.stream.write_some(bytes);
    }
    if (some.error() == errc::timed_out) {
        out.written_most = out.written_least;
        co_return result<void>{};
    }
    if (!some) co_return some.error();
    out.written_least += *some;
    out.written_most = out.written_least;
    co_return result<void>{};
}

task<result<void>> write_all(side& self) {
    net::random_source random{self.plan.seed + 1};
    std::string buffer;
    stream_model& out = self.out;
    while (out.written_least < self.plan.bytes) {
        co_await dawdle(random);
        const auto left = static_cast<std::uint32_t>(self.plan.bytes - out.written_least);
        buffer.resize(1 + random.below(std::min(left, 16'384U)));
        out.fill(bytes_of(buffer));
        const result<void> written =
            co_await write_once(self, random, bytes_of(std::string_view{buffer}));
        if (!written) {
            self.in.note_error(self.of, self.name, "write", written.error());
            co_return written.error();
        }
    }
    co_await dawdle(random);
    out.is_finished = true;
    const result<void> finished = co_await self.stream.shutdown();
    if (!finished) self.in.note_error(self.of, self.name, "shutdown", finished.error());
    co_return finished;
}

task<result<void>> read_and_write(side& self) {
    const auto [wrote, read] = co_await when_all(write_all(self), read_all(self));
    if (!wrote) co_return wrote.error();
    co_return read;
}

task<> abort_later(side& self) {
    (void)co_await sleep_for(self.plan.rude_after);
    self.stream.abort();
}

task<> run_side(side& self) {
    switch (self.plan.end) {
        case ending::orderly: (void)co_await read_and_write(self); break;
        case ending::abort: co_await when_all(read_and_write(self), abort_later(self)); break;
        case ending::drop:
            (void)co_await with_timeout(self.plan.rude_after, read_and_write(self));
            break;
    }
    if (self.plan.waits_until_closed && self.plan.end == ending::orderly) {
        const result<void> closed = co_await self.stream.closed();
        if (!closed) self.in.note_error(self.of, self.name, "closed", closed.error());
    }
    // Destroying the stream closes it, if nothing has yet.
    self.out.is_finished = true;
    self.stream = tcp_stream{};
}

task<> run_client(model& in, connection_model& of) {
    (void)co_await sleep_for(of.plan->start);
    side self{in, of, of.plan->client, "client", of.up, of.down};
    const auto port = static_cast<std::uint16_t>(first_port + of.number);
    auto opened = co_await in.on.client.connect(in.on.server_at(port), of.plan->client_options);
    // A neighbour that does not answer through a long outage is unreachable: no connection then.
    const bool is_ethernet = in.plan.client.link == net::device_capabilities::link_type::ethernet;
    if (is_ethernet && opened.error() == net::errc::host_unreachable) co_return;
    if (!opened) {
        in.complain(of, "client", "connect: " + opened.error().message());
        co_return;
    }
    self.stream = std::move(*opened);
    co_await run_side(self);
}

task<> run_server(model& in, connection_model& of, tcp_listener& listening) {
    side self{in, of, of.plan->server, "server", of.down, of.up};
    auto accepted = co_await with_timeout(accept_patience, listening.accept());
    if (!accepted) {
        ++in.outcome.never_accepted;
        co_return;
    }
    of.was_accepted = true;
    self.stream = std::move(*accepted);
    co_await run_side(self);
}

task<> run_connection(model& in, connection_model& of) {
    const auto port = static_cast<std::uint16_t>(first_port + of.number);
    auto listening = in.on.server.listen(port, {.connection = of.plan->server_options});
    REQUIRE(listening.has_value());
    co_await when_all(run_client(in, of), run_server(in, of, *listening));
    // Nobody opened a second one, whatever old SYNs the wire still brings.
    auto another = co_await with_timeout(1s, listening->accept());
    if (another) in.complain(of, "server", "a connection that nobody opened");
}

task<> narrow(model& in, const narrowing_plan& to) {
    (void)co_await sleep_for(to.after);
    for (net::host* const each : {&in.on.client, &in.on.server}) {
        net::memory_device& device = in.on.world.device_of(*each);
        net::link_options link = device.link();
        link.path_mtu = to.path_mtu;
        link.too_big = to.too_big;
        device.set_link(link);
    }
}

task<result<void>> run_connections(model& in, std::vector<connection_model>& all) {
    std::vector<task<>> each;
    for (connection_model& one : all) each.push_back(run_connection(in, one));
    for (const narrowing_plan& one : in.plan.narrowings) each.push_back(narrow(in, one));
    co_await when_all(std::move(each));
    co_return result<void>{};
}

task<result<void>> run_in_time(model& in, std::vector<connection_model>& all) {
    co_return co_await with_timeout(longest_run, run_connections(in, all));
}

void put_boxes(two_hosts& on, const model_plan& plan) {
    const wire_ends wire = on.world.wire_between(on.client, on.server);
    for (const box_plan& each : plan.boxes) {
        using kind = box_plan::kind;
        switch (each.what) {
            case kind::strip: on.world.insert<option_stripper>(wire, each.strips); break;
            case kind::shift: on.world.insert<sequence_shifter>(wire, plan.seed); break;
            case kind::shift_without_sack:
                on.world.insert<sequence_shifter>(wire, plan.seed,
                                                  sequence_shifter::sack::left_alone);
                break;
            case kind::split: on.world.insert<segment_splitter>(wire, each.split_bytes); break;
            case kind::bleach: on.world.insert<ecn_bleacher>(wire); break;
        }
    }
    for (const outage_plan& each : plan.outages) {
        sim::world::partition(wire, each.from, each.until);
    }
}

void check_leftovers(model& in) {
    const auto nothing_of = [&in](const char* what, std::size_t count) {
        if (count == 0) return;
        in.outcome.complaints.push_back(std::to_string(count) + " " + what + " left");
    };
    for (net::host* const each : {&in.on.client, &in.on.server}) {
        nothing_of("connections", each->stack().tcp().connection_count());
        nothing_of("orphans", each->stack().tcp().orphan_count());
        nothing_of("handles", each->handle_count());
    }
    nothing_of("bytes", in.on.world.bytes_in_use());
}

}  // namespace

model_outcome run_model(const model_plan& plan, net::observer* watcher) {
    two_hosts on{plan.seed, {}, plan.client, plan.server};
    on.get_acquainted();
    on.world.device_of(on.client).set_link(plan.up);
    on.world.device_of(on.server).set_link(plan.down);
    put_boxes(on, plan);
    const invariant_watch watch{{&on.client, &on.server}, watcher};

    model in{plan, on};
    std::vector<connection_model> all(plan.connections.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
        all[i].plan = &plan.connections[i];
        all[i].number = i;
        all[i].up.key = plan.connections[i].client.seed;
        all[i].down.key = plan.connections[i].server.seed;
    }
    try {
        if (!on.world.run(run_in_time(in, all))) {
            in.outcome.complaints.emplace_back("operations that do not complete");
        }
    } catch (const std::logic_error& stuck) {
        in.outcome.complaints.emplace_back(stuck.what());
    }
    on.world.run_for(6h);
    check_leftovers(in);
    if (!watch.violation().empty()) in.outcome.complaints.push_back(watch.violation());
    in.outcome.checks = watch.checks();
    if (!in.outcome.complaints.empty()) {
        in.outcome.counters =
            "client: " + counters_of(on.client) + "\nserver: " + counters_of(on.server) + "\n";
    }
    return std::move(in.outcome);
}

}  // namespace weft::sim::test
