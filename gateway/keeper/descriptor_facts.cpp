#include "gateway/keeper/descriptor_facts.h"

#include "gateway/base/descriptor.h"
#include "gateway/intake/socket_name.h"
#include "netfilter/reply_socket.h"

#include <cerrno>
#include <netinet/in.h>
#include <sys/socket.h>

#ifndef IPV6_TRANSPARENT
#define IPV6_TRANSPARENT 75
#endif
#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

namespace gw::keeper {

namespace {

template <class Value> Value option_of(int descriptor, int level, int option)
{
    Value value{};
    socklen_t size = sizeof value;
    return ::getsockopt(descriptor, level, option, &value, &size) == 0 ? value : Value{};
}

bool is_on(int descriptor, int level, int option) { return option_of<int>(descriptor, level, option) != 0; }

/// A number for each network namespace; 0: this kernel does not tell.
std::uint64_t network_of(int descriptor) { return option_of<std::uint64_t>(descriptor, SOL_SOCKET, SO_NETNS_COOKIE); }

std::uint64_t our_network()
{
    const Descriptor socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    return network_of(socket.number());
}

/// Sends in the name of others, and receives nothing.
bool only_answers(const DescriptorName& name)
{
    return name.datagrams && name.bound.address == netfilter::reply_address(name.bound.address.is_v6());
}

} // namespace

Result<DescriptorFacts> facts_of(int descriptor)
{
    int family = 0;
    socklen_t size = sizeof family;
    if (::getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &family, &size) != 0)
        return Error{Fault::malformed, Side::gateway, "is no socket", {}};
    if (family != AF_INET && family != AF_INET6)
        return Error{Fault::malformed, Side::gateway, "is no socket of IPv4 or IPv6", {}};
    const auto bound = intake::name_of_socket(descriptor);
    if (!bound) return system_error("name of a socket");
    const bool v6 = family == AF_INET6;
    const int protocol = option_of<int>(descriptor, SOL_SOCKET, SO_PROTOCOL);
    DescriptorFacts facts;
    facts.bound = *bound;
    facts.is_tcp = protocol == IPPROTO_TCP;
    facts.is_udp = protocol == IPPROTO_UDP;
    facts.listening = is_on(descriptor, SOL_SOCKET, SO_ACCEPTCONN);
    facts.shares_port = is_on(descriptor, SOL_SOCKET, SO_REUSEPORT);
    facts.transparent =
        v6 ? is_on(descriptor, IPPROTO_IPV6, IPV6_TRANSPARENT) : is_on(descriptor, IPPROTO_IP, IP_TRANSPARENT);
    facts.only_v6 = v6 && is_on(descriptor, IPPROTO_IPV6, IPV6_V6ONLY);
    facts.in_our_network = network_of(descriptor) == our_network();
    facts.mark = option_of<std::uint32_t>(descriptor, SOL_SOCKET, SO_MARK);
    return facts;
}

std::string difference(const DescriptorName& name, const DescriptorFacts& facts)
{
    if (name.datagrams ? !facts.is_udp : !facts.is_tcp) return name.datagrams ? "is not UDP" : "is not TCP";
    if (facts.bound != name.bound) return "is bound to " + facts.bound.text() + ", not " + name.bound.text();
    if (!facts.in_our_network) return "is of another network namespace";
    if (!name.datagrams && !facts.listening) return "does not listen";
    if (!only_answers(name) && !facts.shares_port) return "does not share its port with other workers";
    const bool transparent = name.intercepting && name.mode != netfilter::Mode::redirect;
    if (facts.transparent != transparent) return transparent ? "is not transparent" : "is transparent";
    return {};
}

} // namespace gw::keeper
