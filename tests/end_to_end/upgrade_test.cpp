// Another program file takes the place of the one that runs: sockets, rules and connections stay, or nothing changes.

#include "tests/end_to_end/steady_load.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>

namespace gw::lab {
namespace {

namespace fs = std::filesystem;

/// Runs programs of its own, so that their files can be exchanged.
class Upgrade : public Appliance {
protected:
    void SetUp() override
    {
        Appliance::SetUp();
        if (HasFatalFailure() || IsSkipped()) return;
        for (const auto* name : {"gatewayd", "gatewayctl", "gateway-inspector"})
            fs::copy_file(Gateway::program_file(name), folder_.path(name));
        ::setenv("GW_PROGRAM_DIR", folder_.path().c_str(), 1);
    }
    void TearDown() override
    {
        if (cannot_run()) return;
        const int last = successor();
        if (last > 0) ::kill(last, SIGTERM);
        if (gateway.is_running()) gateway.process().signal(SIGTERM);
        EXPECT_TRUE(eventually([] { return orphans().empty(); })) << "something of the successors stays";
        ::unsetenv("GW_PROGRAM_DIR");
    }

    Json status() const { return Json::parse(gateway.ctl({"status", "--json"}).out, nullptr, false); }
    /// Who answers now, when it is not the first one.
    int successor()
    {
        const auto answer = status();
        const int serving = answer.is_object() ? answer.value("pid", -1) : -1;
        return serving == gateway.process().id() ? -1 : serving;
    }
    /// The program file is another one now, as a package leaves it.
    void installs(const std::function<void(const std::string& file)>& make) const
    {
        const auto file = folder_.path("gatewayd");
        make(file + ".new");
        fs::permissions(file + ".new", fs::perms{0755});
        fs::rename(file + ".new", file);
    }
    void installs_itself_again() const
    {
        installs([this](const std::string& file) { fs::copy_file(folder_.path("gatewayd"), file); });
    }
    void installs_text(const std::string& text) const
    {
        installs([&](const std::string& file) { std::ofstream(file) << text; });
    }

    Folder folder_;
};

int repetitions(int otherwise)
{
    const char* wanted = std::getenv("GW_SOAK_UPGRADES");
    return wanted == nullptr ? otherwise : std::atoi(wanted);
}

TEST_F(Upgrade, FailsNotOneRequestUnderLoad)
{
    Origin origin(network.servers(), "10.0.2.11:80", answers(answer(200, "fine")));
    gateway.runs_with(intercepting());
    Load kept(network, true), fresh(network, false);
    ASSERT_TRUE(eventually([&] { return kept.good > 10 && fresh.good > 10; }));

    int serving = gateway.process().id();
    for (int turn = 0; turn < repetitions(3); ++turn) {
        installs_itself_again();
        const auto upgraded = gateway.ctl({"upgrade", "--json"});
        ASSERT_EQ(upgraded.exit_code, 0) << upgraded.err << gateway.log();
        const int next = Json::parse(upgraded.out).value("pid", -1);
        EXPECT_NE(next, serving);
        EXPECT_EQ(successor(), next);
        serving = next;
        const auto before_kept = kept.good.load(), before_fresh = fresh.good.load();
        EXPECT_TRUE(eventually([&] { return kept.good > before_kept + 5 && fresh.good > before_fresh + 5; }));
    }
    kept.end();
    fresh.end();

    EXPECT_EQ(kept.bad, 0) << "of " << kept.good;
    EXPECT_EQ(fresh.bad, 0) << "of " << fresh.good;
    RecordProperty("kept_requests", kept.good);
    RecordProperty("fresh_requests", fresh.good);
    EXPECT_THAT(gateway.rules(), HasSubstr("tproxy"));
    EXPECT_EQ(status().value("state", ""), "ok") << status();
}

TEST_F(Upgrade, LeavesConnectionsUnderWayToEndInTheirOwnTime)
{
    Origin echo(network.servers(), "10.0.2.11:8001", repeats_lines());
    gateway.runs_with(intercepting());
    auto relayed = network.client("10.0.1.2").dials("10.0.2.11:8001");
    relayed.sends("\x01 one\n");
    EXPECT_EQ(relayed.receives_until("\n"), "\x01 one\n");

    ASSERT_EQ(gateway.ctl({"upgrade"}).exit_code, 0) << gateway.log();
    const int next = successor();
    relayed.sends("two\n");
    EXPECT_EQ(relayed.receives_until("\n"), "two\n") << gateway.log();
    EXPECT_TRUE(gateway.is_running()) << "the old one waits for it";
    relayed.closes();
    EXPECT_TRUE(eventually([&] { return !gateway.is_running(); })) << "and ends with it";
    EXPECT_EQ(successor(), next);
}

TEST_F(Upgrade, UpgradeAfterUpgradeLeavesConnectionsUnderWayAlone)
{
    Origin server(network.servers(), "10.0.2.11:8001", repeats_lines());
    gateway.runs_with(intercepting());
    LongRelay of_the_first(network, "10.0.2.11:8001");
    EXPECT_TRUE(of_the_first.works());
    ASSERT_EQ(gateway.ctl({"upgrade"}).exit_code, 0) << gateway.log();
    const int second = successor();
    ASSERT_EQ(gateway.ctl({"upgrade"}).exit_code, 0) << gateway.log();
    EXPECT_TRUE(eventually([&] { return ::kill(second, 0) != 0; })) << "it carries nothing, and ends";
    EXPECT_TRUE(of_the_first.works()) << gateway.log();
    LongRelay of_the_third(network, "10.0.2.11:8001", "10.0.1.3");
    EXPECT_TRUE(of_the_third.works());
    ASSERT_EQ(gateway.ctl({"upgrade"}).exit_code, 0) << gateway.log();
    EXPECT_TRUE(of_the_first.works() && of_the_third.works()) << gateway.log();
    // What only the rules of the newest one lead here goes on, too, when it has new ones.
    gateway.reloads(intercepting("routes: [{to: \"respond:204\"}]"));
    EXPECT_TRUE(of_the_first.works() && of_the_third.works()) << gateway.log();
    EXPECT_EQ(network.client("10.0.1.2").asks("http://10.0.2.11/").status, 204);

    of_the_first.closes();
    EXPECT_TRUE(eventually([&] { return !gateway.is_running(); })) << "the first ends with its last connection";
    EXPECT_TRUE(of_the_third.works());
}

TEST_F(Upgrade, LeavesNobodyBehindWhenTheNewestIsKilled)
{
    Origin server(network.servers(), "10.0.2.11:8001", repeats_lines());
    gateway.runs_with(intercepting());
    LongRelay relay(network, "10.0.2.11:8001");
    EXPECT_TRUE(relay.works());
    for (int turn = 0; turn < 2; ++turn) ASSERT_EQ(gateway.ctl({"upgrade"}).exit_code, 0) << gateway.log();
    ::kill(successor(), SIGKILL);
    EXPECT_TRUE(eventually([&] { return !gateway.is_running() && orphans().empty(); }));
    EXPECT_EQ(gateway.rules(), "");
}

TEST_F(Upgrade, AStopGivesConnectionsOfTheProcessesBeforeTheirTime)
{
    const auto before = gateway.kernel_state();
    Origin server(network.servers(), "10.0.2.11:8001", repeats_lines());
    Origin web(network.servers(), "10.0.2.11:80", answers(answer(200, "fine")));
    gateway.runs_with(intercepting());
    LongRelay relay(network, "10.0.2.11:8001");
    EXPECT_TRUE(relay.works());
    auto idle = network.client("10.0.1.3").dials("10.0.2.11:80");
    idle.sends(request("GET", "/", "a.example"));
    EXPECT_EQ(receive_message(idle).body, "fine");
    ASSERT_EQ(gateway.ctl({"upgrade"}).exit_code, 0) << gateway.log();
    const int next = successor();

    ::kill(next, SIGTERM);
    EXPECT_TRUE(gateway.notifications().heard("STOPPING=1"));
    EXPECT_EQ(idle.receives_all(), "") << "it waits for nothing";
    EXPECT_TRUE(relay.works()) << gateway.log();
    EXPECT_EQ(::kill(next, 0), 0) << "its rules are needed";
    relay.closes();
    EXPECT_TRUE(eventually([&] { return !gateway.is_running() && orphans().empty(); }));
    EXPECT_EQ(gateway.kernel_state(), before);
}

TEST_F(Upgrade, AStopEndsWhatGoesOnForLongerThanItsTime)
{
    Origin server(network.servers(), "10.0.2.11:8001", repeats_lines());
    gateway.runs_with(intercepting("timeouts: {drain: 1s}"));
    LongRelay of_the_first(network, "10.0.2.11:8001");
    EXPECT_TRUE(of_the_first.works());
    ASSERT_EQ(gateway.ctl({"upgrade"}).exit_code, 0) << gateway.log();
    LongRelay of_the_second(network, "10.0.2.11:8001", "10.0.1.3");
    EXPECT_TRUE(of_the_second.works());

    const auto start = std::chrono::steady_clock::now();
    ::kill(successor(), SIGTERM);
    EXPECT_TRUE(eventually([&] { return !gateway.is_running() && orphans().empty(); }));
    EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::seconds{1});
    EXPECT_FALSE(of_the_first.works());
    EXPECT_FALSE(of_the_second.works());
    EXPECT_EQ(gateway.rules(), "");
}

TEST_F(Upgrade, StaysWithTheOldOneWhenTheNewOneCannotHaveTheRules)
{
    gateway.runs_with(intercepting("routes: [{to: \"respond:204\"}]"));
    ASSERT_EQ(network.client("10.0.1.2").asks("http://10.0.2.11/").status, 204);
    const auto rules = gateway.rules();
    {
        // The guard's table belongs to somebody else, so nobody can exchange rules.
        const auto pipe = folder_.path("commands");
        ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
        std::ofstream commands(pipe, std::ios::in | std::ios::out);
        commands << "add table inet gateway_guard { flags owner; }\nlist tables\n" << std::flush;
        Process owner({"sh", "-c", "exec nft -i < \"$0\"", pipe}, network.gateway().place());
        ASSERT_TRUE(owner.wrote(
            [](const std::string& out, const std::string&) { return out.find("gateway_guard") != std::string::npos; }));
        const auto refused = gateway.ctl({"upgrade"});
        EXPECT_EQ(refused.exit_code, 1);
        EXPECT_THAT(refused.err, HasSubstr("rules: "));
        EXPECT_EQ(successor(), -1);
        EXPECT_EQ(network.client("10.0.1.2").asks("http://10.0.2.11/").status, 204);
        EXPECT_EQ(gateway.rules(), rules);
        EXPECT_THAT(status()["problems"].dump(), HasSubstr("rules: "));
    }
    EXPECT_TRUE(eventually([&] { return status().value("state", "") == "ok"; })) << status() << gateway.log();
    ASSERT_EQ(gateway.ctl({"upgrade"}).exit_code, 0) << gateway.log();
    EXPECT_EQ(network.client("10.0.1.2").asks("http://10.0.2.11/").status, 204);
}

TEST_F(Upgrade, ReloadsAndUpgradesAgainAfterwards)
{
    Origin origin(network.servers(), "10.0.2.11:80", answers(answer(200, "fine")));
    gateway.runs_with(intercepting());
    ASSERT_EQ(gateway.ctl({"upgrade"}).exit_code, 0) << gateway.log();
    gateway.reloads(intercepting("routes: [{to: \"respond:204\"}]"));
    EXPECT_EQ(network.client("10.0.1.2").asks("http://10.0.2.11/").status, 204);
    ASSERT_EQ(gateway.ctl({"upgrade"}).exit_code, 0) << gateway.log();
    EXPECT_EQ(network.client("10.0.1.2").asks("http://10.0.2.11/").status, 204) << "the configuration in force";
    gateway.reloads("listeners: []");
    EXPECT_TRUE(eventually([&] { return gateway.rules().empty(); })) << "once nothing is under way";
}

TEST_F(Upgrade, ToldToTheServiceManager)
{
    gateway.runs_with(intercepting());
    ASSERT_EQ(gateway.ctl({"upgrade"}).exit_code, 0) << gateway.log();
    EXPECT_TRUE(gateway.notifications().heard("MAINPID=" + std::to_string(successor())));
}

TEST_F(Upgrade, StopsWithoutATraceAfterwards)
{
    const auto before = gateway.kernel_state();
    gateway.runs_with(intercepting());
    ASSERT_EQ(gateway.ctl({"upgrade"}).exit_code, 0) << gateway.log();
    const int next = successor();
    EXPECT_TRUE(eventually([&] { return !gateway.is_running(); }));
    ::kill(next, SIGTERM);
    EXPECT_TRUE(eventually([] { return orphans().empty(); }));
    EXPECT_EQ(gateway.kernel_state(), before);
}

TEST_F(Upgrade, StaysWithTheOldOneWhenTheNewOneIsBroken)
{
    Origin origin(network.servers(), "10.0.2.11:80", answers(answer(200, "fine")));
    gateway.runs_with(intercepting());
    const auto rules = gateway.rules();
    const std::string of_another_version = R"(#!/usr/bin/env python3
import socket, struct
link = socket.socket(fileno=3)
head = link.recv(24, socket.MSG_WAITALL)
number = struct.unpack_from("=IIQII", head)[2]
text = b'{"protocol": 99, "version": "9.9"}'
link.sendall(struct.pack("=IIQII", 0x67773031, 5, number, len(text), 0) + text)
link.recv(1)
)";
    struct Row {
        const char* name;
        std::string program;
        const char* said;
    };
    for (const auto& row : {Row{"ends at once", "#!/bin/sh\nexit 1\n", "ended before it said a word"},
                            Row{"is no program", "no program\n", "ended before it said a word"},
                            Row{"hangs", "#!/bin/sh\nexec sleep 600\n", "does not answer"},
                            Row{"is of another version", of_another_version, "handover protocol 99"}}) {
        SCOPED_TRACE(row.name);
        installs_text(row.program);
        const auto refused = gateway.ctl({"upgrade"});
        EXPECT_EQ(refused.exit_code, 1);
        EXPECT_THAT(refused.err, HasSubstr(row.said));
        EXPECT_EQ(successor(), -1);
        EXPECT_EQ(network.client("10.0.1.2").asks("http://10.0.2.11/").status, 200);
        EXPECT_EQ(gateway.rules(), rules);
    }
    fs::remove(folder_.path("gatewayd"));
    EXPECT_THAT(gateway.ctl({"upgrade"}).err, HasSubstr("cannot be executed"));
    EXPECT_EQ(network.client("10.0.1.2").asks("http://10.0.2.11/").status, 200);
    gateway.reloads(intercepting("routes: [{to: \"respond:204\"}]"));
}

// --- programs that fail later

/// Stands between the keeper and the program that is to succeed it, and hands on what they say: question, configuration
/// with sockets and rules, commit. How many answers it lets by is the first line; then it ends the program.
constexpr std::string_view go_between = R"(
import os, signal, socket, struct
def message(source):
    head, descriptors, _, _ = socket.recv_fds(source, 24, 250, socket.MSG_WAITALL)
    if len(head) < 24: os._exit(1)
    size, text = struct.unpack_from("=IIQII", head)[3], b""
    while len(text) < size: text += source.recv(size - len(text))
    return head, text, descriptors
def hand_on(source, to):
    head, text, descriptors = message(source)
    socket.send_fds(to, [head], descriptors) if descriptors else to.sendall(head)
    to.sendall(text)
    for each in descriptors: os.close(each)
keeper = socket.socket(fileno=3)
ours, theirs = socket.socketpair()
child = os.fork()
if child == 0:
    os.dup2(theirs.fileno(), 3)
    os.execv(program, [program, "--role", "successor", "--link-fd", "3"])
theirs.close()
for turn in range(3):
    hand_on(keeper, ours)
    if turn < answers: hand_on(ours, keeper)
    else:
        message(ours)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os._exit(1)
)";

/// Takes everything and then says that it cannot.
constexpr std::string_view unable = R"(
import socket, struct
keeper = socket.socket(fileno=3)
for kind, text in ((5, b'{"protocol": 1, "version": "9.9"}'), (6, b"it cannot")):
    head, descriptors, _, _ = socket.recv_fds(keeper, 24, 250, socket.MSG_WAITALL)
    size, number = struct.unpack_from("=IIQII", head)[3], struct.unpack_from("=IIQII", head)[2]
    while size > 0: size -= len(keeper.recv(size))
    keeper.sendall(struct.pack("=IIQII", 0x67773031, kind, number, len(text), 0) + text)
keeper.recv(1)
)";

TEST_F(Upgrade, GoesOnAsBeforeWhenTheNewOneFailsInTheMiddleOfIt)
{
    Origin origin(network.servers(), "10.0.2.11:80", answers(answer(200, "fine")));
    const std::string closed =
        "listeners: [{name: web, intercept: {to: [10.0.2.0/24], ports: [80], when_down: reject}}]\n";
    gateway.runs_with(closed);
    const auto rules = gateway.rules();
    fs::copy_file(Gateway::program_file("gatewayd"), folder_.path("real"));
    const std::string python = "#!/usr/bin/env python3\n";
    const auto between = python + "program = \"" + folder_.path("real") + "\"\nanswers = ";
    Load kept(network, true), fresh(network, false);
    ASSERT_TRUE(eventually([&] { return kept.good > 10 && fresh.good > 10; }));

    struct Row {
        const char* name;
        std::string program;
        int lost; ///< requests that its data process may have had under way
    };
    for (const auto& row : {Row{"cannot take over", python + std::string(unable), 0},
                            Row{"dies when it serves beside the old one", between + "1\n" + std::string(go_between), 1},
                            Row{"dies with rules and sockets taken", between + "2\n" + std::string(go_between), 1}}) {
        SCOPED_TRACE(row.name);
        const int failed_before = fresh.bad;
        installs_text(row.program);
        const auto refused = gateway.ctl({"upgrade"});
        EXPECT_EQ(refused.exit_code, 1) << refused.out;
        EXPECT_THAT(refused.err, HasSubstr("this process goes on as before"));
        EXPECT_EQ(successor(), -1);
        const auto before_kept = kept.good.load(), before_fresh = fresh.good.load();
        EXPECT_TRUE(eventually([&] { return kept.good > before_kept + 5 && fresh.good > before_fresh + 5; }));
        EXPECT_LE(fresh.bad - failed_before, row.lost);
        EXPECT_EQ(gateway.rules(), rules);
        EXPECT_TRUE(eventually([&] { return status().value("state", "") == "ok"; })) << status();
    }
    EXPECT_EQ(kept.bad, 0) << "of " << kept.good;

    // It still has everything: to reload, and to hand it over.
    gateway.reloads(closed + "routes: [{path: /new, to: \"respond:204\"}]");
    installs([this](const std::string& file) { fs::copy_file(folder_.path("real"), file); });
    ASSERT_EQ(gateway.ctl({"upgrade"}).exit_code, 0) << gateway.log();
    EXPECT_EQ(network.client("10.0.1.2").asks("http://10.0.2.11/new").status, 204);
}

TEST_F(Upgrade, GoesToAnOlderVersionAndBack)
{
    Origin origin(network.servers(), "10.0.2.11:80", answers(answer(200, "fine")));
    gateway.runs_with(intercepting());
    const auto version = status().value("version", "");
    ASSERT_GE(version.size(), 5u);
    auto older = version;
    older.replace(older.size() - 3, 3, "0.9"); // as long as before, so that it fits into the program
    ASSERT_NE(older, version);
    auto program = read_file(Gateway::program_file("gatewayd"));
    int exchanged = 0;
    for (auto found = program.find(version + '\0'); found != std::string::npos;
         found = program.find(version + '\0', found + 1), ++exchanged)
        program.replace(found, version.size(), older);
    ASSERT_GT(exchanged, 0);
    fs::copy_file(Gateway::program_file("gatewayd"), folder_.path("newer"));
    Load kept(network, true), fresh(network, false);
    ASSERT_TRUE(eventually([&] { return kept.good > 10 && fresh.good > 10; }));

    for (const bool back : {false, true}) {
        back ? installs([this](const std::string& file) { fs::copy_file(folder_.path("newer"), file); })
             : installs_text(program);
        const auto changed = gateway.ctl({"upgrade", "--json"});
        ASSERT_EQ(changed.exit_code, 0) << changed.err << gateway.log();
        EXPECT_EQ(Json::parse(changed.out).value("from", ""), back ? older : version);
        EXPECT_EQ(status().value("version", ""), back ? version : older);
        const auto before_kept = kept.good.load(), before_fresh = fresh.good.load();
        EXPECT_TRUE(eventually([&] { return kept.good > before_kept + 5 && fresh.good > before_fresh + 5; }));
        EXPECT_THAT(gateway.rules(), HasSubstr("tproxy"));
    }
    kept.end();
    fresh.end();
    EXPECT_EQ(kept.bad, 0) << "of " << kept.good;
    EXPECT_EQ(fresh.bad, 0) << "of " << fresh.good;
}

} // namespace
} // namespace gw::lab
