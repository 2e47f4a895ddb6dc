// Without rules: what a listener makes of a connection that nothing was changed of. With rules: tests/end_to_end.

#include "gateway/intake/learn_flow.h"

#include "gateway/intake/listener.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

namespace gw::intake {
namespace {

ListenerSettings listener_by(netfilter::Mode mode)
{
    ListenerSettings listener;
    listener.name = "web";
    listener.intercept.emplace();
    listener.intercept->mode = mode;
    listener.intercept->ports = {{80, 80}};
    listener.intercept->to = {*Network::parse("192.0.2.0/24")};
    return listener;
}

struct Accepted {
    Descriptor client;
    Descriptor socket;
    Endpoint client_name;
    Endpoint own_name;
};

/// A client dials `to`, and the listener accepts it.
Accepted dialled(const ListeningSocket& listening, const Address& to)
{
    Accepted accepted;
    accepted.own_name = {to, listening.bound.port};
    sockaddr_storage name{};
    const auto size = to_sockaddr(accepted.own_name, name);
    accepted.client = Descriptor{::socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (::connect(accepted.client.number(), reinterpret_cast<sockaddr*>(&name), size) != 0) return accepted;
    pollfd wait{listening.socket.number(), POLLIN, 0};
    if (::poll(&wait, 1, 10'000) != 1) return accepted;
    sockaddr_storage peer{};
    socklen_t length = sizeof peer;
    accepted.socket =
        Descriptor{::accept4(listening.socket.number(), reinterpret_cast<sockaddr*>(&peer), &length, SOCK_CLOEXEC)};
    accepted.client_name = from_sockaddr(peer);
    return accepted;
}

constexpr auto loopback = "127.0.0.1";

} // namespace

TEST(LearnFlow, NeverTakesARedirectListenersOwnAddressForADestination)
{
    const auto listener = listener_by(netfilter::Mode::redirect);
    const auto opened = open_listener(listener, 1, {}, 0);
    ASSERT_TRUE(opened) << describe(opened.error());
    EXPECT_TRUE(opened->front().bound.address.is_unspecified()) << "a redirect leads to the interface's address";
    const auto accepted = dialled(opened->front(), *Address::parse(loopback));
    ASSERT_TRUE(accepted.socket.is_open());

    const auto flow = learn_flow(accepted.socket.number(), accepted.client_name, listener);

    ASSERT_FALSE(flow);
    EXPECT_EQ(flow.error().fault, Fault::denied);
    EXPECT_EQ(flow.error().side, Side::client);
}

class External : public ::testing::Test {
protected:
    void opens(std::string_view bind)
    {
        listener_.bind = {*Endpoint::parse(bind)};
        auto opened = open_listener(listener_, 1, {}, 0);
        if (!opened) return;
        socket_ = std::move(*opened);
        listener_.bind.front().port = socket_.front().bound.port; // as if it had been written
    }

    ListenerSettings listener_ = listener_by(netfilter::Mode::external);
    std::vector<ListeningSocket> socket_;
};

TEST_F(External, LeavesItToTheNameWhenConntrackDoesNotKnow)
{
    opens("127.0.0.1:0");
    if (socket_.empty()) GTEST_SKIP() << "needs CAP_NET_ADMIN or CAP_NET_RAW";
    const auto accepted = dialled(socket_.front(), *Address::parse(loopback));
    ASSERT_TRUE(accepted.socket.is_open());

    const auto flow = learn_flow(accepted.socket.number(), accepted.client_name, listener_);

    ASSERT_TRUE(flow) << describe(flow.error());
    EXPECT_EQ(flow->recovered, Recovered::name);
    EXPECT_EQ(flow->destination, accepted.own_name);
    EXPECT_FALSE(flow->knows_destination());
    EXPECT_TRUE(flow->intercepted());
}

TEST_F(External, ServesIpv4AtTheAddressOfAllUnlessItHasOneOfItsOwn)
{
    opens("[::]:0");
    if (socket_.empty()) GTEST_SKIP() << "needs IPv6, and CAP_NET_ADMIN or CAP_NET_RAW";
    const auto accepted = dialled(socket_.front(), *Address::parse(loopback));
    ASSERT_TRUE(accepted.socket.is_open()) << "IPv4 is not served";
    EXPECT_TRUE(accepted.client_name.address.is_v4()) << "unmapped";
    const auto flow = learn_flow(accepted.socket.number(), accepted.client_name, listener_);
    ASSERT_TRUE(flow) << describe(flow.error());
    EXPECT_EQ(flow->destination, accepted.own_name);

    EXPECT_TRUE(listener_.serves_both_families(listener_.bind.front()));
    listener_.bind.push_back({Address{}, listener_.bind.front().port});
    EXPECT_FALSE(listener_.serves_both_families(listener_.bind.front()));
}

TEST_F(External, TakesAnotherNameThanItsOwnForOneThatTproxyGave)
{
    opens("127.0.0.1:0");
    if (socket_.empty()) GTEST_SKIP() << "needs CAP_NET_ADMIN or CAP_NET_RAW";
    const auto accepted = dialled(socket_.front(), *Address::parse(loopback));
    ASSERT_TRUE(accepted.socket.is_open());
    listener_.bind.front().port = 1; // so the socket's name is none that it is bound to

    EXPECT_FALSE(learn_flow(accepted.socket.number(), accepted.client_name, listener_)) << "not in its destinations";
    listener_.intercept->to = {*Network::parse("127.0.0.0/8")};
    listener_.intercept->ports = {{accepted.own_name.port, accepted.own_name.port}};
    const auto flow = learn_flow(accepted.socket.number(), accepted.client_name, listener_);
    ASSERT_TRUE(flow) << describe(flow.error());
    EXPECT_EQ(flow->recovered, Recovered::socket_name);
    EXPECT_EQ(flow->destination, accepted.own_name);
}

TEST_F(External, RefusesAnExceptedClient)
{
    opens("127.0.0.1:0");
    if (socket_.empty()) GTEST_SKIP() << "needs CAP_NET_ADMIN or CAP_NET_RAW";
    listener_.intercept->except_from = {*Network::parse("127.0.0.0/8")};
    const auto accepted = dialled(socket_.front(), *Address::parse(loopback));
    const auto flow = learn_flow(accepted.socket.number(), accepted.client_name, listener_);
    ASSERT_FALSE(flow);
    EXPECT_EQ(flow.error().fault, Fault::denied);
}

} // namespace gw::intake
