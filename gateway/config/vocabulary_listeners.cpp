#include "gateway/config/apply.h"
#include "gateway/config/judge.h"
#include "gateway/config/vocabulary.h"

namespace gw::config {

namespace {

constexpr std::string_view network_pattern = "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$";
constexpr std::string_view endpoint_pattern = "^.+:[0-9]{1,5}$";
constexpr std::string_view ports_schema = R"({"anyOf": [{"type": "integer", "minimum": 1, "maximum": 65535},)"
                                          R"( {"type": "string", "pattern": "^[1-9][0-9]{0,4}(-[1-9][0-9]{0,4})?$"}]})";

Type networks(Judge judge, std::uint64_t least)
{
    return list(text("an address or a network", judge, network_pattern), least);
}

Type ports()
{
    auto type = text("a port or a range of ports", judge_ports, {});
    type.schema = ports_schema;
    return list(type, 1, 1'000);
}

Type except()
{
    return mapping({
        {"from",
         networks(judge_network, 0),
         {},
         "Clients that are left alone.",
         [](Draft& d, const Node& n) { d.intercept().except_from = networks_in(n); }},
        {"to",
         networks(judge_network, 0),
         {},
         "Destinations that are left alone, though they lie in `to`.",
         [](Draft& d, const Node& n) { d.intercept().except_to = networks_in(n); }},
    });
}

void apply_when_down(Draft& d, const Node& n)
{
    d.intercept().when_down = n.text == "reject" ? netfilter::WhenDown::reject
                              : n.text == "drop" ? netfilter::WhenDown::drop
                                                 : netfilter::WhenDown::pass;
}

void apply_mode(Draft& d, const Node& n)
{
    d.intercept().mode = n.text == "redirect"   ? netfilter::Mode::redirect
                         : n.text == "external" ? netfilter::Mode::external
                                                : netfilter::Mode::tproxy;
}

Type intercept()
{
    auto type = mapping({
        {"mode", word({{"tproxy"}, {"redirect"}, {"external"}}), "tproxy",
         "How connections are taken over. `tproxy`: without changing a packet, and without conntrack. `redirect`: by "
         "NAT, for hosts where tproxy is not to be had; needs conntrack. `external`: by rules that somebody else made, "
         "on this host or on another one; they lead to the addresses in `bind`, and nothing is installed for it. Where "
         "conntrack of this host does not know where a connection was going, the name in the request decides (the "
         "Host field, with its port, or 80; the name in a TLS hello, with port 443), and only towards `to` and "
         "`ports`.",
         apply_mode},
        {"interfaces",
         list(free_text("the name of an interface", judge_interface, "^[A-Za-z0-9_.@:+-]{1,15}$"), 1, 256),
         {},
         "Where the connections arrive. Default: every interface but loopback. Not with `mode: external`.",
         [](Draft& d, const Node& n) { d.intercept().interfaces = texts_in(n); }},
        {"to",
         networks(judge_destination, 1),
         {},
         "Which destinations are taken over: addresses and networks.",
         [](Draft& d, const Node& n) { d.intercept().to = networks_in(n); },
         true},
        {"ports",
         ports(),
         {},
         "Which ports of theirs: numbers and ranges such as 8000-8080.",
         [](Draft& d, const Node& n) {
             for (const auto& item : n.items) d.intercept().ports.push_back(*parse_ports(item.text));
         },
         true},
        {"transport", word({{"tcp"}, {"udp"}}), "tcp",
         "What is taken over: connections, or the datagrams of UDP, which are passed on as they are. With `udp` goes "
         "`mode: tproxy` only.",
         [](Draft& d, const Node& n) {
             d.intercept().transport = n.text == "udp" ? netfilter::Transport::udp : netfilter::Transport::tcp;
         }},
        {"except", except(), {}, "What is left alone all the same."},
        {"when_down", word({{"pass"}, {"reject"}, {"drop"}}), "pass",
         "What becomes of connections while the gateway is not running, or hangs: `pass` lets new ones go their way "
         "untouched; `reject` refuses all, with a reset; `drop` lets no packet through. See failure.md.",
         apply_when_down},
    });
    type.begin = [](Draft& d, const Node& n) {
        d.listener().intercept.emplace();
        d.intercept().where = d.position(n.place);
    };
    return type;
}

void apply_protocol(Draft& d, const Node& n)
{
    using intake::Protocol;
    d.listener().protocol = n.text == "http"  ? Protocol::http
                            : n.text == "tls" ? Protocol::tls
                            : n.text == "tcp" ? Protocol::tcp
                            : n.text == "udp" ? Protocol::udp
                                              : Protocol::automatic;
    d.listeners.back().protocol = &n;
}

void apply_client_address(Draft& d, const Node& n)
{
    d.listener().client_address = n.text == "keep"      ? intake::ClientAddress::keep
                                  : n.text == "gateway" ? intake::ClientAddress::gateway
                                                        : intake::ClientAddress::keep_with_port;
    d.listeners.back().client_address = &n;
}

void apply_default(Draft& d, const Node& n)
{
    using intake::Otherwise;
    const bool pool = n.text.starts_with("pool:");
    d.listener().otherwise = n.text == "deny" ? Otherwise::deny : pool ? Otherwise::pool : Otherwise::original;
    if (pool) d.listener().pool_name = n.text.substr(5);
    d.listeners.back().otherwise = &n;
}

void apply_bind(Draft& d, const Node& n)
{
    d.listener().bind = endpoints_in(n);
    d.listeners.back().bind = &n;
}

Type default_type()
{
    auto type = text("`original`, `deny` or `pool:NAME`", judge_default,
                     "^(original|deny|pool:[A-Za-z0-9][A-Za-z0-9_.-]{0,63})$");
    type.words = {{"tunnel:", false, true}};
    return type;
}

Type proxy_protocol()
{
    auto type = mapping({
        {"required", free_text("`true`", judge_true, "^true$"), "true",
         "A header must come, from every sender; without one the connection is closed. There is no guessing, so there "
         "is "
         "nothing but `true`."},
        {"trusted",
         networks(judge_network, 0),
         {},
         "Who may send a header: addresses and networks of the load balancers. Everyone else is refused; with an empty "
         "list, that is everyone.",
         [](Draft& d, const Node& n) { d.listener().proxy_protocol->trusted = networks_in(n); },
         true},
    });
    type.begin = [](Draft& d, const Node& n) {
        d.listener().proxy_protocol.emplace();
        d.listeners.back().proxy_protocol = &n;
    };
    return type;
}

Type limits()
{
    return mapping({
        {"connections", integer(0, 10'000'000), "0",
         "How many connections at once come in here; one more is reset at once. Of UDP: how many flows; datagrams of "
         "one "
         "more are dropped. 0: only what holds for all listeners.",
         [](Draft& d, const Node& n) { d.listener().max_connections = integer_in(n); }},
        {"per_client", integer(0, 10'000'000), "0",
         "The same, of one client: an IPv4 address, or the /64 of an IPv6 address. Behind a load balancer, of whom its "
         "PROXY headers name.",
         [](Draft& d, const Node& n) { d.listener().max_per_client = integer_in(n); }},
    });
}

Type listener()
{
    auto type = mapping({
        {"name",
         free_text("a name", judge_name, "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"),
         {},
         "How logs, routes and `gatewayctl` call it; no two are the same. Default: `listener-1` for the first entry, "
         "and so on.",
         [](Draft& d, const Node& n) {
             d.listener().name = n.text;
             d.listeners.back().name = &n;
         }},
        {"intercept",
         intercept(),
         {},
         "Takes over connections that pass through this host. A listener has this or `bind`; with `mode: external`, "
         "both."},
        {"bind",
         list(text("an address and port", judge_endpoint, endpoint_pattern), 1, 256),
         {},
         "Addresses of this host where clients connect to the gateway itself, or where the rules of `mode: external` "
         "lead. Port 0: one the kernel chooses. With `mode: external`, `[::]` alone serves IPv4 as well. Where "
         "another program listens already, also another gateway, a start waits two seconds for it to end and then "
         "fails, and a change fails at once.",
         apply_bind},
        {"protocol", word({{"auto"}, {"http"}, {"tls"}, {"tcp"}, {"udp"}}), "auto",
         "What clients speak. `auto` looks at the first bytes; `tcp` passes everything on unseen. With `intercept: "
         "{transport: udp}` it is `udp`, which need not be written.",
         apply_protocol},
        {"client_address",
         word({{"keep"}, {"gateway"}, {"keep_with_port"}}),
         {},
         "Whose address the upstream sees: the client's (`keep`), which needs its answers to come back through this "
         "host, the client's with its port (`keep_with_port`), or the `gateway`'s. The port can be kept once at a "
         "time: "
         "of the connections that one HTTP client needs to the upstreams, the first gets it. Where an address or a "
         "port "
         "cannot be kept, the next best is used, and the log says so: `source` and `source_fallback` of a record. "
         "Default: `keep` with `intercept`; with `bind` alone it is `gateway`, and nothing else.",
         apply_client_address},
        {"default",
         default_type(),
         {},
         "What becomes of connections that no route takes: on to where they were going (`original`), to a server of a "
         "pool (`pool:NAME`), or refused (`deny`). Default: `original` with `intercept`; with `bind`, `deny`, and "
         "`original` only where a PROXY header says where they were going.",
         apply_default},
        {"proxy_protocol",
         proxy_protocol(),
         {},
         "Connections come from load balancers that say in a PROXY header, version 1 or 2, who the client is and where "
         "it was going. Needs `bind`."},
        {"limits", limits(), {}, "How much is taken at this listener."},
        later("certificates", "opening TLS with certificates of one's own"),
    });
    type.any_of = {"intercept", "bind"};
    type.begin = [](Draft& d, const Node& n) {
        d.settings.listeners.emplace_back().where = d.position(n.place);
        d.listeners.emplace_back().entry = &n;
    };
    return type;
}

} // namespace

Type listeners_type()
{
    auto type = list(listener(), 0, 1'000);
    type.appends = true;
    return type;
}

} // namespace gw::config
