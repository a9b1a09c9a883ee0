#pragma once
// What happens on a connection of the file server, in each front end, for examples::accept_all.

#include "http_server/callback.hpp"
#include "http_server/coroutine.hpp"
#include "http_server/fiber.hpp"
#include "http_server/service.hpp"

#include <utility>

namespace examples::http_server {

struct front_ends {
    template <class Stream>
    static weft::task<void> coroutine(Stream peer, service& shared) {
        return http_server::coroutine::serve(std::move(peer), shared);
    }
    template <class Stream>
    static void fiber(Stream peer, service& shared) {
        http_server::fiber::serve(std::move(peer), shared);
    }
    template <class Stream>
    using callback = http_server::callback::connection<Stream>;
};

}  // namespace examples::http_server
