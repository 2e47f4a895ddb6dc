#pragma once

#include "tests/end_to_end/mechanisms.h"

#include <atomic>
#include <sys/socket.h>
#include <thread>

namespace gw::lab {

/// Packets as they arrive at the servers, counted by the kernel there. Whoever sends starts with 64 hops: what the
/// gateway sends itself arrives with 64, what it let by with 63, whatever address stands in it.
class Arrivals {
public:
    struct Count {
        long opened = 0;  ///< TCP connections that were asked for (SYN)
        long packets = 0; ///< all of TCP and UDP, those included
        bool operator==(const Count&) const = default;
        friend void PrintTo(const Count& count, std::ostream* out)
        {
            *out << count.opened << " SYNs, " << count.packets << " packets";
        }
    };

    explicit Arrivals(const Network& network) : place_(network.servers().place())
    {
        somebody_adds(network.servers(),
                      "table inet arrivals {\n"
                      "  counter by_opened { }\n  counter by { }\n  counter ours { }\n"
                      "  chain in {\n    type filter hook prerouting priority raw - 200;\n"
                      "    iifname != net0 accept\n    meta l4proto != { tcp, udp } accept\n"
                      "    ip ttl 64 counter name ours accept\n    ip6 hoplimit 64 counter name ours accept\n"
                      "    counter name by\n    tcp flags & (syn | ack) == syn counter name by_opened\n  }\n}\n");
    }

    /// What nobody inspected.
    Count by() const
    {
        const auto all = counters();
        return {all.value("by_opened", -1L), all.value("by", -1L)};
    }
    /// Packets of the gateway's own.
    long ours() const { return counters().value("ours", -1L); }

private:
    Json counters() const
    {
        const auto listed = Json::parse(
            run_well({"nft", "--json", "list", "counters", "table", "inet", "arrivals"}, place_), nullptr, false);
        Json all = Json::object();
        for (const auto& each : listed.value("nftables", Json::array()))
            if (each.contains("counter")) all[each["counter"]["name"].get<std::string>()] = each["counter"]["packets"];
        return all;
    }

    Process::Place place_;
};

/// A connection that is open all the time and has something to send every few milliseconds, whatever comes of it.
class OpenStream {
public:
    /// The other end: takes everything, says nothing.
    static Origin::Script takes_all()
    {
        return [](Origin::Connection& connection) {
            while (!connection.receives(1).empty()) {
            }
        };
    }
    OpenStream(const Network& network, std::string_view client, std::string_view to)
        : socket_(network.client(std::string(client)).dials(to)), thread_([this] {
              while (!stop_ && socket_.connected()) {
                  ::send(socket_.number(), "\x01 on and on\n", 12, MSG_NOSIGNAL | MSG_DONTWAIT);
                  std::this_thread::sleep_for(Milliseconds{5}); // a light load
              }
          })
    {
        EXPECT_TRUE(socket_.connected());
    }
    ~OpenStream()
    {
        stop_ = true;
        thread_.join();
    }

private:
    std::atomic<bool> stop_{false};
    Socket socket_;
    std::thread thread_;
};

} // namespace gw::lab
