// However a client writes it, and whatever way the name takes, nothing it chooses makes the gateway dial itself.

#include "tests/end_to_end/scene.h"
#include "tests/gateway/intake/client_hello_builder.h"

namespace gw::lab {
namespace {

constexpr int moments = 40;
constexpr int rebound_names = 150;

/// Services of the gateway's own host on every address, port 8000: what must never hear from the gateway.
class OwnAddresses : public Appliance {
protected:
    void SetUp() override
    {
        Appliance::SetUp();
        if (cannot_run()) return;
        tripwire_v4 = std::make_unique<Origin>(network.gateway(), "0.0.0.0:8000", answers(answer(200, "reached")));
        tripwire_v6 = std::make_unique<Origin>(network.gateway(), "[::]:8000", answers(answer(200, "reached")));
    }
    void expect_not_reached() const
    {
        EXPECT_EQ(tripwire_v4->connections(), 0u) << tripwire_v4->received();
        EXPECT_EQ(tripwire_v6->connections(), 0u) << tripwire_v6->received();
    }
    /// A listener that takes requests for any host, on the clients' side.
    static std::string reverse_proxy(std::string_view routes)
    {
        return "listeners: [{name: front, bind: [\"10.0.1.1:9090\"], protocol: http}]\nroutes:\n" + std::string(routes);
    }
    int asks(std::string_view target, std::string_view host = "pivot.example") const
    {
        return status_of(network.client("10.0.1.2"), "10.0.1.1:9090",
                         request("GET", target, host, "Connection: close\r\n"));
    }
    /// An address of the inner interface that only its own link knows.
    std::string link_local() const
    {
        const auto lines =
            run_well({"ip", "-6", "-o", "addr", "show", "dev", "inside", "scope", "link"}, network.gateway().place());
        const auto at = lines.find("fe80:");
        return at == std::string::npos ? "fe80::1" : lines.substr(at, lines.find('/', at) - at);
    }

    std::unique_ptr<Origin> tripwire_v4, tripwire_v6;
};

const std::vector<std::string> spellings{
    "10.0.1.1",
    "10.0.2.1",
    "127.0.0.1",
    "127.8.9.1",
    "127.255.255.254",
    "0.0.0.0",
    "0.1.2.3",
    "255.255.255.255",
    "10.0.1.255",
    "10.0.2.255",
    "224.0.0.1",
    "239.255.255.250",
    "::1",
    "::",
    "fd00:1::1",
    "fd00:2::1",
    "fd00:1::",
    "fd00:2::",
    "::ffff:127.0.0.1",
    "::ffff:10.0.2.1",
    "::ffff:0.0.0.0",
    "::127.0.0.1",
    "::10.0.2.1",
    "::ffff:0:10.0.2.1",
    "2002:7f00:1::1",
    "2002:a00:201::",
    "64:ff9b::7f00:1",
    "64:ff9b::10.0.2.1",
    "ff02::1",
    "ff05::2",
    "::ffff:7f00:0001",
    "0:0:0:0:0:0:0:1",
    "2002:0a00:0101::77",
};

TEST_F(OwnAddresses, AreNotReachedByANameTheClientChose)
{
    auto all = spellings;
    all.push_back(link_local());
    std::string hosts = "127.0.0.1 localhost\n10.0.2.11 elsewhere\n";
    for (std::size_t i = 0; i < all.size(); ++i) hosts += all[i] + " own" + std::to_string(i) + "\n";
    gateway.knows_hosts(hosts);
    Origin elsewhere(network.servers(), "10.0.2.11:8000", answers(answer(200, "right")));
    gateway.runs_with(reverse_proxy(R"(
  - {host: pivot.example, path: "/name/:name", to: "http://:name:8000/"}
  - {host: pivot.example, path: "/port/:port", to: "http://localhost::port/"}
  - {host: pivot.example, path: "/two/:a/:b", to: "http://:a.:b:8000/"}
  - {host: pivot.example, path: "/four/:a/:b/:c/:d", to: "http://:a.:b.:c.:d:8000/"}
  - {host: ":name.hosts.example", to: "http://:name:8000/"}
)"));
    ASSERT_EQ(asks("/name/elsewhere"), 200) << "the way that is tried does work";

    std::vector<std::string> targets{"/name/localhost", "/port/8000", "/port/08000"};
    for (std::size_t i = 0; i < all.size(); ++i) targets.push_back("/name/own" + std::to_string(i));
    for (const auto* number : {"2130706433", "0x7f000001", "0X7F000001", "017700000001", "167772673", "0", "0x0",
                               "4294967295", "0xa000201", "1"})
        targets.push_back(std::string("/name/") + number);
    for (const auto* two : {"127/1", "0x7f/1", "0177/1", "10/513", "0/0", "127/0x1"})
        targets.push_back(std::string("/two/") + two);
    for (const auto* four : {"127/0/0/1", "0177/0/0/01", "0x7f/0/0/0x1", "10/0/2/1", "012/0/2/1", "0/0/0/0",
                             "255/255/255/255", "00127/0/0/1", "10/0/0x2/01"})
        targets.push_back(std::string("/four/") + four);

    for (const auto& target : targets) EXPECT_NE(asks(target), 200) << target;
    for (std::size_t i = 0; i < all.size(); ++i)
        EXPECT_NE(asks("/", "own" + std::to_string(i) + ".hosts.example"), 200) << all[i];

    expect_not_reached();
    EXPECT_EQ(elsewhere.connections(), 1u);
    EXPECT_TRUE(eventually([&] {
        std::size_t denied = 0;
        for (const auto& record : gateway.records()) denied += record.value("end", "") == "denied" ? 1 : 0;
        return denied >= all.size() * 2;
    })) << "refused by the rule, and not by chance";
}

TEST_F(OwnAddresses, AreNotReachedByTheNameInAClientHello)
{
    std::string hosts = "127.0.0.1 localhost\n";
    for (std::size_t i = 0; i < spellings.size(); ++i) hosts += spellings[i] + " own" + std::to_string(i) + "\n";
    gateway.knows_hosts(hosts);
    gateway.runs_with(intercepting("routes: [{host: \":name.pivot.example\", to: \"https://:name:8000/\"}]"));

    std::vector<std::string> names{"localhost", "2130706433", "0x7f000001", "0"};
    for (std::size_t i = 0; i < spellings.size(); ++i) names.push_back("own" + std::to_string(i));
    Origin original(network.servers(), "10.0.2.11:443", answers("original"));
    for (const auto& name : names) {
        namespace hello = gw::intake::testing;
        const auto body = hello::ClientHello{hello::server_name(name + ".pivot.example")}.body();
        const auto message = hello::message(body);
        auto client = network.client("10.0.1.2").dials("10.0.2.11:443");
        client.sends("\x16\x03\x01" + hello::vector(message, 2));
        EXPECT_EQ(client.receives_all(), "") << name;
    }
    expect_not_reached();
    EXPECT_EQ(original.connections(), 0u) << "a route took them";
}

TEST_F(OwnAddresses, AreNotReachedByHostOrAbsoluteTarget)
{
    Origin origin(network.servers(), "10.0.2.11:80", answers(answer(200, "the one that was dialled")));
    gateway.knows_hosts("10.0.2.1 own.example\n");
    gateway.runs_with(intercepting());
    std::size_t forwarded = 0;
    for (const auto& spelling : spellings)
        for (const bool absolute : {false, true}) {
            const auto name = spelling.find(':') == std::string::npos ? spelling : "[" + spelling + "]";
            const auto status = status_of(network.client("10.0.1.2"), "10.0.2.11:80",
                                          request("GET", absolute ? "http://" + name + ":8000/x" : "/x", name + ":8000",
                                                  "Connection: close\r\n"));
            EXPECT_TRUE(status == 200 || status == 400) << name << " " << status;
            forwarded += status == 200 ? 1 : 0;
        }
    for (const auto* authority : {"own.example:8000", "localhost:8000", "2130706433:8000", "127.1:8000"})
        status_of(network.client("10.0.1.2"), "10.0.2.11:80", request("CONNECT", authority, authority));
    expect_not_reached();
    EXPECT_GT(forwarded, spellings.size());
    EXPECT_GT(origin.connections(), 0u);
}

TEST_F(OwnAddresses, AreNotReachedAsAnOriginalDestination)
{
    network.clients().configures("route add 2002::/16 via fd00:1::1\nroute add 64:ff9b::/96 via fd00:1::1\n"
                                 "route add ::/96 via fd00:1::1\nroute add fd00:1::/128 via fd00:1::1\n");
    gateway.runs_with("listeners: [{intercept: {to: [0.0.0.0/0, \"::/0\"], ports: [8000]}}]");
    for (const auto& spelling : spellings) {
        const auto address = *Address::parse(spelling);
        if (address.unmapped().is_loopback() || address.unmapped().is_unspecified() || address.is_multicast())
            continue; // the client's own kernel keeps them
        const Endpoint from{*Address::parse(address.unmapped().is_v6() ? "fd00:1::2" : "10.0.1.2"), 0};
        auto client = network.clients().dials({address.unmapped(), 8000}, from, Milliseconds{300});
        if (!client.connected()) continue;
        client.sends(request("GET", "/x", "a.example", "Connection: close\r\n"));
        client.ends_writing();
        client.receives_within(Milliseconds{300});
    }
    // Who dials the gateway's own address reaches its host's service by the host's rules, but not through the gateway.
    for (const auto* tripwire : {tripwire_v4.get(), tripwire_v6.get()})
        EXPECT_THAT(tripwire->received(), Not(HasSubstr("X-Forwarded-For")));
    for (const auto& record : gateway.records()) EXPECT_EQ(record.value("upstream", ""), "") << record;
}

TEST_F(OwnAddresses, AreKnownTheMomentTheyAreAdded)
{
    std::string hosts;
    for (int i = 0; i < moments; ++i) hosts += "10.0.3." + std::to_string(100 + i) + " late" + std::to_string(i) + "\n";
    gateway.knows_hosts(hosts);
    gateway.runs_with(reverse_proxy("  - {host: pivot.example, path: \"/:name\", to: \"http://:name:8000/\"}\n"));
    for (int i = 0; i < moments; ++i) {
        // Resolved before it is ours, so that nothing but the last look stands between.
        auto waiting = network.client("10.0.1.2").dials("10.0.1.1:9090");
        waiting.sends("GET /late" + std::to_string(i) + " HTTP/1.1\r\nHost: pivot.example\r\nConnection: close\r\n");
        network.gateway().configures("addr add 10.0.3." + std::to_string(100 + i) + "/32 dev lo\n");
        waiting.sends("\r\n");
        EXPECT_THAT(waiting.receives_all(), Not(StartsWith("HTTP/1.1 200"))) << i;
    }
    expect_not_reached();
}

TEST_F(OwnAddresses, AreNotReachedByANameThatChangesItsMind)
{
    const auto hosts = [](const char* address) {
        std::string lines;
        for (int i = 0; i < rebound_names; ++i) lines += std::string(address) + " r" + std::to_string(i) + "\n";
        return lines + std::string("10.0.2.11 both\n127.0.0.1 both\n10.0.2.1 both\n");
    };
    Origin origin(network.servers(), "10.0.2.11:8000", answers(answer(200, "right")));
    gateway.knows_hosts(hosts("10.0.2.11"));
    gateway.runs_with(reverse_proxy("  - {host: pivot.example, path: \"/:name\", to: \"http://:name:8000/\"}\n"));
    std::atomic<bool> done{false};
    std::atomic<int> asked{0};
    std::thread rebinds([&] { // while each is on its way
        for (int turn = 0; !done; ++turn) {
            gateway.knows_hosts(hosts(turn % 3 == 0 ? "127.0.0.1" : turn % 3 == 1 ? "10.0.2.11" : "10.0.2.1"));
            for (const int before = asked; asked == before && !done;) std::this_thread::yield();
        }
    });
    for (int i = 0; i < rebound_names; ++i, ++asked) asks("/r" + std::to_string(i));
    for (int i = 0; i < 10; ++i, ++asked) asks("/both");
    done = true;
    rebinds.join();
    expect_not_reached();
    EXPECT_GT(origin.connections(), 0u);
}

TEST_F(OwnAddresses, OfTheLoopbackAnswerNoNeighbour)
{
    const auto setting = [&] {
        return run_well({"sysctl", "-n", "net.ipv4.conf.all.route_localnet", "net.ipv4.conf.inside.route_localnet"},
                        network.gateway().place());
    };
    const auto before = setting();
    gateway.runs_with(intercepting("", "protocol: auto"));
    // A neighbour that has taken 127/8 off its own loopback and routes it here.
    network.clients().configures("route del local 127.0.0.0/8 dev lo table local\n"
                                 "route del local 127.0.0.1 dev lo table local\n"
                                 "route add 127.0.0.0/8 via 10.0.1.1\n");
    network.clients().sets("net/ipv4/conf/all/route_localnet", "1");
    network.clients().sets("net/ipv4/conf/net0/route_localnet", "1");
    for (const auto* port : {":8000", ":80", ":443"}) {
        const auto client = network.clients().dials(*Endpoint::parse(std::string("127.0.0.1") + port),
                                                    *Endpoint::parse("10.0.1.2:0"), Milliseconds{400});
        EXPECT_FALSE(client.connected()) << port;
    }
    EXPECT_EQ(setting(), before);
    EXPECT_EQ(tripwire_v4->connections(), 0u);
}

} // namespace
} // namespace gw::lab
