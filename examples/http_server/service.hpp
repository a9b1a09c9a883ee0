#pragma once
// What the connections of the file server share, whichever front end they are written in.

#include "common/connection_limit.hpp"
#include "http_server/exchange.hpp"
#include "http_server/exchange_memory.hpp"
#include "http_server/site.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace examples::http_server {

/// Outlives the connections.
struct service {
    service(weft::file folder, std::map<std::string, std::string, std::less<>> redirects,
            const serve_limits& asked, std::uint32_t max_connections)
        : pages{std::move(folder), std::move(redirects)},
          memory{max_connections},
          limits{asked},
          connections{max_connections} {}

    site pages;
    exchange_pool memory;
    const serve_limits limits;
    connection_limit connections;
};

}  // namespace examples::http_server
