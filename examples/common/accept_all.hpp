#pragma once
// How a server takes its connections, in each of the three front ends: it accepts while there is
// room for another, until the listener is closed or it is asked to stop, and ends when the last
// connection has.
//
// `FrontEnds` says what happens on a connection: `FrontEnds::coroutine(stream, shared)` is a task,
// `FrontEnds::fiber(stream, shared)` a function that waits, and `FrontEnds::callback<Stream>` an
// object, made with (group, stream, shared), in a list, that serve() starts and that destroys
// itself. Each tells `shared.connections`, a connection_limit, when it has ended.

#include "common/front_end.hpp"

#include <weft/awaitable.hpp>
#include <weft/base/intrusive_list.hpp>
#include <weft/callback.hpp>
#include <weft/fiber/group.hpp>
#include <weft/task.hpp>
#include <weft/task_group.hpp>

#include <utility>

namespace examples {

template <class FrontEnds, class Listener, class Service>
weft::task<void> accept_in_coroutine(weft::task_group& group, Listener* listener, Service* shared) {
    for (;;) {
        const auto room = co_await shared->connections.has_room();
        if (!room) break;
        auto peer = co_await listener->accept();
        if (!peer) break;
        shared->connections.opened();
        group.spawn(FrontEnds::coroutine(std::move(*peer), *shared));
    }
}

template <class FrontEnds, class Listener, class Service>
void accept_in_fiber(weft::fiber::group& group, Listener* listener, Service* shared) {
    for (;;) {
        const auto room = weft::fiber::await(shared->connections.has_room());
        if (!room) break;
        auto peer = weft::fiber::await(listener->accept());
        if (!peer) break;
        shared->connections.opened();
        const auto spawned = group.spawn([stream = std::move(*peer), shared]() mutable {
            FrontEnds::fiber(std::move(stream), *shared);
        });
        if (!spawned) shared->connections.closed();  // no stack: that peer is closed, others go on
    }
}

template <class FrontEnds, class Listener, class Service>
class callback_acceptor {
    using accepted = weft::await_result_t<decltype(std::declval<Listener&>().accept())>;
    using connection = typename FrontEnds::template callback<typename accepted::value_type>;

public:
    callback_acceptor(weft::callback_group& group, Listener& listener, Service& shared) noexcept
        : group_{group}, listener_{listener}, shared_{shared} {}
    callback_acceptor(const callback_acceptor&) = delete;
    callback_acceptor& operator=(const callback_acceptor&) = delete;
    /// Connections that an exception left behind.
    ~callback_acceptor() {
        while (!connections_.empty()) delete &connections_.front();
    }

    void accept_all() {
        waiting_.start(
            group_, [this] { return shared_.connections.has_room(); },
            [this](weft::result<void> room) {
                if (room) accept();
            });
    }

private:
    void accept() {
        waiting_.start(
            group_, [this] { return listener_.accept(); },
            [this](accepted peer) {
                if (!peer) return;
                shared_.connections.opened();
                auto* const made = new connection{group_, std::move(*peer), shared_};
                connections_.push_back(*made);
                made->serve();
                accept_all();
            });
    }

    weft::callback_group& group_;
    Listener& listener_;
    Service& shared_;
    weft::intrusive_list<connection> connections_;
    weft::callback_slot<512> waiting_;
};

template <class FrontEnds, class Listener, class Service>
weft::task<weft::result<void>> accept_in_callbacks(Listener& listener, Service& shared) {
    weft::callback_group group{co_await weft::current_environment()};
    callback_acceptor<FrontEnds, Listener, Service> all{group, listener, shared};
    all.accept_all();
    co_return co_await group.join();
}

template <class FrontEnds, class Listener, class Service>
weft::task<weft::result<void>> accept_all(front_end how, Listener& listener, Service& shared) {
    switch (how) {
        case front_end::coroutine: break;
        case front_end::fiber:
            return weft::fiber::with_group(&accept_in_fiber<FrontEnds, Listener, Service>,
                                           &listener, &shared);
        case front_end::callback: return accept_in_callbacks<FrontEnds>(listener, shared);
    }
    return weft::with_task_group(&accept_in_coroutine<FrontEnds, Listener, Service>, &listener,
                                 &shared);
}

/// A server's whole work on one network of examples/common/network.hpp.
template <class FrontEnds, class Network, class Listener, class Service>
weft::task<weft::result<void>> serve_all(front_end how, Network& on, Listener& listener,
                                         Service& shared) {
    return weft::with_task_group(
        [](weft::task_group& group, Network* network, Listener* from, Service* with,
           front_end in) -> weft::task<void> {
            network->watch(group, *from);
            (void)co_await accept_all<FrontEnds>(in, *from, *with);
            group.cancel();
        },
        &on, &listener, &shared, how);
}

}  // namespace examples
