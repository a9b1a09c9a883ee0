#pragma once
// What happens on a connection of the echo server, in each front end, for examples::accept_all.

#include "echo_server/callback.hpp"
#include "echo_server/coroutine.hpp"
#include "echo_server/fiber.hpp"
#include "echo_server/service.hpp"

#include <utility>

namespace examples::echo_server {

struct front_ends {
    template <class Stream>
    static weft::task<void> coroutine(Stream peer, service& shared) {
        return echo_server::coroutine::serve(std::move(peer), shared);
    }
    template <class Stream>
    static void fiber(Stream peer, service& shared) {
        echo_server::fiber::serve(std::move(peer), shared);
    }
    template <class Stream>
    using callback = echo_server::callback::connection<Stream>;
};

}  // namespace examples::echo_server
