#pragma once

#include "gateway/base/endpoint.h"
#include "gateway/base/task.h"
#include "gateway/upstream/settings.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace gw::upstream {

/// Names of upstreams to addresses, for one worker. Asks the system's resolver on a thread of its own, once for all who
/// wait; keeps answers for `name_ttl`, and uses the last good one when the resolver fails.
class Resolver {
public:
    Resolver(asio::io_context& io, const Settings& settings);
    ~Resolver();

    void renew(const Settings& settings) { settings_ = settings; }

    /// Addresses in the resolver's order; never empty. An address as `name` answers itself.
    /// Errors, side upstream: `refused` (no such name), `timed_out` at `until`.
    Task<Result<std::vector<Address>>> resolve(std::string name, std::chrono::steady_clock::time_point until);

private:
    struct Entry;
    void ask(const std::string& name, const std::shared_ptr<Entry>& entry);

    asio::io_context& io_;
    Settings settings_;
    asio::ip::tcp::resolver resolver_;
    std::unordered_map<std::string, std::shared_ptr<Entry>> entries_;
};

} // namespace gw::upstream
