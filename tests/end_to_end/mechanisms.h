#pragma once

#include "tests/end_to_end/scene.h"

namespace gw::lab {

/// Feeds nft in a namespace with a script of somebody else.
inline void somebody_adds(const Namespace& where, const std::string& rules)
{
    const Folder folder;
    run_well({"nft", "--file", folder.write("rules", rules)}, where.place());
}

/// Conntrack sees every packet of the namespace from now on, as with any stateful firewall.
inline void tracks_connections(const Namespace& where)
{
    somebody_adds(where, "table inet stateful {\n"
                         "  chain in { type filter hook input priority 0; ct state invalid counter drop; }\n"
                         "  chain through { type filter hook forward priority 0; ct state invalid counter drop; }\n"
                         "}\n");
}

inline constexpr std::string_view hand_port = "15001";

/// Rules by hand in the gateway's namespace, for what comes from the clients to the servers' ports 8000 to 8100.
enum class ByHand { redirect, dnat, tproxy };

inline void somebody_leads_here(const Network& network, ByHand how)
{
    const std::string match = "iifname \"inside\" tcp dport { 25, 80, 443, 8000-8100 } ";
    const std::string to_v4 = match + "ip daddr 10.0.2.0/24 ", to_v6 = match + "ip6 daddr fd00:2::/64 ";
    const std::string port(hand_port);
    std::string rules = "table inet hand {\n  chain c {\n    type ";
    switch (how) {
    case ByHand::redirect:
        rules += "nat hook prerouting priority dstnat;\n" + to_v4 + "redirect to :" + port + "\n" + to_v6 +
                 "redirect to :" + port + "\n";
        break;
    case ByHand::dnat:
        rules += "nat hook prerouting priority dstnat;\n" + to_v4 + "dnat ip to 10.0.1.1:" + port + "\n" + to_v6 +
                 "dnat ip6 to [fd00:1::1]:" + port + "\n";
        break;
    case ByHand::tproxy:
        rules += "filter hook prerouting priority mangle;\n" + to_v4 + "tproxy ip to :" + port +
                 " meta mark set 0x1 accept\n" + to_v6 + "tproxy ip6 to :" + port + " meta mark set 0x1 accept\n";
        for (const char* family : {"-4", "-6"}) {
            run_well({"ip", family, "rule", "add", "fwmark", "0x1", "lookup", "100"}, network.gateway().place());
            run_well({"ip", family, "route", "add", "local", "default", "dev", "lo", "table", "100"},
                     network.gateway().place());
        }
        break;
    }
    somebody_adds(network.gateway(), rules + "  }\n}\n");
}

/// A listener for the same ports. `bind` as in the file; `of_listener`: more of its keys.
inline std::string by_mode(std::string_view mode, std::string_view bind = "", std::string_view of_listener = "",
                           std::string_view more = "")
{
    std::string yaml = "listeners:\n  - name: web\n"
                       "    intercept: {mode: " +
                       std::string(mode) + ", to: [10.0.2.0/24, \"fd00:2::/64\"], ports: [25, 80, 443, 8000-8100]}\n";
    if (!bind.empty()) yaml.append("    bind: ").append(bind).append("\n");
    if (!of_listener.empty()) yaml.append("    ").append(of_listener).append("\n");
    return yaml.append(more);
}

/// Answers what it was sent, line by line, until the client ends.
inline Origin::Script echoes_lines()
{
    return [](Origin::Connection& connection) {
        for (;;) {
            const auto line = connection.receives_until("\n");
            if (line.empty()) return;
            connection.sends(line);
        }
    };
}

/// One line there and back over a connection that is not HTTP.
inline bool talks(Socket& socket)
{
    if (!socket.connected()) return false;
    socket.sends("\x01 hello\n");
    return socket.receives_until("\n") == "\x01 hello\n";
}

/// Somebody behind the clients whose packets are taken to pieces on the way: 10.0.3.2, to whom the gateway answers.
class Pieces {
public:
    explicit Pieces(const Network& network) : network_(network)
    {
        network.clients().sets("net/ipv4/ip_forward", "1");
        network.clients().configures("link add far type veth peer name net0 netns " + far_.name() +
                                     "\nlink set far up\naddr add 10.0.3.1/24 dev far\nlink set net0 mtu 600\n");
        far_.configures("link set net0 up\naddr add 10.0.3.2/24 dev net0\nroute add default via 10.0.3.1\n");
        far_.sets("net/ipv4/ip_no_pmtu_disc", "1"); // packets may be taken to pieces
        network.gateway().configures("route add 10.0.3.0/24 via 10.0.1.2\n");
        network.servers().configures("route add 10.0.3.0/24 via 10.0.2.1\n");
    }
    Socket dials(std::string_view to, Milliseconds limit = patience) const
    {
        return far_.dials(*Endpoint::parse(to), {Address::parse("10.0.3.2").value(), 0}, limit);
    }
    const Namespace& place() const { return far_; }
    /// How many pieces were made.
    long sent() const
    {
        return std::atol(run_well({"sh", "-c", "nstat -asz IpFragCreates | awk '/IpFragCreates/ {print $2}'"},
                                  network_.clients().place())
                             .c_str());
    }

private:
    const Network& network_;
    Namespace far_{"far"};
};

} // namespace gw::lab
