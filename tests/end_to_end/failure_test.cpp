// What holds while the gateway is down is what `when_down` says, however it went down: counted at the server.

#include "tests/end_to_end/fault_matrix.h"
#include "tests/support/lab_datagram.h"

#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <set>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <thread>

namespace gw::lab {
namespace {

using Clock = std::chrono::steady_clock;

long since(Clock::time_point start)
{
    return static_cast<long>(std::chrono::duration_cast<Milliseconds>(Clock::now() - start).count());
}

std::string closing(const std::string& when_down, const std::string& mode = "tproxy")
{
    return "listeners:\n  - name: web\n    intercept: {mode: " + mode +
           ", to: [10.0.2.0/24, \"fd00:2::/64\"], ports: [80], when_down: " + when_down + "}\n" +
           std::string(CountingSite::marking);
}

class Failure : public Appliance {
protected:
    Json status() const { return Json::parse(gateway.ctl({"status", "--json"}).out, nullptr, false); }
    int process_of(const Fault& fault) const
    {
        return fault.is_of_keeper() ? gateway.process().id() : status().value("data_pid", -1);
    }
    bool heart_beats() const
    {
        const auto set = run({"nft", "list", "set", "inet", "gateway", "alive"}, network.gateway().place()).out;
        return set.find("elements") != std::string::npos;
    }
    std::string guard() const
    {
        return run({"nft", "-s", "list", "table", "inet", "gateway_guard"}, network.gateway().place()).out;
    }
    std::string alone() const { return gateway.kernel_state(); }
};

class FailureMatrix : public Failure,
                      public ::testing::WithParamInterface<std::tuple<const char*, const char*, Fault>> {};

TEST_P(FailureMatrix, HoldsWhatWasChosen)
{
    const auto [mode, when_down, fault] = GetParam();
    FaultRow(network, gateway, fault, when_down).holds(closing(when_down, mode), mode, [this] {
        return !heart_beats();
    });
}

std::string name_of_row(const ::testing::TestParamInfo<std::tuple<const char*, const char*, Fault>>& row)
{
    return std::string(std::get<1>(row.param)) + '_' + std::get<2>(row.param).name();
}

INSTANTIATE_TEST_SUITE_P(Tproxy, FailureMatrix,
                         ::testing::Combine(::testing::Values("tproxy"), ::testing::Values("pass", "reject", "drop"),
                                            ::testing::ValuesIn(faults)),
                         name_of_row);
INSTANTIATE_TEST_SUITE_P(Redirect, FailureMatrix,
                         ::testing::Combine(::testing::Values("redirect"), ::testing::Values("pass", "reject", "drop"),
                                            ::testing::ValuesIn(faults)),
                         name_of_row);

/// One thread of a process, held where it is while the others go on.
class HeldThread {
public:
    explicit HeldThread(int id) : id_(id)
    {
        EXPECT_EQ(::ptrace(PTRACE_SEIZE, id_, nullptr, nullptr), 0) << std::strerror(errno);
        EXPECT_EQ(::ptrace(PTRACE_INTERRUPT, id_, nullptr, nullptr), 0) << std::strerror(errno);
        int status = 0;
        EXPECT_EQ(::waitpid(id_, &status, __WALL), id_);
    }
    ~HeldThread() { ::ptrace(PTRACE_DETACH, id_, nullptr, nullptr); }
    HeldThread(const HeldThread&) = delete;
    HeldThread& operator=(const HeldThread&) = delete;

private:
    int id_;
};

TEST_F(Failure, OfAKeeperThatIsBusyIsNoneUntilItHangs)
{
    BothFamilies load(network);
    gateway.runs_with(closing("pass"));
    ASSERT_TRUE(load.are_inspected(10)) << gateway.log();
    const int before = load.uninspected();
    const auto held = Clock::now();
    {
        const HeldThread keeper(gateway.process().id());
        // Longer than a beat lasts, and shorter than what is allowed.
        EXPECT_TRUE(eventually([&] { return since(held) > 6'000; }));
        EXPECT_TRUE(heart_beats()) << "inspected as long as it may be only busy";
        EXPECT_TRUE(load.are_inspected(5));
        EXPECT_EQ(load.uninspected(), before);
        EXPECT_TRUE(eventually([&] { return !heart_beats(); }, Milliseconds{20'000}));
        std::printf("the heartbeat of a keeper that hangs ended after %ld ms\n", since(held));
        EXPECT_GT(since(held), 9'000);
        EXPECT_TRUE(load.pass_by(5)) << "when_down holds";
        EXPECT_THAT(gateway.log(), HasSubstr("the keeper has been busy for more than 10 s"));
    }
    EXPECT_TRUE(load.are_inspected(10));
    EXPECT_TRUE(heart_beats());
}

/// Asks by UDP all the time, each time from a port of its own.
class DatagramAsker {
public:
    DatagramAsker(const Network& network, std::string client, std::string to)
        : thread_([this, &network, client = std::move(client), to = *Endpoint::parse(to)] {
              while (!stop_) {
                  DatagramSocket socket(network.clients(), {Address::parse(client).value(), 0});
                  socket.sends(to, "hello");
                  ++(socket.receives(impatient) ? good_ : bad_);
                  std::this_thread::sleep_for(Milliseconds{5}); // a light load
              }
          })
    {}
    ~DatagramAsker()
    {
        stop_ = true;
        thread_.join();
    }
    int good() const { return good_; }
    int bad() const { return bad_; }

private:
    std::atomic<bool> stop_{false};
    std::atomic<int> good_{0}, bad_{0};
    std::thread thread_;
};

class FailureOfDatagrams : public Failure, public ::testing::WithParamInterface<std::tuple<const char*, Fault>> {};

TEST_P(FailureOfDatagrams, HoldsWhatWasChosen)
{
    const auto [when_down, fault] = GetParam();
    const bool open = std::string_view(when_down) == "pass";
    const auto yaml = "listeners: [{name: udp, intercept: {transport: udp, to: [10.0.2.0/24, \"fd00:2::/64\"], ports: "
                      "[5000], when_down: " +
                      std::string(when_down) + "}}]\n";
    const Arrivals arrivals(network);
    DatagramServer v4(network.servers(), "10.0.2.11:5000", echoes_datagrams());
    DatagramServer v6(network.servers(), "[fd00:2::11]:5000", echoes_datagrams());
    const DatagramAsker askers[]{{network, "10.0.1.2", "10.0.2.11:5000"}, {network, "fd00:1::2", "[fd00:2::11]:5000"}};
    const auto answered = [&](int more) {
        const std::array before{askers[0].good(), askers[1].good()};
        return eventually([&] { return askers[0].good() >= before[0] + more && askers[1].good() >= before[1] + more; });
    };
    ASSERT_TRUE(answered(1));
    ASSERT_GE(arrivals.by().packets, 2) << "what is not inspected is not seen here";
    gateway.runs_with(yaml);
    ASSERT_TRUE(eventually([&] { return arrivals.ours() > 10; }) && answered(5)) << gateway.log();
    const bool keeper = fault.is_of_keeper();
    if (fault.is_kill() && !keeper) {
        ASSERT_TRUE(eventually([&] { return status().value("standby_ready", false); }));
    }
    const auto before = arrivals.by();
    const int process = process_of(fault);
    ASSERT_GT(process, 0);

    ASSERT_EQ(::kill(process, fault.signal), 0);
    if (!fault.is_kill()) {
        EXPECT_TRUE(eventually([&] { return !heart_beats(); })) << "the heart goes on beating";
    }
    if (fault.is_kill() && keeper) gateway.process().wait();
    if (!fault.is_kill() || keeper) {
        const auto down = arrivals.by();
        const std::array bad{askers[0].bad(), askers[1].bad()};
        EXPECT_TRUE(eventually([&] {
            return open ? arrivals.by().packets >= down.packets + 10
                        : askers[0].bad() >= bad[0] + 3 && askers[1].bad() >= bad[1] + 3;
        })) << "nothing happened";
    }

    if (fault.is_kill() && keeper) {
        EXPECT_TRUE(eventually([] { return orphans().empty(); }));
        gateway.runs_with(yaml);
    }
    const auto ours = arrivals.ours();
    if (!fault.is_kill()) ::kill(process, SIGCONT); // may have been replaced meanwhile
    EXPECT_TRUE(eventually([&] { return arrivals.ours() > ours + 10; }) && answered(5)) << gateway.log();
    const auto after = arrivals.by();
    EXPECT_TRUE(answered(5));
    EXPECT_EQ(arrivals.by(), after) << "inspected again, and yet something passes by";
    std::printf("udp %s, %s: %ld datagrams not inspected, %d without an answer\n", when_down, fault.name().c_str(),
                after.packets - before.packets, askers[0].bad() + askers[1].bad());
    if (!open) {
        EXPECT_EQ(after, before) << "datagrams passed that nobody inspected";
    }
}

std::string name_of_datagram_row(const ::testing::TestParamInfo<std::tuple<const char*, Fault>>& row)
{
    return name_of_row({{"", std::get<0>(row.param), std::get<1>(row.param)}, row.index});
}

INSTANTIATE_TEST_SUITE_P(Udp, FailureOfDatagrams,
                         ::testing::Combine(::testing::Values("pass", "reject"), ::testing::ValuesIn(faults)),
                         name_of_datagram_row);
INSTANTIATE_TEST_SUITE_P(UdpDropped, FailureOfDatagrams,
                         ::testing::Combine(::testing::Values("drop"), ::testing::Values(faults[0], faults[1])),
                         name_of_datagram_row);

class CrashLoop : public Failure, public ::testing::WithParamInterface<const char*> {};

TEST_P(CrashLoop, HoldsWhatWasChosenUntilItEnds)
{
    const bool open = std::string_view(GetParam()) == "pass";
    const Arrivals arrivals(network);
    BothFamilies load(network);
    ASSERT_TRUE(load.pass_by(1));
    gateway.runs_with(closing(GetParam()));
    ASSERT_TRUE(load.are_inspected(5)) << gateway.log();
    const auto before = arrivals.by();

    // Whatever starts is killed at once.
    std::atomic<bool> ended{false};
    std::set<int> seen;
    std::thread killer([&] {
        while (!ended) {
            for (const int id : gateway.process_ids("gateway-data"))
                if (seen.insert(id).second) ::kill(id, SIGKILL);
            std::this_thread::sleep_for(Milliseconds{2}); // others want to run, too
        }
    });
    const auto start = Clock::now();
    EXPECT_TRUE(eventually([&] { return !heart_beats(); })) << "the heart goes on beating";
    EXPECT_TRUE(open ? load.pass_by(5) : load.are_refused(5));
    EXPECT_TRUE(eventually([&] { return status().is_object(); })) << "the keeper answers all the time";
    ended = true;
    killer.join();
    const auto lasted = since(start);
    EXPECT_LE(seen.size(), 2u + 12u) << "pauses of 0.1, 0.2, 0.4 s and so on between them";

    const auto up = Clock::now();
    EXPECT_TRUE(load.are_inspected(5, Milliseconds{30'000})) << gateway.log();
    const auto back = since(up);
    // The first were perhaps those that had waited in the listening sockets since one of the processes had beaten.
    EXPECT_TRUE(eventually([&] { return heart_beats(); }));
    EXPECT_TRUE(load.are_inspected(5));
    const auto after = arrivals.by();
    EXPECT_TRUE(load.are_inspected(5));
    EXPECT_EQ(arrivals.by(), after) << "inspected again, and yet something passes by";
    load.end();
    if (!open) {
        EXPECT_EQ(after, before) << "packets passed that nobody inspected";
    }
    std::printf("%s: %zu killed in %ld ms, %ld packets passed, inspected %ld ms after the last\n", GetParam(),
                seen.size(), lasted, after.packets - before.packets, back);
    RecordProperty("starts", static_cast<int>(seen.size()));
    RecordProperty("inspected_again_after_ms", static_cast<int>(back));
}

INSTANTIATE_TEST_SUITE_P(OfTheDataProcess, CrashLoop, ::testing::Values("pass", "reject", "drop"),
                         [](const auto& row) { return std::string(row.param); });

TEST_F(Failure, StaysClosedAfterAnOrderlyStopAndUntilTheNextStart)
{
    BothFamilies load(network);
    EXPECT_TRUE(load.pass_by(3));
    gateway.runs_with(closing("reject"));
    ASSERT_TRUE(load.are_inspected(5));
    const int before = load.uninspected();
    gateway.stops();
    EXPECT_EQ(gateway.rules(), "");
    EXPECT_TRUE(load.are_refused(10));
    gateway.runs_with(closing("drop"));
    ASSERT_TRUE(load.are_inspected(5));
    EXPECT_EQ(load.uninspected(), before);

    gateway.reloads(closing("pass"));
    EXPECT_EQ(guard(), "");
    gateway.stops();
    EXPECT_TRUE(load.pass_by(5));
}

TEST_F(Failure, IsClosedFromTheStartOn)
{
    BothFamilies load(network);
    EXPECT_TRUE(load.pass_by(3));
    // It comes so far as its guard, and then no further: the port is taken.
    Origin taken(network.gateway(), "10.0.1.1:8500", echoes());
    gateway.refuses("listeners: [{name: web, intercept: {to: [10.0.2.0/24, \"fd00:2::/64\"], ports: [80], when_down: "
                    "reject}}, {name: b, bind: [\"10.0.1.1:8500\"]}]");
    const int before = load.uninspected();
    EXPECT_TRUE(load.are_refused(5));
    EXPECT_LE(load.uninspected(), before + 2) << "those that were under way";
}

/// Only the first piece of a packet says for which port it is.
TEST_F(Failure, IsClosedForPacketsInPieces)
{
    Origin origin(network.servers(), "10.0.2.11:80", echoes_lines());
    DatagramServer server(network.servers(), "10.0.2.11:5000", echoes_datagrams());
    const Pieces client(network);
    auto open = client.dials("10.0.2.11:80"); // before there was a gateway
    ASSERT_TRUE(talks(open));
    for (const std::string mode : {"tproxy", "redirect"}) {
        gateway.runs_with("listeners:\n  - {name: web, intercept: {mode: " + mode +
                          ", to: [10.0.2.0/24], ports: [80], when_down: drop}}\n"
                          "  - {name: udp, intercept: {transport: udp, to: [10.0.2.0/24], ports: [5000], "
                          "when_down: drop}}\n");
        gateway.is_killed();
        const Arrivals arrivals(network);
        const auto pieces = client.sent();
        open.sends(std::string(4'000, 'x'));
        DatagramSocket socket(client.place(), *Endpoint::parse("10.0.3.2:0"));
        socket.sends(*Endpoint::parse("10.0.2.11:5000"), std::string(4'000, 'x'));
        ASSERT_TRUE(eventually([&] { return client.sent() > pieces + 7; })) << "nothing was taken to pieces";
        EXPECT_FALSE(socket.receives(Milliseconds{300}));
        EXPECT_EQ(arrivals.by(), Arrivals::Count{}) << mode;
    }
}

TEST_F(Failure, IsClosedForDestinationsThatARuleOfOthersExchangesForAnother)
{
    run_well({"nft",
              "table ip nat { chain pre { type nat hook prerouting priority dstnat; ip daddr 10.0.2.77 tcp dport "
              "80 dnat to 10.0.2.11:8080; }; }"},
             network.gateway().place());
    CountingSite site(network.servers(), "10.0.2.11:8080");
    const auto status = [this] {
        auto socket = network.client("10.0.1.2").dials("10.0.2.77:80", 0, Milliseconds{500});
        return socket.connected() && socket.sends(request("GET", "/", "site.example")) &&
               socket.receives_within(Milliseconds{1'000}).starts_with("HTTP/1.1 200");
    };
    EXPECT_TRUE(status());
    gateway.runs_with(closing("reject"));
    gateway.stops();
    EXPECT_FALSE(status());
    EXPECT_EQ(site.uninspected(), 1);
    gateway.runs_with(closing("pass"));
    gateway.stops();
    EXPECT_TRUE(status());
}

TEST_F(Failure, AConfigurationWithoutInterceptionTakesAwayWhatAKilledGatewayLeft)
{
    const auto before = alone();
    gateway.runs_with(closing("reject"));
    gateway.is_killed();
    EXPECT_NE(alone(), before);
    gateway.runs_with("listeners: [{name: b, bind: [\"10.0.1.1:8500\"]}]");
    EXPECT_EQ(alone(), before);
}

/// Everything of this namespace that can be set.
std::string settings_of(const Network& network)
{
    return run({"sh", "-c",
                "find /proc/sys/net -type f -readable ! -name 'nf_conntrack_count' "
                "! -name 'entropy_avail' -exec grep -H . {} + 2>/dev/null | sort"},
               network.gateway().place())
        .out;
}

TEST_F(Failure, ChangesNoSettingOfTheKernel)
{
    const auto before = settings_of(network);
    ASSERT_GT(before.size(), 10'000u);
    gateway.runs_with(closing("reject"));
    EXPECT_EQ(settings_of(network), before);
    gateway.is_killed();
    gateway.runs_with(closing("pass"));
    gateway.stops();
    EXPECT_EQ(settings_of(network), before);
}

TEST_F(Failure, LeavesNothingOfOursAndTouchesNothingOfOthersWhenKilledAtAnyMoment)
{
    const auto place = network.gateway().place();
    run_well({"nft",
              "table ip theirs { chain post { type nat hook postrouting priority 100; }; set s { type ipv4_addr; flags "
              "interval; elements = { 10.0.0.0/8 }; }; }; table inet theirs { chain f { type filter hook forward "
              "priority 0; policy accept; tcp dport 7 counter drop; }; }"},
             place);
    network.gateway().configures("rule add fwmark 0x80000/0xff0000 lookup 52 priority 5210\n"
                                 "route add local 10.9.0.0/16 dev lo table 52\n"
                                 "rule add from 10.0.0.1 lookup 52 priority 773 protocol kernel\n");
    const auto theirs = alone();
    const auto settings = settings_of(network);
    const char* asked = std::getenv("GW_SOAK_KILLS");
    const int kills = asked != nullptr ? std::atoi(asked) : 20;
    unsigned random = 20'240'607;
    for (int turn = 0; turn < kills; ++turn) {
        random = random * 1'103'515'245U + 12'345U;
        gateway.is_given(closing(turn % 2 == 0 ? "pass" : "reject"));
        {
            // Killed with all its children when the test lets go of it.
            Process process({Gateway::program_file("gatewayd"), "--config", gateway.configuration_file()}, place);
            std::this_thread::sleep_for(Milliseconds{random / 65'536 % 300}); // the moment varies on purpose
            ::kill(process.id(), SIGKILL);
            process.wait();
        }
        ASSERT_TRUE(eventually([] { return orphans().empty(); }));
        ASSERT_EQ(gateway.rules(), "") << "after kill " << turn;
    }
    gateway.runs_with(closing("pass"));
    gateway.stops();
    EXPECT_EQ(alone(), theirs);
    EXPECT_EQ(settings_of(network), settings);
    std::printf("%d kills\n", kills);
}

} // namespace
} // namespace gw::lab
