#pragma once

#include "gateway/base/endpoint.h"
#include "gateway/base/result.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gw::link {

/// A listening socket as it is named between the processes.
struct SocketName {
    std::string listener;
    Endpoint bound;
    std::size_t worker = 0;

    std::string key() const { return listener + " " + bound.text(); } ///< the same for all workers
    friend bool operator==(const SocketName&, const SocketName&) = default;
};

struct ConfigSource {
    std::string name;
    std::string text;
};

/// The text of `prepare` and `commit`.
struct Order {
    std::uint64_t generation = 0;
    std::size_t workers = 1;
    int log_level = 1;                 ///< as in log::Level
    std::vector<ConfigSource> sources; ///< prepare: the configuration as text
    std::vector<SocketName> sockets;   ///< prepare and commit: all that are to be accepted from
    std::vector<SocketName> added;     ///< commit: those that come with this message, in its order
    bool log_file = false;             ///< commit: the last descriptor is the access log, open to append
};

std::string encode(const Order& order);
/// Errors: `malformed`, side gateway.
Result<Order> decode_order(std::string_view text);

/// The text of an answer to `ask`.
struct Answer {
    int status = 200;
    std::string content_type = "application/json";
    std::string body;
};
std::string encode(const Answer& answer);
Result<Answer> decode_answer(std::string_view text);

} // namespace gw::link
