#include <weft/log.hpp>
#include <weft/net/io/sharded_host.hpp>
#include <weft/net/io/steering_program.hpp>
#include <weft/net/tcp/keyed_hash.hpp>
#include <weft/stop.hpp>

#include <algorithm>
#include <cassert>
#include <new>
#include <utility>

namespace weft::net {

/// A packet on its way to another shard, with its own copy of the bytes: blocks stay at home.
struct sharded_host::parcel : message {
    parcel(sharded_host& of, std::uint32_t whom, shard_cargo kind, std::span<const std::byte> from,
           const rx_offload& vouched)
        : message{&on_arrival, static_cast<std::uint32_t>(sizeof(parcel) + from.size())},
          owner{of},
          to{whom},
          what{kind},
          offload{vouched},
          bytes{from.begin(), from.end()} {}

    static void on_arrival(message& sent, fate how) noexcept;

    sharded_host& owner;
    const std::uint32_t to;
    const shard_cargo what;
    const rx_offload offload;
    const std::vector<std::byte> bytes;
};

/// What there is of one shard, on its loop.
struct sharded_host::shard_side final : shard_forwarder {
    shard_side(sharded_host& of, runtime_loop& on) noexcept : owner{of}, loop{on} {}

    bool forward(std::uint32_t to, shard_cargo what, std::span<const std::byte> bytes,
                 const rx_offload& offload) noexcept override {
        try {
            auto sent = std::make_unique<parcel>(owner, to, what, bytes, offload);
            if (!loop.post(to, *sent)) return false;
            (void)sent.release();
            return true;
        } catch (const std::bad_alloc&) {
            return false;
        }
    }

    sharded_host& owner;
    runtime_loop& loop;
    std::unique_ptr<tap_device> device;
    std::unique_ptr<net::host> host;
    std::vector<std::unique_ptr<tcp_listener>> listeners;
    stack_counters last_counters;  // once the host is gone
};

void sharded_host::parcel::on_arrival(message& sent, fate how) noexcept {
    const std::unique_ptr<parcel> self{static_cast<parcel*>(&sent)};
    if (how == fate::dropped) return;
    net::host* const there = self->owner.shards_[self->to]->host.get();
    if (there != nullptr) there->on_forwarded(self->what, self->bytes, self->offload);
}

// ---- opening

sharded_host::sharded_host(runtime& on, const tcp::shard_map& map) : runtime_{on}, map_{map} {
    for (std::size_t i = 0; i < on.size(); ++i) {
        shards_.push_back(std::make_unique<shard_side>(*this, on.loop(i)));
    }
}

sharded_host::~sharded_host() {
    assert(std::ranges::all_of(shards_, [](const auto& s) { return s->host == nullptr; }) &&
           "a sharded host is closed before it goes");
}

task<result<std::unique_ptr<sharded_host>>> sharded_host::open(runtime& on,
                                                               sharded_options options) {
    result<std::vector<tap_interface>> queues =
        tap_interface::attach_queues(options.tap.name, options.tap.create, on.size());
    if (!queues) co_return queues.error();
    if (!options.host.secret) options.host.secret = random_secret();
    const tcp::shard_map map{static_cast<std::uint32_t>(on.size()),
                             tcp::keyed_hash(*options.host.secret, {0x7368617264}),  // "shard"
                             options.host.tcp.ephemeral_port_first};
    std::unique_ptr<sharded_host> made{new sharded_host{on, map}};
    if (options.steer == sharded_options::steering::automatic) {
        const result<steering_program> program = steering_program::load(map);
        const std::error_code error =
            program ? queues->front().steer_by(program->descriptor()).error() : program.error();
        made->is_steered_ = !error;
        if (error) {
            log::get("tap").info("{}: the kernel takes no steering program ({}): in software",
                                 queues->front().name(), error.message());
        }
    }
    std::exception_ptr thrown;
    result<void> built;
    try {
        const auto build = [&made, &queues, &options](std::size_t i) -> task<result<void>> {
            co_return made->build(i, std::move((*queues)[i]), options);
        };
        built = co_await on.for_each_loop(build);
    } catch (...) {
        thrown = std::current_exception();
    }
    if (thrown || !built) co_await made->take_down();
    if (thrown) std::rethrow_exception(thrown);
    if (!built) co_return built.error();
    co_return std::move(made);
}

result<void> sharded_host::build(std::size_t index, tap_interface queue,
                                 const sharded_options& options) {
    shard_side& side = *shards_[index];
    result<std::unique_ptr<tap_device>> device =
        tap_device::open(side.loop.context(), std::move(queue), options.tap);
    if (!device) return device.error();
    side.device = *std::move(device);
    host_options wanted = options.host;
    if (wanted.mac.is_unspecified()) wanted.mac = side.device->stack_address();
    wanted.pool_limit_bytes /= size();
    wanted.shard = {map_, static_cast<std::uint32_t>(index)};
    side.host = std::make_unique<net::host>(side.loop.context(), *side.device, wanted);
    side.host->stack().forward_to(&side);
    return {};
}

// ---- while it is open

host& sharded_host::shard(std::size_t index) noexcept { return *shards_[index]->host; }

template <class Make>
task<void> sharded_host::on_each(Make& make) {
    environment in = co_await current_environment();
    in.stop = stop_token{};
    const auto bound = [&make](std::size_t i) { return make(i); };
    [[maybe_unused]] const result<void> done =
        co_await task_in_environment<result<void>>{in, runtime_.for_each_loop(bound)};
    assert(done && "a sharded host is closed while its runtime runs");
}

task<result<sharded_listener>> sharded_host::listen(endpoint local, tcp::listen_options options) {
    const std::size_t id = listeners_++;
    std::error_code failure;
    for (std::size_t i = 0; i < size() && !failure; ++i) {
        const auto open = [this, i, id, &local, &options]() -> task<result<void>> {
            shard_side& side = *shards_[i];
            result<tcp_listener> opened = side.host->listen(local, options);
            if (!opened) co_return opened.error();
            local.port = opened->local_endpoint().port;  // that of shard 0 for all
            side.listeners.resize(std::max(side.listeners.size(), id + 1));
            side.listeners[id] = std::make_unique<tcp_listener>(*std::move(opened));
            co_return result<void>{};
        };
        const result<void> opened = co_await runtime_.spawn_on(i, open);
        failure = opened.error();
    }
    const sharded_listener name{*this, id, local};
    if (!failure) co_return name;
    co_await name.close();
    co_return failure;
}

tcp_listener& sharded_listener::on(std::size_t index) const noexcept {
    return *host_->shards_[index]->listeners[id_];
}

task<void> sharded_listener::close() const {
    const auto close_one = [of = host_, id = id_](std::size_t i) -> task<void> {
        auto& listeners = of->shards_[i]->listeners;
        if (id < listeners.size() && listeners[id] != nullptr) listeners[id]->close();
        co_return;
    };
    co_await host_->on_each(close_one);
}

task<stack_counters> sharded_host::counters() {
    std::vector<stack_counters> found(size());
    const auto read = [this, &found](std::size_t i) -> task<void> {
        const shard_side& side = *shards_[i];
        found[i] = side.host == nullptr ? side.last_counters : side.host->counters();
        co_return;
    };
    co_await on_each(read);
    stack_counters sum;
    for (const stack_counters& each : found) {
        for (const counter_field& counter : counter_fields) {
            sum.*counter.field += each.*counter.field;
        }
    }
    co_return sum;
}

// ---- closing

task<void> sharded_host::close(duration limit) {
    const auto stop_one = [this, limit](std::size_t i) -> task<void> {
        net::host& here = *shards_[i]->host;
        co_await here.stop(here.now() + limit);
    };
    co_await on_each(stop_one);
    co_await take_down();
}

/// First nobody sends parcels any more, then the shards go: those sent before lie in the mailboxes
/// in front of the message that says so.
task<void> sharded_host::take_down() {
    const auto part = [this](std::size_t i) -> task<void> {
        const auto& host = shards_[i]->host;
        if (host != nullptr) host->stack().forward_to(nullptr);
        co_return;
    };
    co_await on_each(part);
    const auto remove = [this](std::size_t i) -> task<void> {
        shard_side& side = *shards_[i];
        side.listeners.clear();
        if (side.host != nullptr) side.last_counters = side.host->counters();
        side.host.reset();
        side.device.reset();
        co_return;
    };
    co_await on_each(remove);
}

}  // namespace weft::net
