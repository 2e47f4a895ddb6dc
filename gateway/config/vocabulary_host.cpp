#include "gateway/config/apply.h"
#include "gateway/config/judge.h"
#include "gateway/config/vocabulary.h"

namespace gw::config {

namespace {

constexpr std::uint64_t largest_mark = 0xffffffff;

void apply_format(Draft& d, const Node& n)
{
    using Format = session::AccessLog::Format;
    d.settings.session.access.format = n.text == "off" ? Format::off : n.text == "human" ? Format::human : Format::json;
}

void apply_level(Draft& d, const Node& n)
{
    using log::Level;
    d.settings.control.level = n.text == "debug"     ? Level::debug
                               : n.text == "warning" ? Level::warning
                               : n.text == "error"   ? Level::error
                                                     : Level::info;
}

Type access()
{
    auto type = mapping({
        {"format", word({{"json"}, {"human"}, {"off"}}), "json",
         "One line for each connection and request: for programs, for people, or none.", apply_format},
        {"to", text("stdout, journal or a file name", judge_log_target, "^(stdout$|journal$|/)"), "stdout",
         "`stdout` or `journal` (which are the same when systemd runs the gateway), or an absolute file name.",
         [](Draft& d, const Node& n) { d.settings.session.access.to = n.text == "journal" ? "stdout" : n.text; }},
        {"query", word({{"names"}, {"full"}}), "names",
         "What is told of a target's query, the part after `?`: the names in it (`/login?user=***`), or all of it. "
         "Passwords and tokens travel there; with `full` they are in the log.",
         [](Draft& d, const Node& n) { d.settings.session.access.whole_query = n.text == "full"; }},
    });
    type.short_for = "format";
    return type;
}

/// A row that is one duration.
Key limit(std::string_view name, std::string_view standard, std::string_view doc, Apply apply)
{
    return {name, duration(), standard, doc, apply};
}

Key mark(std::string_view name, std::string_view standard, std::string_view doc, Apply apply)
{
    return {name, integer(1, largest_mark), standard, doc, apply};
}

} // namespace

Type admin_type()
{
    return mapping({
        {"socket", text("a file name", judge_socket, "^/"), "/run/gateway/control.sock",
         "Where `gatewayctl` reaches the daemon.", [](Draft& d, const Node& n) { d.settings.control.socket = n.text; }},
        {"group", free_text("the name of a group", judge_group, "^[A-Za-z0-9_.][A-Za-z0-9_.-]{0,31}$"), "gateway",
         "Who may use that socket beside root. A group that the host does not have: nobody.",
         [](Draft& d, const Node& n) { d.settings.control.group = n.text; }},
        {"metrics",
         text("an address and port", judge_endpoint, "^.+:[0-9]{1,5}$"),
         {},
         "Prometheus metrics over HTTP at this address, to anyone who reaches it. Default: only over the socket.",
         [](Draft& d, const Node& n) {
             d.settings.control.metrics = *Endpoint::parse(n.text);
             d.metrics = &n;
         }},
    });
}

Type logs_type()
{
    return mapping({
        {"access", access(), {}, "The log of connections and requests."},
        {"level", word({{"debug"}, {"info"}, {"warning"}, {"error"}}), "info", "How much the daemon says of itself.",
         apply_level},
    });
}

Type limits_type()
{
    return mapping({
        {"connections", integer(1, 10'000'000), "100000",
         "How many at once; one more is reset at once. Less where the limit of open files allows less: the daemon says "
         "so "
         "when it starts.",
         [](Draft& d, const Node& n) { d.settings.session.connections = integer_in(n); }},
        {"udp_flows", integer(1, 1'000'000), "20000",
         "How many flows of UDP at once, for each worker; one more ends the quietest, one without any answer first.",
         [](Draft& d, const Node& n) { d.settings.datagram.flows = integer_in(n); }},
        {"per_client", integer(0, 10'000'000), "20000",
         "How many connections of one client at once, and as many flows of UDP beside them; one more is reset, or its "
         "datagrams are dropped. A client is an IPv4 address, or the /64 of an IPv6 address. 0: no limit. It also "
         "bounds "
         "what a loop of plain TCP can take.",
         [](Draft& d, const Node& n) { d.settings.session.per_client = integer_in(n); }},
        {"memory",
         size(16 * 1024 * 1024, 1ULL << 46),
         {},
         "Of the process that carries the traffic. From 92 % on, nothing new is begun: connections are reset, requests "
         "answered 503, idle connections closed; from 95 % on, those that hold most are reset. Default: three quarters "
         "of the memory limit of the control group it runs in; none without one.",
         [](Draft& d, const Node& n) { d.settings.session.memory_bytes = size_in(n); }},
        {"min_body_rate", integer(0, 1'000'000'000), "100",
         "Bytes a second that a request's body must bring, averaged over the time the gateway waits for it, after "
         "`timeouts.body_grace`; then 408. 0: however slow.",
         [](Draft& d, const Node& n) { d.settings.proxy.least_body_bytes_per_second = integer_in(n); }},
        {"hops", integer(1, 100), "4",
         "How often one request may pass this very gateway, as the CDN-Loop field tells; then 508.",
         [](Draft& d, const Node& n) { d.settings.proxy.own_hops = integer_in(n); }},
        {"header_bytes", size(1'024, 1024 * 1024), "32KiB", "The largest header of a message; above it 431.",
         [](Draft& d, const Node& n) { d.settings.proxy.limits.head_bytes = size_in(n); }},
        {"headers", integer(1, 10'000), "100", "The most header fields of a message; above it 431.",
         [](Draft& d, const Node& n) { d.settings.proxy.limits.fields = integer_in(n); }},
    });
}

Type timeouts_type()
{
    return mapping({
        limit("client_hello", "10s", "From a client's first byte until it is known what it speaks.",
              [](Draft& d, const Node& n) { d.settings.intake.hello_limit = duration_in(n); }),
        limit("proxy_header", "5s", "From accepting a connection to the end of the PROXY header that must come first.",
              [](Draft& d, const Node& n) { d.settings.intake.proxy_header_limit = duration_in(n); }),
        limit("request_head", "10s", "From the first byte of a request to the end of its header; then 408.",
              [](Draft& d, const Node& n) { d.settings.proxy.head_limit = duration_in(n); }),
        limit("keep_alive", "60s", "How long a client's connection is kept between two requests.",
              [](Draft& d, const Node& n) { d.settings.proxy.keep_alive_limit = duration_in(n); }),
        limit("body_idle", "30s", "How long no byte of a body may move.",
              [](Draft& d, const Node& n) { d.settings.proxy.body_idle_limit = duration_in(n); }),
        {"body_grace", duration(), "20s",
         "How long a request's body may come as slowly as it likes; see "
         "`limits.min_body_rate`.",
         [](Draft& d, const Node& n) { d.settings.proxy.body_grace = duration_in(n); }},
        limit("upgraded_idle", "10m", "How long no byte may move on a WebSocket and the like.",
              [](Draft& d, const Node& n) { d.settings.proxy.upgraded_idle_limit = duration_in(n); }),
        limit("connect", "5s", "How long it may take to reach an upstream: name, TCP and TLS together; then 504.",
              [](Draft& d, const Node& n) { d.settings.upstream.connect_limit = duration_in(n); }),
        limit("upstream_idle", "60s",
              "How long a connection to an upstream is kept for the next request, whichever worker has it.",
              [](Draft& d, const Node& n) { d.settings.upstream.idle_limit = duration_in(n); }),
        limit("relay_idle", "5m", "How long no byte may move on a connection that is passed on as it is.",
              [](Draft& d, const Node& n) { d.settings.relay.idle_limit = duration_in(n); }),
        limit("relay_half_closed", "60s", "The same, after one side has ended.",
              [](Draft& d, const Node& n) { d.settings.relay.half_closed_limit = duration_in(n); }),
        limit("udp_unanswered", "30s", "How long a flow of UDP is kept after a client's datagram that nothing answers.",
              [](Draft& d, const Node& n) { d.settings.datagram.unanswered_limit = duration_in(n); }),
        limit("udp_idle", "120s", "How long it is kept after the last datagram, once it was answered.",
              [](Draft& d, const Node& n) { d.settings.datagram.idle_limit = duration_in(n); }),
        limit("udp_dns_idle", "5s", "The same towards port 53, where a question is answered once.",
              [](Draft& d, const Node& n) { d.settings.datagram.dns_idle_limit = duration_in(n); }),
        {"drain", duration(0), "30s", "How long connections under way may go on when the daemon stops.",
         [](Draft& d, const Node& n) { d.settings.control.drain_limit = duration_in(n); }},
    });
}

Type kernel_type()
{
    auto type = mapping({
        {"backend", word({{"auto"}, {"nft"}, {"iptables"}}), "auto",
         "What holds the rules: nftables, or iptables (ip6tables for IPv6) where a kernel or host has no nftables that "
         "can do it. `auto` asks the kernel.",
         [](Draft& d, const Node& n) {
             d.settings.netfilter.backend = n.text == "nft"        ? netfilter::Backend::nft
                                            : n.text == "iptables" ? netfilter::Backend::iptables
                                                                   : netfilter::Backend::automatic;
         }},
        {"table", free_text("a name", judge_table, "^[A-Za-z][A-Za-z0-9_]{0,63}$"), "gateway",
         "The name of the nftables table; with iptables, what the names of chains begin with: at most 14 letters then.",
         [](Draft& d, const Node& n) { d.settings.netfilter.table = n.text; }},
        mark("mark_mask", "0x03000000", "The only bits of a packet's mark that are read or written.",
             [](Draft& d, const Node& n) {
                 d.settings.netfilter.mark_mask = static_cast<std::uint32_t>(integer_in(n));
             }),
        mark("captured_mark", "0x01000000", "The mark of packets that were taken over.",
             [](Draft& d, const Node& n) {
                 d.settings.netfilter.captured_mark = static_cast<std::uint32_t>(integer_in(n));
             }),
        mark(
            "own_mark", "0x02000000", "The mark of what the gateway itself sends.",
            [](Draft& d, const Node& n) { d.settings.netfilter.own_mark = static_cast<std::uint32_t>(integer_in(n)); }),
        mark("route_table", "7373", "The policy routing table.",
             [](Draft& d, const Node& n) {
                 d.settings.netfilter.route_table = static_cast<std::uint32_t>(integer_in(n));
             }),
        {"zone", integer(1, 65'535), "7373",
         "The conntrack zone of connections to upstreams that could be taken for the client's own.",
         [](Draft& d, const Node& n) { d.settings.netfilter.zone = static_cast<std::uint16_t>(integer_in(n)); }},
        {"rule_priority", integer(1, 32'765), "773", "The priority of the policy rules; the main table's is 32766.",
         [](Draft& d, const Node& n) {
             d.settings.netfilter.rule_priority = static_cast<std::uint32_t>(integer_in(n));
         }},
    });
    type.begin = [](Draft& d, const Node& n) { d.kernel = &n; };
    return type;
}

} // namespace gw::config
