#include "gateway/intake/listener.h"

#include "gateway/intake/learn_flow.h"
#include "tests/support/child.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <map>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

namespace gw::intake {
namespace {

using ::testing::Test;

constexpr std::uint32_t own_mark = 0x02000000;

ListenerSettings bound_to(std::vector<std::string_view> addresses)
{
    ListenerSettings listener;
    listener.name = "public";
    for (const auto text : addresses) listener.bind.push_back(*Endpoint::parse(text));
    return listener;
}

ListenerSettings intercepting(std::vector<std::string_view> networks)
{
    ListenerSettings listener;
    listener.name = "web";
    listener.intercept.emplace();
    listener.intercept->ports = {{80, 80}};
    std::vector<Network> to;
    for (const auto text : networks) to.push_back(*Network::parse(text));
    listener.intercept->to = std::move(to);
    return listener;
}

int option_of(const Descriptor& socket, int level, int option)
{
    int value = -1;
    socklen_t size = sizeof value;
    ::getsockopt(socket.number(), level, option, &value, &size);
    return value;
}

bool has_privilege()
{
    const Descriptor socket{::socket(AF_INET, SOCK_STREAM, 0)};
    const int on = 1;
    return ::setsockopt(socket.number(), IPPROTO_IP, IP_TRANSPARENT, &on, sizeof on) == 0;
}

bool has_ipv6() { return open_listener(bound_to({"[::1]:0"}), 1, {}, 0).has_value(); }

Descriptor dial(const Endpoint& to)
{
    sockaddr_storage name{};
    const auto size = to_sockaddr(to, name);
    Descriptor socket{::socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (::connect(socket.number(), reinterpret_cast<sockaddr*>(&name), size) != 0) socket.reset();
    return socket;
}

Descriptor accept_on(const Descriptor& listener)
{
    pollfd wait{listener.number(), POLLIN, 0};
    if (::poll(&wait, 1, 10'000) != 1) return {};
    return Descriptor{::accept4(listener.number(), nullptr, nullptr, SOCK_CLOEXEC)};
}

Endpoint name_of_client(const Descriptor& accepted)
{
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    ::getpeername(accepted.number(), reinterpret_cast<sockaddr*>(&name), &size);
    return from_sockaddr(name);
}

TEST(Listener, OpensOneSocketPerWorkerAtOnePort)
{
    const auto opened = open_listener(bound_to({"127.0.0.1:0"}), 3, {}, own_mark);

    ASSERT_TRUE(opened) << describe(opened.error());
    ASSERT_EQ(opened->size(), 3u);
    for (std::size_t worker = 0; worker < 3; ++worker) {
        const auto& one = (*opened)[worker];
        EXPECT_EQ(one.worker, worker);
        EXPECT_EQ(one.listener, "public");
        EXPECT_NE(one.bound.port, 0);
        EXPECT_EQ(one.bound, opened->front().bound);
        EXPECT_EQ(option_of(one.socket, SOL_SOCKET, SO_REUSEPORT), 1);
        EXPECT_EQ(option_of(one.socket, SOL_SOCKET, SO_ACCEPTCONN), 1);
        EXPECT_EQ(option_of(one.socket, IPPROTO_IP, IP_TRANSPARENT), 0);
        EXPECT_TRUE(::fcntl(one.socket.number(), F_GETFL) & O_NONBLOCK);
        EXPECT_TRUE(::fcntl(one.socket.number(), F_GETFD) & FD_CLOEXEC);
    }
}

TEST(Listener, LetsNobodyBeginWhileItIsToldSoAndKeepsWhoHasBegun)
{
    for (const auto* address : {"127.0.0.1:0", "[::1]:0"}) {
        if (address[0] == '[' && !has_ipv6()) continue;
        const auto opened = open_listener(bound_to({address}), 1, {}, 0);
        ASSERT_TRUE(opened);
        const auto& listening = opened->front();
        const auto begun = dial(listening.bound);
        ASSERT_TRUE(begun.is_open());

        ASSERT_TRUE(let_begin(listening.socket.number(), false));
        sockaddr_storage name{};
        const auto size = to_sockaddr(listening.bound, name);
        const Descriptor late{::socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
        EXPECT_NE(::connect(late.number(), reinterpret_cast<sockaddr*>(&name), size), 0);
        pollfd wait{late.number(), POLLOUT, 0};
        EXPECT_EQ(::poll(&wait, 1, 100), 0) << "neither let in nor refused";
        const auto accepted = accept_on(listening.socket);
        EXPECT_EQ(::send(begun.number(), "hello", 5, 0), 5);
        char said[8]{};
        EXPECT_EQ(::recv(accepted.number(), said, sizeof said, 0), 5);

        ASSERT_TRUE(let_begin(listening.socket.number(), true));
        EXPECT_EQ(::poll(&wait, 1, 10'000), 1) << "it has not come back";
        EXPECT_TRUE(accept_on(listening.socket).is_open());
    }
}

TEST(Listener, CannotKeepAnybodyFromWhatIsNoSocket) { EXPECT_FALSE(let_begin(-1, false)); }

TEST(Listener, SpreadsConnectionsOverTheWorkers)
{
    const auto opened = open_listener(bound_to({"127.0.0.1:0"}), 2, {}, 0);
    ASSERT_TRUE(opened);
    std::vector<Descriptor> clients;
    for (int i = 0; i < 64; ++i) clients.push_back(dial(opened->front().bound));

    for (const auto& one : *opened) {
        pollfd wait{one.socket.number(), POLLIN, 0};
        EXPECT_EQ(::poll(&wait, 1, 10'000), 1) << "worker " << one.worker << " got none of 64";
    }
}

TEST(Listener, HandsItsOptionsToAcceptedSockets)
{
    const auto opened = open_listener(bound_to({"127.0.0.1:0"}), 1, {}, own_mark);
    ASSERT_TRUE(opened);
    const auto client = dial(opened->front().bound);
    const auto accepted = accept_on(opened->front().socket);

    EXPECT_EQ(option_of(accepted, IPPROTO_TCP, TCP_NODELAY), 1);
    EXPECT_EQ(option_of(accepted, SOL_SOCKET, SO_MARK), has_privilege() ? static_cast<int>(own_mark) : 0);
}

TEST(Listener, ListensOnSeveralAddressesAndKeepsTheFamiliesApart)
{
    if (!has_ipv6()) GTEST_SKIP() << "this host has no IPv6 loopback address";
    const auto opened = open_listener(bound_to({"127.0.0.1:0", "[::]:0"}), 2, {}, 0);

    ASSERT_TRUE(opened);
    ASSERT_EQ(opened->size(), 4u);
    EXPECT_EQ(option_of((*opened)[2].socket, IPPROTO_IPV6, IPV6_V6ONLY), 1);
    const Endpoint same_port_v4{Address{}, (*opened)[2].bound.port};
    auto v4 = bound_to({});
    v4.bind.push_back(same_port_v4);
    EXPECT_TRUE(open_listener(v4, 1, {}, 0));
}

TEST(Listener, OpensTheRestOfWhatIsOpenInPartAsAllOfItSays)
{
    if (!has_privilege()) GTEST_SKIP() << "needs CAP_NET_ADMIN or CAP_NET_RAW";
    if (!has_ipv6()) GTEST_SKIP() << "this host has no IPv6 loopback address";
    auto listener = intercepting({"192.0.2.0/24"});
    listener.intercept->mode = netfilter::Mode::external;
    listener.bind = {*Endpoint::parse("0.0.0.0:0"), *Endpoint::parse("[::]:0")};
    const std::vector<Endpoint> only{listener.bind.back()};
    const auto opened = open_listener(listener, 1, {}, 0, &only);
    ASSERT_TRUE(opened);
    ASSERT_EQ(opened->size(), 1U);
    EXPECT_EQ(option_of(opened->front().socket, IPPROTO_IPV6, IPV6_V6ONLY), 1) << "the other one serves IPv4";
}

TEST(Listener, SaysWhoHasTheAddress)
{
    const Descriptor other{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_storage name{};
    auto size = to_sockaddr(*Endpoint::parse("127.0.0.1:0"), name);
    ASSERT_EQ(::bind(other.number(), reinterpret_cast<sockaddr*>(&name), size), 0);
    ASSERT_EQ(::listen(other.number(), 1), 0);
    ::getsockname(other.number(), reinterpret_cast<sockaddr*>(&name), &size);
    auto taken = bound_to({"127.0.0.1:0"});
    taken.bind.push_back(from_sockaddr(name));

    const auto opened = open_listener(taken, 1, {}, 0);

    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().fault, Fault::refused);
    EXPECT_EQ(opened.error().what, taken.bind.back().text() + " is in use by another program; see `ss -ltnp`");
}

TEST(Listener, SaysThatAnAddressIsNotOfThisHost)
{
    const auto opened = open_listener(bound_to({"192.0.2.1:0"}), 1, {}, 0);

    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().what.find("no such address on this host"), std::string::npos);
}

TEST(Listener, SaysWhichPrivilegeItLacks)
{
    const auto said = lab::said_by_an_ordinary_user([]() -> std::string {
        const auto opened = open_listener(intercepting({"192.0.2.0/24"}), 1, {}, own_mark);
        if (opened) return "it was opened";
        return opened.error().fault == Fault::denied ? opened.error().what : "another fault";
    });
    EXPECT_NE(said.find("needs CAP_NET_ADMIN or CAP_NET_RAW; start gatewayd as root"), std::string::npos) << said;
}

TEST(Listener, InterceptsOnLoopbackOnlyAndTransparently)
{
    if (!has_privilege()) GTEST_SKIP() << "needs CAP_NET_ADMIN or CAP_NET_RAW";
    if (!has_ipv6()) GTEST_SKIP() << "this host has no IPv6 loopback address";
    const auto opened = open_listener(intercepting({"192.0.2.0/24", "2001:db8::/32"}), 2, {}, own_mark);

    ASSERT_TRUE(opened) << describe(opened.error());
    ASSERT_EQ(opened->size(), 4u);
    EXPECT_EQ((*opened)[0].bound.address.text(), "127.0.0.1");
    EXPECT_EQ((*opened)[1].bound, (*opened)[0].bound);
    EXPECT_EQ((*opened)[2].bound.address.text(), "::1");
    EXPECT_EQ((*opened)[3].bound, (*opened)[2].bound);
    EXPECT_EQ(option_of((*opened)[1].socket, IPPROTO_IP, IP_TRANSPARENT), 1);
    EXPECT_EQ(option_of((*opened)[3].socket, IPPROTO_IPV6, IPV6_TRANSPARENT), 1);
    EXPECT_EQ(option_of((*opened)[0].socket, SOL_SOCKET, SO_MARK), static_cast<int>(own_mark));
}

TEST(Listener, OpensOnlyTheFamiliesItIntercepts)
{
    if (!has_privilege()) GTEST_SKIP() << "needs CAP_NET_ADMIN or CAP_NET_RAW";
    const auto v4 = open_listener(intercepting({"192.0.2.0/24"}), 1, {}, own_mark);
    ASSERT_TRUE(v4) << describe(v4.error());
    ASSERT_EQ(v4->size(), 1u);
    EXPECT_TRUE(v4->front().bound.address.is_v4());
    if (!has_ipv6()) GTEST_SKIP() << "this host has no IPv6 loopback address";
    const auto v6 = open_listener(intercepting({"2001:db8::/32"}), 1, {}, own_mark);
    ASSERT_TRUE(v6);
    ASSERT_EQ(v6->size(), 1u);
    EXPECT_TRUE(v6->front().bound.address.is_v6());
}

TEST(LearnFlow, NamesTheListenerAndBothEndsOfABoundOne)
{
    const auto listener = bound_to({"127.0.0.1:0"});
    const auto opened = open_listener(listener, 1, {}, 0);
    ASSERT_TRUE(opened);
    const auto client = dial(opened->front().bound);
    const auto accepted = accept_on(opened->front().socket);

    const auto flow = learn_flow(accepted.number(), name_of_client(accepted), listener);

    ASSERT_TRUE(flow);
    EXPECT_EQ(flow->client, name_of_client(accepted));
    EXPECT_EQ(flow->destination, opened->front().bound);
    EXPECT_EQ(flow->recovered, Recovered::bound);
    EXPECT_EQ(flow->listener, "public");
}

TEST(LearnFlow, RefusesAClientThatDialsAnInterceptingListenerItself)
{
    if (!has_privilege()) GTEST_SKIP() << "needs CAP_NET_ADMIN or CAP_NET_RAW";
    std::vector<std::string_view> networks{"192.0.2.0/24"};
    if (has_ipv6()) networks.push_back("2001:db8::/32");
    const auto listener = intercepting(networks);
    const auto opened = open_listener(listener, 1, {}, own_mark);
    ASSERT_TRUE(opened);
    for (const auto& one : *opened) {
        const auto client = dial(one.bound);
        const auto accepted = accept_on(one.socket);

        const auto flow = learn_flow(accepted.number(), name_of_client(accepted), listener);

        ASSERT_FALSE(flow);
        EXPECT_EQ(flow.error().fault, Fault::denied);
        EXPECT_EQ(flow.error().side, Side::client);
    }
}

TEST(LearnFlow, SaysSystemForWhatIsNoSocket)
{
    const auto flow = learn_flow(-1, {}, bound_to({}));
    ASSERT_FALSE(flow);
    EXPECT_EQ(flow.error().fault, Fault::system);
}

} // namespace
} // namespace gw::intake
