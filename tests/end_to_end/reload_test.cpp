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

} // namespace
} // namespace gw::lab
