// A new configuration is put in force whole or not at all, and nobody is disturbed by it.

#include "tests/end_to_end/mechanisms.h"
#include "tests/end_to_end/reload_load.h"

#include <csignal>
#include <sys/stat.h>

namespace gw::lab {
namespace {

class Reload : public Appliance {
protected:
    int status_now(const std::string& target = "/") const
    {
        return network.client("10.0.1.2").asks("http://10.0.2.11" + target).status;
    }
    static std::string answering(int status)
    {
        return intercepting("routes: [{to: \"respond:" + std::to_string(status) + " x\"}]");
    }
};

TEST_F(Reload, PutsNewRoutesInForce)
{
    gateway.runs_with(answering(201));
    EXPECT_EQ(status_now(), 201);
    gateway.reloads(answering(202));
    EXPECT_EQ(status_now(), 202);
}

TEST_F(Reload, ComesWithSighupToo)
{
    gateway.runs_with(answering(201));
    gateway.is_given(answering(202));
    gateway.process().signal(SIGHUP);
    EXPECT_TRUE(eventually([&] { return status_now() == 202; })) << gateway.log();
    EXPECT_GT(gateway.notifications().count("RELOADING=1"), 0u);
    EXPECT_TRUE(gateway.notifications().heard("READY=1", 1));
}

TEST_F(Reload, ChangesNothingWhenTheFileIsWrong)
{
    gateway.runs_with(answering(201));
    const auto rules = gateway.rules();
    for (const auto* wrong : {"listeners: [{intercept: {to: [10.0.2.0/24], prots: [80]}}]", "listeners: [", "",
                              "waf: {mode: on}", "listeners: []\nroutes: [{to: \"http://[broken\"}]",
                              "listeners: []\nwaf: {mode: detect, rules: [/nowhere.conf]}"}) {
        gateway.is_given(wrong);
        const auto refused = gateway.ctl({"reload"});
        EXPECT_NE(refused.exit_code, 0) << wrong;
        EXPECT_FALSE(refused.err.empty()) << wrong;
        EXPECT_EQ(status_now(), 201) << wrong;
    }
    EXPECT_EQ(gateway.rules(), rules);
    EXPECT_FALSE(Json::parse(gateway.ctl({"status", "--json"}).out)["last_reload"].value("ok", true));
}

TEST_F(Reload, KeepsTheOldOneWhenSomethingElseStandsInTheWay)
{
    Origin taken(network.gateway(), "10.0.1.1:8500", echoes());
    gateway.runs_with(answering(201));
    gateway.is_given(answering(202).replace(0, 11, "listeners:\n  - {name: b, bind: [\"10.0.1.1:8500\"]}\n"));
    const auto refused = gateway.ctl({"reload"});
    EXPECT_NE(refused.exit_code, 0);
    EXPECT_THAT(refused.err, HasSubstr("8500"));
    EXPECT_EQ(status_now(), 201);
}

TEST_F(Reload, LeavesConnectionsUnderWayTheirConfiguration)
{
    Origin echo(network.servers(), "10.0.2.11:8001", repeats_lines());
    gateway.runs_with(answering(201));
    auto kept = network.client("10.0.1.2").dials("10.0.2.11:80");
    kept.sends(request("GET", "/", "a.example"));
    EXPECT_THAT(receive_message(kept).head, StartsWith("HTTP/1.1 201 "));
    auto relayed = network.client("10.0.1.2").dials("10.0.2.11:8001");
    relayed.sends("\x01 one\n");
    EXPECT_EQ(relayed.receives_until("\n"), "\x01 one\n");

    gateway.reloads(answering(202));

    kept.sends(request("GET", "/", "a.example"));
    const auto again = receive_message(kept);
    EXPECT_THAT(again.head, StartsWith("HTTP/1.1 201 "));
    EXPECT_THAT(again.head, HasSubstr("Connection: close\r\n")) << "it would never see the new configuration";
    EXPECT_EQ(kept.receives_all(), "");
    relayed.sends("two\n");
    EXPECT_EQ(relayed.receives_until("\n"), "two\n");
    EXPECT_EQ(status_now(), 202);
}

TEST_F(Reload, AddsAndTakesAwayListeners)
{
    WebServer site(network, "site.example", 10);
    const auto with = [](const char* ports) {
        return "listeners: [{name: a, intercept: {to: [10.0.2.0/24], ports: " + std::string(ports) + "}}]";
    };
    const auto client = network.client("10.0.1.2");
    const auto through_us = [&](const std::string& port, const std::string& target) {
        EXPECT_EQ(client.asks("http://site.example:" + port + target).status, 200);
        for (const auto& line : site.log(1))
            if (line.value("target", "") == target) return !line.value("forwarded_for", "").empty();
        return false;
    };
    gateway.runs_with(with("[80]"));
    EXPECT_TRUE(through_us("80", "/1"));
    EXPECT_FALSE(through_us("8080", "/2"));
    gateway.reloads(with("[8080]"));
    EXPECT_TRUE(eventually([&, number = 10]() mutable { return through_us("8080", "/" + std::to_string(++number)); }));
    EXPECT_FALSE(through_us("80", "/3"));
    gateway.reloads("listeners: []");
    EXPECT_FALSE(through_us("8080", "/4"));
    EXPECT_TRUE(eventually([&] { return gateway.rules().empty(); })) << "once nothing is under way";
}

TEST_F(Reload, WithoutInterceptionLeavesWhatWasInterceptedItsRulesToItsEnd)
{
    const auto before = gateway.kernel_state();
    for (const std::string mode : {"tproxy", "redirect"}) {
        SCOPED_TRACE(mode);
        Origin server(network.servers(), "10.0.2.11:8001", repeats_lines());
        gateway.runs_with("listeners: [{name: web, intercept: {mode: " + mode +
                          ", to: [10.0.2.0/24], ports: [8001], when_down: reject}}]");
        LongRelay relay(network, "10.0.2.11:8001");
        EXPECT_TRUE(relay.works());

        gateway.reloads("listeners: [{name: b, bind: [\"10.0.1.1:8500\"]}]");
        EXPECT_TRUE(relay.works()) << gateway.log();
        LongRelay direct(network, "10.0.2.11:8001", "10.0.1.3");
        EXPECT_TRUE(direct.works());
        EXPECT_EQ(Json::parse(gateway.ctl({"status", "--json"}).out).value("state", ""), "ok");
        gateway.reloads("listeners: []");
        EXPECT_TRUE(relay.works()) << gateway.log();
        run({"ip", "rule", "del", "priority", "773", "iif", "outside"}, network.gateway().place()); // looked after, too
        EXPECT_TRUE(relay.works()) << gateway.log();

        relay.closes();
        EXPECT_TRUE(eventually([&] { return gateway.kernel_state() == before; })) << gateway.kernel_state();
        EXPECT_TRUE(direct.works()) << "nobody intercepted it";
        gateway.stops();
    }
}

TEST_F(Reload, FailsNotOneRequestUnderLoad)
{
    Origin origin(network.servers(), "10.0.2.11:80", answers(answer(200, "fine")));
    gateway.runs_with(intercepting());
    Crowd kept(network, true), fresh(network, false);
    ASSERT_TRUE(eventually([&] { return kept.good() > 10 && fresh.good() > 10; }));

    const auto turns = turns_wanted(50);
    for (int turn = 0; turn < turns; ++turn) {
        const auto before = kept.good() + fresh.good();
        gateway.reloads(intercepting("routes: [{path: /turn" + std::to_string(turn) + ", to: \"respond:204\"}]"));
        eventually([&] { return kept.good() + fresh.good() > before + 5; });
    }
    std::printf("%d turns\n", turns);
    kept.expect_no_failure("kept alive");
    fresh.expect_no_failure("new connections");
    EXPECT_EQ(Json::parse(gateway.ctl({"status", "--json"}).out).value("generation", 0), turns + 1);
}

TEST_F(Reload, RefusesAPipeForTheAccessLog)
{
    Folder folder;
    const auto pipe = folder.path("pipe");
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    const auto logging = "logs: {access: {to: " + pipe + "}}\n";
    gateway.runs_with(answering(201));
    gateway.is_given(answering(202) + "\n" + logging);
    for (const char* command : {"check", "reload"}) {
        const auto refused = command == std::string_view("check") ? gateway.ctl({"check", gateway.configuration_file()})
                                                                  : gateway.ctl({"reload"});
        EXPECT_NE(refused.exit_code, 0);
        EXPECT_THAT(refused.out + refused.err, HasSubstr("whose reader could hold the gateway up"));
    }
    EXPECT_EQ(status_now(), 201);
    gateway.stops();
    gateway.is_started_with({"--strict-start"});
    EXPECT_THAT(gateway.refuses(answering(202) + "\n" + logging).err, HasSubstr("whose reader"));
}

TEST_F(Reload, LetsConnectionsUnderWayEndWhenItStops)
{
    std::atomic<bool> asked{false}, go{false};
    Origin slow(network.servers(), "10.0.2.11:80", [&](Origin::Connection& connection) {
        receive_message(connection);
        asked = true;
        eventually([&] { return go.load(); });
        connection.sends(answer(200, "at last"));
        connection.receives_all();
    });
    gateway.runs_with(intercepting());
    auto client = network.client("10.0.1.2").dials("10.0.2.11:80");
    client.sends(request("GET", "/", "a.example"));
    ASSERT_TRUE(eventually([&] { return asked.load(); }));

    gateway.process().signal(SIGTERM);
    EXPECT_TRUE(gateway.notifications().heard("STOPPING=1"));
    EXPECT_TRUE(gateway.is_running());
    EXPECT_THAT(gateway.rules(), HasSubstr("divert")) << "connections under way need it";
    go = true;

    EXPECT_EQ(receive_message(client).body, "at last");
    EXPECT_EQ(gateway.process().wait().exit_code, 0);
}

TEST_F(Reload, EndsWhatIsUnderWayWhenTheTimeToDrainIsOver)
{
    using Clock = std::chrono::steady_clock;
    constexpr Milliseconds drain{2'000};
    Origin origin(network.servers(), "10.0.2.11:8001", echoes_lines());
    Origin origin_v6(network.servers(), "[fd00:2::11]:8001", echoes_lines());
    gateway.runs_with(intercepting("timeouts: {drain: 2s}\n"));
    std::vector<Socket> streams;
    for (int each = 0; each < 50; ++each) {
        streams.push_back(each % 2 == 0 ? network.client("10.0.1.3").dials("10.0.2.11:8001")
                                        : network.client("fd00:1::3").dials("[fd00:2::11]:8001"));
        ASSERT_TRUE(talks(streams.back())) << each;
    }

    const auto told = Clock::now();
    gateway.process().signal(SIGTERM);
    ASSERT_TRUE(gateway.notifications().heard("STOPPING=1"));
    int rounds = 0;
    for (; Clock::now() - told < drain * 3 / 4; ++rounds)
        for (auto& stream : streams) ASSERT_TRUE(talks(stream)) << "round " << rounds;
    EXPECT_GT(rounds, 0);
    const auto ended = gateway.process().wait();
    const auto took = std::chrono::duration_cast<Milliseconds>(Clock::now() - told);

    EXPECT_EQ(ended.exit_code, 0);
    EXPECT_GE(took, drain) << "it did not wait for them";
    EXPECT_LE(took, drain + Milliseconds{1'000});
    for (auto& stream : streams) {
        EXPECT_EQ(stream.receives_all(), "");
        EXPECT_TRUE(stream.at_end());
    }
    EXPECT_EQ(gateway.rules(), "");
    std::printf("%d rounds of 50 streams after the signal, ended after %ld ms\n", rounds,
                static_cast<long>(took.count()));
}

// --- listening sockets that are closed, by a reload or at the end: who was told that he is connected is served

/// Connects again and again, asks, and counts who connected and got no whole answer. Being refused is no failure.
class Connectors {
public:
    Connectors(const Network& network, std::string to, int count = 3)
    {
        for (int each = 0; each < count; ++each)
            threads_.emplace_back([this, &network, to] {
                const auto client = network.client("10.0.1.4");
                while (!stop_) connect_once(client, to);
            });
    }
    ~Connectors() { end(); }
    Connectors(const Connectors&) = delete;
    Connectors& operator=(const Connectors&) = delete;

    void end()
    {
        stop_ = true;
        for (auto& thread : threads_)
            if (thread.joinable()) thread.join();
    }
    int answered() const { return answered_; }
    int refused() const { return refused_; }
    int cut() const { return cut_; }
    bool are_answered(int more) const
    {
        const int before = answered_;
        return eventually([&] { return answered_ >= before + more; });
    }

private:
    void connect_once(const Client& client, const std::string& to)
    {
        auto socket = client.dials(to, 0, Milliseconds{300});
        if (!socket.connected()) {
            ++refused_;
            return;
        }
        const bool fine = socket.sends(request("GET", "/", "a.example")) && receive_message(socket).whole;
        ++(fine ? answered_ : cut_);
    }

    std::atomic<bool> stop_{false};
    std::atomic<int> answered_{0}, refused_{0}, cut_{0};
    std::vector<std::thread> threads_;
};

struct Place {
    const char* name;
    const char* to; // where clients connect; nobody but the gateway is there
    const char* listener;
};
constexpr std::array places{
    Place{"bind", "10.0.1.1:8500", "{name: b, protocol: http, bind: [\"10.0.1.1:8500\"]}"},
    Place{"tproxy", "10.0.2.11:80", "{name: t, intercept: {to: [10.0.2.11], ports: [80]}}"},
    Place{"redirect", "10.0.2.11:80", "{name: r, intercept: {mode: redirect, to: [10.0.2.11], ports: [80]}}"},
};

class Closing : public Appliance, public ::testing::WithParamInterface<Place> {
protected:
    static std::string with(const Place& place)
    {
        return "listeners: [" + std::string(place.listener) + "]\nroutes: [{to: \"respond:200 fine\"}]";
    }
    static constexpr std::string_view without = "listeners: []\nroutes: [{to: \"respond:200 fine\"}]";

    /// The listener goes and comes back, again and again, under load.
    void cuts_nobody(int turns, const std::function<void()>& go_and_come)
    {
        const auto& place = GetParam();
        gateway.runs_with(with(place));
        Connectors clients(network, place.to);
        for (int turn = turns_wanted(turns); turn > 0; --turn) {
            ASSERT_TRUE(clients.are_answered(20));
            go_and_come();
        }
        clients.end();
        EXPECT_EQ(clients.cut(), 0);
        std::printf("%s: %d answered, %d not connected, %d cut\n", place.name, clients.answered(), clients.refused(),
                    clients.cut());
    }
};

TEST_P(Closing, ByAReloadCutsNobodyWhoIsConnected)
{
    cuts_nobody(10, [this] {
        gateway.reloads(without);
        gateway.reloads(with(GetParam()));
    });
}

TEST_P(Closing, AtTheEndCutsNobodyWhoIsConnected)
{
    cuts_nobody(8, [this] {
        gateway.stops();
        gateway.runs_again();
    });
}

/// The gateway has answered its first packet, and the client's second one is lost on the way.
TEST_P(Closing, WaitsForWhoIsAboutToBeConnected)
{
    const auto& place = GetParam();
    gateway.runs_with(with(place));
    for (const bool at_the_end : {false, true}) {
        somebody_adds(network.clients(), "table ip far {\n"
                                         "  chain out { type filter hook output priority 0;\n"
                                         "    tcp flags & (syn | ack) == ack drop\n"
                                         "  }\n}\n");
        auto client = network.client("10.0.1.2").dials(place.to);
        ASSERT_TRUE(client.connected());
        client.sends(request("GET", "/", "a.example"));
        run_well({"nft", "delete", "table", "ip", "far"}, network.clients().place());
        if (at_the_end)
            gateway.process().signal(SIGTERM);
        else
            gateway.reloads(without);
        EXPECT_THAT(receive_message(client).body, HasSubstr("fine")) << (at_the_end ? "at the end" : "by a reload");
        if (at_the_end)
            EXPECT_EQ(gateway.process().wait().exit_code, 0);
        else
            gateway.reloads(with(place));
    }
}

INSTANTIATE_TEST_SUITE_P(Each, Closing, ::testing::ValuesIn(places),
                         [](const auto& each) { return std::string(each.param.name); });

TEST_F(Appliance, TakesAFirstRequestFromWhoConnectedBeforeTheEnd)
{
    gateway.runs_with("listeners: [{name: b, protocol: http, bind: [\"10.0.1.1:8500\"]}]\n"
                      "routes: [{to: \"respond:200 fine\"}]");
    const auto from = network.client("10.0.1.2");
    auto silent = from.dials("10.0.1.1:8500"), idle = from.dials("10.0.1.1:8500"), asks = from.dials("10.0.1.1:8500");
    idle.sends(request("GET", "/", "a.example"));
    EXPECT_THAT(receive_message(idle).body, HasSubstr("fine"));
    ASSERT_TRUE(eventually([&] {
        return Json::parse(gateway.ctl({"connections", "--json"}).out)["connections"].size() == 3;
    }));

    gateway.process().signal(SIGTERM);
    EXPECT_EQ(idle.receives_all(), "") << "it had its answer";
    asks.sends(request("GET", "/", "a.example"));
    EXPECT_THAT(receive_message(asks).body, HasSubstr("fine"));
    EXPECT_EQ(silent.receives_all(), "");
    EXPECT_EQ(gateway.process().wait().exit_code, 0);
}

} // namespace
} // namespace gw::lab
