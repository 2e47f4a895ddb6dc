#include "netfilter/original_destination.h"

#include "gateway/base/descriptor.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

using namespace gw;
using namespace gw::netfilter;

namespace {

struct Pair {
    Descriptor client;
    Descriptor accepted;
    Endpoint client_name;
    Endpoint gateway_name;
};

Endpoint name_of(int socket)
{
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    ::getsockname(socket, reinterpret_cast<sockaddr*>(&name), &size);
    return from_sockaddr(name);
}

/// `listen_at` may be of both families (::) and is dialled at `dial_at`.
Pair connect_pair(const char* listen_at, const char* dial_at)
{
    Pair pair;
    sockaddr_storage name{};
    auto size = to_sockaddr({Address::parse(listen_at).value(), 0}, name);
    const Descriptor listener(::socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::bind(listener.number(), reinterpret_cast<sockaddr*>(&name), size) != 0 || ::listen(listener.number(), 1) != 0)
        return pair;
    pair.gateway_name = {Address::parse(dial_at).value(), name_of(listener.number()).port};
    size = to_sockaddr(pair.gateway_name, name);
    pair.client = Descriptor(::socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(pair.client.number(), reinterpret_cast<sockaddr*>(&name), size) != 0) return pair;
    pair.accepted = Descriptor(::accept4(listener.number(), nullptr, nullptr, SOCK_CLOEXEC));
    pair.client_name = name_of(pair.client.number());
    return pair;
}

} // namespace

TEST(OriginalDestination, OfATransparentSocketIsItsOwnName)
{
    for (const auto& [listen_at, dial_at] :
         {std::pair{"127.0.0.1", "127.0.0.1"}, {"::1", "::1"}, {"::", "127.0.0.1"}}) {
        const auto pair = connect_pair(listen_at, dial_at);
        if (!pair.accepted.is_open()) GTEST_SKIP() << "cannot connect over loopback to " << dial_at;
        const auto found = original_destination(pair.accepted.number(), Mode::tproxy, pair.client_name);
        ASSERT_TRUE(found) << describe(found.error());
        EXPECT_EQ(found->endpoint, pair.gateway_name) << listen_at;
        EXPECT_EQ(found->recovered, Recovered::socket_name);
    }
}

TEST(OriginalDestination, IsNeverGuessedWhenConntrackKnowsNone)
{
    for (const auto* address : {"127.0.0.1", "::1"}) {
        const auto pair = connect_pair(address, address);
        if (!pair.accepted.is_open()) GTEST_SKIP() << "cannot connect over loopback to " << address;
        for (const auto mode : {Mode::redirect, Mode::external}) {
            const auto found = original_destination(pair.accepted.number(), mode, pair.client_name);
            ASSERT_FALSE(found) << address;
            EXPECT_EQ(found.error().fault, Fault::system);
        }
    }
}

TEST(OriginalDestination, OfAClosedSocketIsAnError)
{
    EXPECT_FALSE(original_destination(-1, Mode::tproxy, Endpoint{}));
}
