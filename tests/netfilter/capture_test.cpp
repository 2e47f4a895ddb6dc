#include "netfilter/install.h"
#include "netfilter/original_destination.h"

#include "tests/netfilter/answering.h"
#include "tests/netfilter/namespaces.h"
#include "tests/netfilter/plans.h"

#include <gtest/gtest.h>

using namespace gw;
using namespace gw::netfilter;
using namespace gw::netfilter::testing;

namespace {

/// client 10.1.0.2, 2001:db8:1::2 - lan0 gateway wan0 - server 192.0.2.2, .53, 2001:db8:2::2, ::53. The server answers
/// "server to CLIENT", the listener of the gateway "gateway for DESTINATION".
class CaptureTest : public ::testing::Test {
protected:
    void SetUp() override
    {
        if (!is_root() || !gateway_.made()) GTEST_SKIP() << "needs root for network namespaces";
        // Otherwise link-local addresses are tentative for a second, and nobody may ask for a neighbour with them.
        for (const Namespace* each : {&client_, &gateway_, &server_})
            each->shell("sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0");
        client_.cable("eth0", gateway_, "lan0");
        server_.cable("eth0", gateway_, "wan0");
        gateway_.shell("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1;"
                       "ip addr add 10.1.0.1/24 dev lan0; ip addr add 2001:db8:1::1/64 dev lan0 nodad;"
                       "ip addr add 192.0.2.1/24 dev wan0; ip addr add 2001:db8:2::1/64 dev wan0 nodad;"
                       "ip link set lan0 up; ip link set wan0 up");
        client_.shell("ip addr add 10.1.0.2/24 dev eth0; ip addr add 10.1.0.9/24 dev eth0;"
                      "ip addr add 2001:db8:1::2/64 dev eth0 nodad; ip link set eth0 up;"
                      "ip route add default via 10.1.0.1; ip -6 route add default via 2001:db8:1::1");
        server_.shell("ip addr add 192.0.2.2/24 dev eth0; ip addr add 192.0.2.53/24 dev eth0;"
                      "ip addr add 2001:db8:2::2/64 dev eth0 nodad; ip addr add 2001:db8:2::53/64 dev eth0 nodad;"
                      "ip link set eth0 up; ip route add default via 192.0.2.1;"
                      "ip -6 route add default via 2001:db8:2::1");
        std::vector<Descriptor> open;
        server_.inside([&] {
            for (const char* port : {"80", "81", "8000", "8005", "8010", "8011"})
                open.push_back(listen_at(endpoint("[::]:" + std::string(port)), false));
        });
        site_ = std::make_unique<Answering>(
            std::move(open), [](int, const Endpoint& from) { return "server to " + from.address.text(); });
        listen(listener_, "gateway", web_);
        gateway_.inside([&] {
            auto made = Installer::open({});
            if (made) installer_ = std::move(*made);
        });
        ASSERT_TRUE(installer_);
    }

    /// Opens transparent listeners of the gateway for `capture` and writes their ports into it.
    void listen(std::unique_ptr<Answering>& listener, const std::string& name, Capture& capture)
    {
        std::vector<Descriptor> open;
        gateway_.inside([&] {
            open.push_back(listen_at(endpoint("127.0.0.1:0"), true));
            open.push_back(listen_at(endpoint("[::1]:0"), true));
        });
        capture.port_v4 = netfilter::testing::name_of(open[0].number()).port;
        capture.port_v6 = netfilter::testing::name_of(open[1].number()).port;
        listener = std::make_unique<Answering>(std::move(open), [name](int socket, const Endpoint& from) {
            const auto found = original_destination(socket, Mode::tproxy, from);
            return name + " for " + (found ? found->endpoint.text() : "?");
        });
    }
    ::testing::AssertionResult install(std::vector<Capture> captures)
    {
        const auto done = installer_->install(make_plan({}, std::move(captures), {"lan0", "wan0"}));
        if (done) beat();
        return done ? ::testing::AssertionSuccess() : ::testing::AssertionFailure() << describe(done.error());
    }
    void beat()
    {
        if (installer_ == nullptr) return;
        const auto done = installer_->beat();
        EXPECT_TRUE(done) << describe(done.error());
    }
    std::string ask(const std::string& to, const char* as = nullptr)
    {
        beat();
        std::string answer = "no connection";
        client_.inside([&] {
            const auto from = as == nullptr ? Address{} : Address::parse(as).value();
            const auto socket = connect_to(endpoint(to), as == nullptr ? nullptr : &from);
            if (socket.is_open()) answer = say_hello(socket.number());
        });
        return answer;
    }

    Namespace client_;
    Namespace gateway_;
    Namespace server_;
    Capture web_ = capture("web", {"192.0.2.0/24", "2001:db8:2::/64"}, {{80, 80}, {8000, 8010}});
    std::unique_ptr<Answering> site_;
    std::unique_ptr<Answering> listener_;
    std::unique_ptr<Installer> installer_;
};

} // namespace

TEST_F(CaptureTest, TakesBothFamiliesAndPortRangesAndNothingElse)
{
    EXPECT_EQ(ask("192.0.2.2:80"), "server to 10.1.0.2");
    ASSERT_TRUE(install({web_}));

    EXPECT_EQ(ask("192.0.2.2:80"), "gateway for 192.0.2.2:80");
    EXPECT_EQ(ask("[2001:db8:2::2]:80"), "gateway for [2001:db8:2::2]:80");
    for (const char* port : {"8000", "8005", "8010"}) {
        EXPECT_EQ(ask("192.0.2.2:" + std::string(port)), "gateway for 192.0.2.2:" + std::string(port));
        EXPECT_EQ(ask("[2001:db8:2::2]:" + std::string(port)), "gateway for [2001:db8:2::2]:" + std::string(port));
    }
    for (const char* port : {"81", "8011"}) {
        EXPECT_EQ(ask("192.0.2.2:" + std::string(port)), "server to 10.1.0.2");
        EXPECT_EQ(ask("[2001:db8:2::2]:" + std::string(port)), "server to 2001:db8:1::2");
    }
    EXPECT_EQ(ask("192.0.2.77:80"), "gateway for 192.0.2.77:80"); // an address nobody has: the listener's to find out
}

TEST_F(CaptureTest, LeavesOutWhatIsExcepted)
{
    web_.intercept.except_from = networks({"10.1.0.9"});
    web_.intercept.except_to = networks({"192.0.2.53", "2001:db8:2::53"});
    ASSERT_TRUE(install({web_}));

    EXPECT_EQ(ask("192.0.2.2:80"), "gateway for 192.0.2.2:80");
    EXPECT_EQ(ask("192.0.2.2:80", "10.1.0.9"), "server to 10.1.0.9");
    EXPECT_EQ(ask("192.0.2.53:80"), "server to 10.1.0.2");
    EXPECT_EQ(ask("[2001:db8:2::53]:80"), "server to 2001:db8:1::2");
}

TEST_F(CaptureTest, GivesAPacketToTheFirstListenerThatFits)
{
    auto narrow = capture("narrow", {"192.0.2.53"}, {{80, 80}});
    std::unique_ptr<Answering> second;
    listen(second, "narrow", narrow);
    ASSERT_TRUE(install({narrow, web_}));
    EXPECT_EQ(ask("192.0.2.53:80"), "narrow for 192.0.2.53:80");
    EXPECT_EQ(ask("192.0.2.2:80"), "gateway for 192.0.2.2:80");

    second->stop(); // when_down: pass means the server, not the next listener
    EXPECT_EQ(ask("192.0.2.53:80"), "server to 10.1.0.2");
    EXPECT_EQ(ask("192.0.2.2:80"), "gateway for 192.0.2.2:80");
}

TEST_F(CaptureTest, LetsTrafficPassWhenNobodyListens)
{
    ASSERT_TRUE(install({web_}));
    ASSERT_EQ(ask("192.0.2.2:80"), "gateway for 192.0.2.2:80");
    listener_->stop();
    EXPECT_EQ(ask("192.0.2.2:80"), "server to 10.1.0.2");
    EXPECT_EQ(ask("[2001:db8:2::2]:80"), "server to 2001:db8:1::2");
}

TEST_F(CaptureTest, LetsTrafficPassWhenTheTableIsGone)
{
    ASSERT_TRUE(install({web_}));
    ASSERT_EQ(ask("192.0.2.2:80"), "gateway for 192.0.2.2:80");
    installer_.reset();
    EXPECT_EQ(ask("192.0.2.2:80"), "server to 10.1.0.2");
    EXPECT_EQ(ask("[2001:db8:2::2]:80"), "server to 2001:db8:1::2");
}

TEST_F(CaptureTest, OnlyRejectsOrDropsWhereThatIsAskedFor)
{
    web_.intercept.when_down = WhenDown::reject;
    ASSERT_TRUE(install({web_}));
    EXPECT_EQ(ask("192.0.2.2:80"), "gateway for 192.0.2.2:80");
    listener_->stop();
    EXPECT_EQ(ask("192.0.2.2:80"), "no connection");
    EXPECT_EQ(ask("[2001:db8:2::2]:80"), "no connection");
    EXPECT_EQ(ask("192.0.2.2:81"), "server to 10.1.0.2");
}

TEST_F(CaptureTest, BringsBackTheAnswersToAConnectionMadeWithTheClientsAddress)
{
    ASSERT_TRUE(install({web_}));
    for (const auto& [client, to] : {std::pair{"10.1.0.2", "192.0.2.2:80"}, {"2001:db8:1::2", "[2001:db8:2::2]:80"}}) {
        std::string answer = "no connection";
        gateway_.inside([&, client = client, to = to] {
            const auto as = Address::parse(client).value();
            const auto socket = connect_to(endpoint(to), &as, Settings{}.own_mark);
            if (socket.is_open()) answer = say_hello(socket.number());
        });
        EXPECT_EQ(answer, std::string("server to ") + client);
    }
}

TEST_F(CaptureTest, NeverTakesWhatIsForTheGatewayItself)
{
    web_.intercept.to = networks({"0.0.0.0/0", "::/0"});
    web_.intercept.ports = {{1, 65535}};
    ASSERT_TRUE(install({web_}));
    EXPECT_EQ(ask("192.0.2.2:81"), "gateway for 192.0.2.2:81");
    for (const std::string own : {"10.1.0.1", "192.0.2.1", "[2001:db8:1::1]", "[2001:db8:2::1]"}) {
        EXPECT_EQ(ask(own + ":80"), "no connection") << own;
        const auto port = own[0] == '[' ? web_.port_v6 : web_.port_v4;
        EXPECT_EQ(ask(own + ':' + std::to_string(port)), "no connection") << "the listener's own port on " << own;
    }
}

TEST_F(CaptureTest, KeepsTheListenerOnLoopbackOutOfReachFromTheNetwork)
{
    ASSERT_TRUE(install({web_}));
    client_.shell("ip route del local 127.0.0.0/8 table local; ip route add 127.0.0.1 via 10.1.0.1 src 10.1.0.2;"
                  "sysctl -qw net.ipv4.conf.all.route_localnet=1");
    EXPECT_EQ(ask("127.0.0.1:" + std::to_string(web_.port_v4), "10.1.0.2"), "no connection");
    EXPECT_EQ(gateway_.shell("sysctl -n net.ipv4.conf.all.route_localnet net.ipv4.conf.lan0.route_localnet"), "0\n0\n");
}

TEST_F(CaptureTest, WorksWhereMarksCountForTheSourceCheck)
{
    gateway_.shell("sysctl -qw net.ipv4.conf.all.src_valid_mark=1 net.ipv4.conf.all.rp_filter=0 "
                   "net.ipv4.conf.lan0.rp_filter=0");
    ASSERT_TRUE(install({web_}));
    EXPECT_EQ(ask("192.0.2.2:80"), "gateway for 192.0.2.2:80");
    gateway_.shell("sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.lan0.rp_filter=1");
    EXPECT_EQ(ask("192.0.2.2:80"), "gateway for 192.0.2.2:80");
}

TEST_F(CaptureTest, DoesNotMindConntrackNorItsAbsence)
{
    ASSERT_TRUE(install({web_}));
    gateway_.shell("nft 'add table inet other; add chain inet other f { type filter hook forward priority 0; };"
                   "add rule inet other f ct state invalid drop'");
    EXPECT_EQ(ask("192.0.2.2:80"), "gateway for 192.0.2.2:80");
    gateway_.shell("nft 'add chain inet other raw { type filter hook prerouting priority raw; };"
                   "add rule inet other raw notrack'");
    EXPECT_EQ(ask("192.0.2.2:80"), "gateway for 192.0.2.2:80");
    EXPECT_EQ(ask("[2001:db8:2::2]:80"), "gateway for [2001:db8:2::2]:80");
}

TEST_F(CaptureTest, SurvivesOthersRestoringMarksFromConntrack)
{
    ASSERT_TRUE(install({web_}));
    gateway_.shell("nft 'add table ip vpn; add chain ip vpn pre { type filter hook prerouting priority mangle; };"
                   "add rule ip vpn pre meta mark set ct mark'");
    EXPECT_EQ(ask("192.0.2.2:80"), "gateway for 192.0.2.2:80");
}

TEST_F(CaptureTest, WithoutCapturesKeepsConnectionsUnderWayAndTakesNoNewOnes)
{
    ASSERT_TRUE(install({web_}));
    auto draining = make_plan({}, {web_}, {"lan0", "wan0"});
    draining.captures.clear();
    client_.inside([&] {
        const auto v4 = connect_to(endpoint("192.0.2.2:80"));
        const auto v6 = connect_to(endpoint("[2001:db8:2::2]:80"));
        ASSERT_EQ(say_hello(v4.number()), "gateway for 192.0.2.2:80");
        ASSERT_EQ(say_hello(v6.number()), "gateway for [2001:db8:2::2]:80");

        const auto drained = installer_->install(draining);
        ASSERT_TRUE(drained) << describe(drained.error());
        EXPECT_EQ(say_hello(v4.number()), "gateway for 192.0.2.2:80");
        EXPECT_EQ(say_hello(v6.number()), "gateway for [2001:db8:2::2]:80");
        EXPECT_EQ(ask("192.0.2.2:80"), "server to 10.1.0.2");
        EXPECT_EQ(ask("[2001:db8:2::2]:80"), "server to 2001:db8:1::2");

        EXPECT_TRUE(install({web_})); // the stop was called off
        EXPECT_EQ(say_hello(v4.number()), "gateway for 192.0.2.2:80");
        EXPECT_EQ(ask("192.0.2.2:80"), "gateway for 192.0.2.2:80");
    });
    EXPECT_EQ(installer_->missing().value(), "");
}

TEST_F(CaptureTest, LosesNoConnectionWhileItIsInstalledThreeHundredTimes)
{
    ASSERT_TRUE(install({web_}));
    std::atomic<bool> done{false};
    std::atomic<int> captured{0};
    std::vector<std::string> wrong;
    std::thread hammer([&] {
        client_.inside([&] {
            const auto lasting = connect_to(endpoint("192.0.2.2:80"));
            while (!done) {
                for (const std::string to : {"192.0.2.2:80", "[2001:db8:2::2]:80"}) {
                    const auto socket = connect_to(endpoint(to));
                    const auto answer = socket.is_open() ? say_hello(socket.number())
                                                         : "no connection to " + to + ": " + std::strerror(errno);
                    answer == "gateway for " + to ? void(++captured) : wrong.push_back(answer);
                }
                if (const auto answer = say_hello(lasting.number()); answer != "gateway for 192.0.2.2:80")
                    wrong.push_back("lasting: " + answer);
            }
        });
    });
    while (captured == 0 && wrong.empty()) std::this_thread::yield();
    for (std::uint16_t round = 0; round < 300; ++round) {
        auto changed = web_;
        const auto port = static_cast<std::uint16_t>(9000 + round);
        changed.intercept.ports.push_back({port, port});
        EXPECT_TRUE(install({changed}));
    }
    done = true;
    hammer.join();
    EXPECT_GT(captured, 100);
    EXPECT_EQ(wrong, std::vector<std::string>{});
}
