#pragma once

#include "gateway/base/position.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gw::route {

/// One line of `routes:` as far as choosing is concerned. What is done to a message that takes it lies beside it in
/// the other rooms' settings under the same number.
struct RouteSettings {
    Position where;
    std::string host = "_";             ///< literal, "_", ":name" for one label
    std::string path = "/";             ///< prefix by whole segments; ":name" binds one segment; "_" any
    std::string method = "_";           ///< literal or "_"
    std::vector<std::string> listeners; ///< names; empty: all
    std::string to; ///< URL with bindings | pool:NAME | original | deny | redirect:[STATUS ]URL | respond:STATUS[ TEXT]
    std::chrono::milliseconds timeout{60'000};                        ///< until the upstream's response head
    std::optional<std::uint64_t> max_body_bytes = 1024 * 1024 * 1024; ///< request body; none: unlimited
};

} // namespace gw::route
