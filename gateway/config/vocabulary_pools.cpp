#include "gateway/config/apply.h"
#include "gateway/config/judge.h"
#include "gateway/config/vocabulary.h"

namespace gw::config {

namespace {

constexpr std::uint64_t largest_weight = 1'000;

Type server()
{
    auto type = mapping({
        {"address",
         text("an address and port", judge_server, "^.+:[0-9]{1,5}$"),
         {},
         "Where it listens: an IPv4 or IPv6 address and a port.",
         [](Draft& d, const Node& n) { d.pool().servers.back().address = *Endpoint::parse(n.text); },
         true},
        {"weight", integer(1, largest_weight), "1", "How many connections it gets in a round, beside the others'.",
         [](Draft& d, const Node& n) { d.pool().servers.back().weight = static_cast<std::uint32_t>(integer_in(n)); }},
        later("backup", "servers that wait for the others to fail"),
    });
    type.short_for = "address";
    type.begin = [](Draft& d, const Node&) { d.pool().servers.emplace_back(); };
    return type;
}

void apply_send_proxy(Draft& d, const Node& n)
{
    using upstream::SendProxy;
    d.pool().send_proxy = n.text == "v1" ? SendProxy::v1 : n.text == "v2" ? SendProxy::v2 : SendProxy::none;
}

Type pool()
{
    auto type = mapping({
        {"servers",
         list(server(), 1, 1'000),
         {},
         "Its servers: `address:port`, or a mapping. One that cannot be reached is left out for that one connection, "
         "and "
         "the next is tried.",
         nullptr,
         true},
        {"balance", word({{"round_robin"}, {"least_requests", false}, {"random_two", false}, {"hash:", false, true}}),
         "round_robin",
         "Who gets the next connection: `round_robin`, everyone in turn, by weight; each worker counts for itself."},
        {"send_proxy", word({{"none"}, {"v1"}, {"v2"}}), "none",
         "A PROXY header in front of each connection to a server, with the client's address and where it was going. "
         "`v2` "
         "passes on what a received header said beside that. The server must expect it.",
         apply_send_proxy},
        later("tls", "TLS to the servers of a pool"),
        later("http", "a choice of HTTP's version"),
        later("health", "health checks"),
        later("retries", "further attempts for requests that failed"),
    });
    type.begin = [](Draft& d, const Node& n) { d.settings.pools.emplace_back().where = d.position(n.place); };
    return type;
}

} // namespace

Type pools_type()
{
    return dictionary(free_text("the name of a pool", judge_name, "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"), pool());
}

/// A pool stands behind its name, so it has none while it is read.
void name_pools(Draft& draft, const Node& node)
{
    for (std::size_t at = 0; at < draft.settings.pools.size(); ++at)
        draft.settings.pools[at].name = node.items[2 * at].text;
    draft.pools_named = true;
}

} // namespace gw::config
