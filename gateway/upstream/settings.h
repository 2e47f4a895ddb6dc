#pragma once

#include "gateway/base/endpoint.h"
#include "gateway/base/position.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace gw::upstream {

struct Settings {
    std::chrono::milliseconds connect_limit{5'000}; ///< name resolution, TCP and TLS together
    std::chrono::milliseconds idle_limit{60'000};   ///< an unused kept connection is closed after that
    std::size_t idle_per_upstream = 32;             ///< kept a key and worker
    std::size_t idle_total = 1'024;                 ///< kept a worker; the oldest goes first
    /// What was used a shorter time ago is no other worker's: its own is about to use it again.
    std::chrono::milliseconds idle_own{20};
    std::chrono::milliseconds name_ttl{30'000}; ///< a resolved name is asked again after that
    std::uint32_t own_mark = 0x02000000;        ///< as in netfilter's settings
    std::uint32_t twin_mark = 0x03000000;       ///< the same, of connections that are twins
};

/// The PROXY header that goes in front of each connection to a pool's servers.
enum class SendProxy { none, v1, v2 };

struct PoolServer {
    Endpoint address{};
    std::uint32_t weight = 1; ///< how many connections it gets in a round, beside the others'
    friend bool operator==(const PoolServer&, const PoolServer&) = default;
};

/// One entry of `pools:`: servers that are as good as each other.
struct PoolSettings {
    std::string name;
    Position where;
    std::vector<PoolServer> servers; ///< never empty
    SendProxy send_proxy = SendProxy::none;
};

} // namespace gw::upstream
