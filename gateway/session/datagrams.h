#pragma once

#include "gateway/datagram/forwarder.h"
#include "gateway/intake/listener.h"
#include "gateway/session/counters.h"
#include "gateway/session/generation.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace gw::session {

/// UDP, as a worker sees it: gives the forwarder what a generation says, and counts and reports its flows. Costs
/// nothing until the first UDP socket comes.
class Datagrams final : datagram::Forwarder::Host {
public:
    struct Reporting {
        Counters& counters;
        std::uint64_t& next_id;
        std::function<std::shared_ptr<void>(const std::string& listener, const Endpoint& client)> admit;
        std::function<void(const datagram::Flow&)> ended; ///< writes its record
    };
    Datagrams(asio::io_context& io, DeadlineWheel& wheel, Reporting reporting);

    void install(const Generation& generation);
    /// True when it was a UDP socket; then it is ours now.
    bool take(intake::ListeningSocket& socket);
    void keep_only(const std::vector<std::string>& keep) { forwarder_.keep_only(keep); }
    /// Takes nothing new. What clients asked before may still be answered.
    void drain() { forwarder_.close_listeners(); }
    void end_flows() { forwarder_.end_flows(); }
    /// Questions that are not answered yet.
    std::size_t waiting() const { return forwarder_.flows().waiting(); }
    datagram::Counters count() { return forwarder_.counters(); }
    void for_each_flow(const std::function<bool(datagram::Flow&)>& visit) { forwarder_.for_each_flow(visit); }

private:
    std::shared_ptr<void> admit(const std::string& listener, const Endpoint& client) override
    {
        return reporting_.admit(listener, client);
    }
    void flow_began(datagram::Flow& flow) override;
    void flow_ended(const datagram::Flow& flow) override;

    Reporting reporting_;
    datagram::Forwarder forwarder_;
};

} // namespace gw::session
