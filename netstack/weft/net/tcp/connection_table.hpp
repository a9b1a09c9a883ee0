#pragma once
// Connections by four-tuple.

#include <weft/net/tcp/tuple_table.hpp>

namespace weft::net::tcp {

class connection;
using connection_table = tuple_table<connection>;

}  // namespace weft::net::tcp
