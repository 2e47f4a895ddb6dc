// A configuration is applied, tried, confirmed, taken back; whatever dies meanwhile, what was not confirmed does not
// stay, and a gateway that worked yesterday works after the next start.

#include "tests/end_to_end/reload_load.h"
#include "tests/end_to_end/scene.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>

namespace gw::lab {
namespace {

class Apply : public Appliance {
protected:
    int answer_now() const
    {
        const auto answer = network.client("10.0.1.2").asks("http://10.0.2.11/");
        EXPECT_NE(answer.status, 0) << answer.said << gateway.log() << gateway.process().out();
        return answer.status;
    }
    /// Answers each request with this status. What it is need not be found out, which takes a client that is in time.
    std::string answering(int status) const
    {
        return "listeners:\n"
               "  - {name: web, intercept: {to: [10.0.2.0/24], ports: [80]}, protocol: http}\n"
               "  - {name: other, intercept: {to: [10.0.2.0/24], ports: [8000-8100]}, protocol: tcp}\n"
               "routes: [{to: \"respond:" +
               std::to_string(status) + " x\"}]\nadmin: {socket: " + gateway.socket_file() + "}\n";
    }
    std::string file(int status) const { return folder_.write("new.yaml", answering(status)); }
    std::string on_disk() const { return read_file(gateway.configuration_file()); }
    Json asks(Command words) const
    {
        words.push_back("--json");
        return Json::parse(gateway.ctl(words).out, nullptr, false);
    }
    Json status() const { return asks({"status"}); }
    bool known_good() const
    {
        return eventually([&] { return status().value("known_good", false); });
    }
    bool answers_again(int status) const
    {
        return eventually([&] { return answer_now() == status; });
    }
    static bool mentions(const Json& status, std::string_view word)
    {
        return status["problems"].dump().find(word) != std::string::npos;
    }
    Folder folder_;
};

// --- diff

TEST_F(Apply, IsPrecededByADiffThatSaysWhatWouldChange)
{
    gateway.runs_with(answering(201));
    const auto nothing = gateway.ctl({"diff"});
    EXPECT_EQ(nothing.exit_code, 0);
    EXPECT_EQ(nothing.out, "");

    auto changed = answering(202);
    changed.replace(changed.find("8000-8100"), 9, "8000-8200");
    const auto shown = gateway.ctl({"diff", folder_.write("new.yaml", changed)});
    EXPECT_EQ(shown.exit_code, 1) << shown.err;
    EXPECT_THAT(shown.out, HasSubstr("\n-routes: [{to: \"respond:201 x\"}]\n"));
    EXPECT_THAT(shown.out, HasSubstr("\n+routes: [{to: \"respond:202 x\"}]\n"));
    EXPECT_THAT(shown.out, HasSubstr("~ routes[any].to: respond:201 x -> respond:202 x"));
    EXPECT_THAT(shown.out, HasSubstr("+ listeners[other].intercept.ports: 8000-8200"));
    EXPECT_THAT(shown.out, HasSubstr("+++ kernel rules"));
    EXPECT_THAT(shown.out, Not(HasSubstr("\x1b"))) << "colour without a terminal";
    EXPECT_EQ(answer_now(), 201) << "nothing has changed";

    const auto json = asks({"diff", folder_.path("new.yaml")});
    EXPECT_FALSE(json.value("same", true));
    EXPECT_EQ(json["files"].size(), 1u);
    EXPECT_EQ(json["changes"].size(), 3u) << json["changes"];
}

TEST_F(Apply, HasADiffThatTellsTroubleFromDifference)
{
    gateway.runs_with(answering(201));
    EXPECT_EQ(gateway.ctl({"diff", "/nowhere.yaml"}).exit_code, 2);
    const auto wrong = gateway.ctl({"diff", folder_.write("wrong.yaml", "listeners: []\nlistners: []\n")});
    EXPECT_EQ(wrong.exit_code, 2);
    EXPECT_THAT(wrong.err, HasSubstr("listners"));
    gateway.is_given(answering(203));
    EXPECT_EQ(gateway.ctl({"diff"}).exit_code, 1) << "the daemon's own file has changed";
}

// --- apply

TEST_F(Apply, PutsAFileInForceAndKeepsIt)
{
    gateway.runs_with(answering(201));
    ASSERT_EQ(::chmod(gateway.configuration_file().c_str(), 0640), 0);
    const auto applied = gateway.ctl({"apply", file(202)});
    EXPECT_EQ(applied.exit_code, 0) << applied.err;
    EXPECT_EQ(answer_now(), 202);
    EXPECT_EQ(on_disk(), answering(202));
    struct stat about {};
    ASSERT_EQ(::stat(gateway.configuration_file().c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 07777, 0640u);

    gateway.is_killed();
    gateway.runs_again();
    EXPECT_EQ(answer_now(), 202);
    EXPECT_EQ(status().value("state", ""), "ok");
}

TEST_F(Apply, ChangesNothingWhenTheFileIsWrong)
{
    gateway.runs_with(answering(201));
    const auto before = on_disk();
    for (const auto* wrong : {"listeners: [", "listeners: []\nlistners: []\n",
                              "listeners: []\nwaf: {mode: detect, rules: [/nowhere.conf]}\n"}) {
        const auto refused = gateway.ctl({"apply", folder_.write("wrong.yaml", wrong), "--confirm"});
        EXPECT_EQ(refused.exit_code, 1) << wrong;
        EXPECT_FALSE(refused.err.empty());
        EXPECT_EQ(gateway.ctl({"apply", folder_.path("wrong.yaml")}).exit_code, 1) << wrong;
        EXPECT_EQ(answer_now(), 201);
        EXPECT_EQ(on_disk(), before);
        EXPECT_TRUE(status()["pending_confirm"].is_null());
    }
    EXPECT_NE(gateway.ctl({"apply", "/nowhere.yaml"}).exit_code, 0);
    EXPECT_EQ(gateway.ctl({"rollback"}).exit_code, 1) << "there was nothing before";
}

TEST_F(Apply, RefusesWhatIsLargerThanItTakes)
{
    gateway.runs_with(answering(201));
    const auto large = folder_.write("large.yaml", answering(202) + '#' + std::string(9 * 1024 * 1024, 'x') + '\n');
    const auto refused = gateway.ctl({"apply", large});
    EXPECT_EQ(refused.exit_code, 5);
    EXPECT_THAT(refused.err, HasSubstr("413"));
    const auto fits = folder_.write("fits.yaml", answering(203) + '#' + std::string(3 * 1024 * 1024, 'x') + '\n');
    const auto applied = gateway.ctl({"apply", fits});
    EXPECT_EQ(applied.exit_code, 0) << applied.err.substr(0, 1'000);
    EXPECT_EQ(answer_now(), 203);
}

TEST_F(Apply, LooksForIncludedFilesBesideTheDaemonsOwn)
{
    gateway.runs_with(answering(201));
    const auto folder = std::filesystem::path(gateway.configuration_file()).parent_path().string();
    std::filesystem::create_directory(folder + "/conf.d");
    std::ofstream(folder + "/conf.d/r.yaml") << "routes: [{path: /included, to: \"respond:207 x\"}]\n";
    const auto text = answering(202) + "include: \"conf.d/*.yaml\"\n";
    const auto applied = gateway.ctl({"apply", folder_.write("new.yaml", text)});
    EXPECT_EQ(applied.exit_code, 0) << applied.err;
    EXPECT_EQ(on_disk(), text);

    // Going back is to what was in force, included files and all.
    std::ofstream(folder + "/conf.d/r.yaml") << "routes: []\n";
    EXPECT_EQ(gateway.ctl({"apply", file(203)}).exit_code, 0);
    const auto back = gateway.ctl({"rollback"});
    EXPECT_EQ(back.exit_code, 0) << back.err;
    EXPECT_THAT(read_file(folder + "/conf.d/r.yaml"), HasSubstr("respond:207"));
    EXPECT_EQ(gateway.ctl({"diff"}).exit_code, 0);
}

// --- on trial

TEST_F(Apply, KeepsWhatIsConfirmed)
{
    gateway.runs_with(answering(201));
    const auto before = on_disk();
    const auto tried = gateway.ctl({"apply", file(202), "--confirm", "60s", "--no-wait"});
    EXPECT_EQ(tried.exit_code, 0) << tried.err;
    EXPECT_EQ(answer_now(), 202);
    EXPECT_EQ(on_disk(), before) << "not before it is confirmed";
    const auto pending = status()["pending_confirm"];
    EXPECT_GT(pending.value("seconds_left", 0), 30);
    EXPECT_LE(pending.value("seconds_left", 0), 60);
    EXPECT_THAT(gateway.ctl({"status"}).out, HasSubstr("gatewayctl confirm"));

    EXPECT_EQ(gateway.ctl({"confirm"}).exit_code, 0);
    EXPECT_EQ(on_disk(), answering(202));
    EXPECT_TRUE(status()["pending_confirm"].is_null());
    const auto again = gateway.ctl({"confirm"});
    EXPECT_EQ(again.exit_code, 1);
    EXPECT_THAT(again.err, HasSubstr("nothing"));
    gateway.is_killed();
    gateway.runs_again();
    EXPECT_EQ(answer_now(), 202);
}

TEST_F(Apply, GoesBackByItselfAndDropsNobody)
{
    Origin echo(network.servers(), "10.0.2.11:8001", [](Origin::Connection& connection) {
        for (std::string said; !(said = connection.receives_until("\n")).empty();)
            if (!connection.sends(said)) return;
    });
    gateway.runs_with(answering(201));
    auto relayed = network.client("10.0.1.2").dials("10.0.2.11:8001");
    relayed.sends("\x01 one\n");
    EXPECT_EQ(relayed.receives_until("\n"), "\x01 one\n");

    const auto waited = gateway.ctl({"apply", file(202), "--confirm", "2s"});
    EXPECT_EQ(waited.exit_code, 1);
    EXPECT_THAT(waited.err, HasSubstr("not confirmed"));
    EXPECT_EQ(answer_now(), 201);
    EXPECT_EQ(on_disk(), answering(201));
    relayed.sends("two\n");
    EXPECT_EQ(relayed.receives_until("\n"), "two\n");
    EXPECT_EQ(status().value("generation", 0), 3);
    EXPECT_EQ(status()["last_trial"].value("ended", ""), "went back");
    EXPECT_EQ(gateway.ctl({"confirm"}).exit_code, 1) << "too late";
}

TEST_F(Apply, TellsTheOneWhoWaitsThatAnotherHasConfirmed)
{
    gateway.runs_with(answering(201));
    Process waiting(
        {Gateway::program_file("gatewayctl"), "--socket", gateway.socket_file(), "apply", file(202), "--confirm=60s"},
        network.gateway().place());
    ASSERT_TRUE(answers_again(202));
    EXPECT_EQ(gateway.ctl({"confirm"}).exit_code, 0);
    const auto said = waiting.wait();
    EXPECT_EQ(said.exit_code, 0) << said.err;
    EXPECT_THAT(said.out, HasSubstr("confirmed"));
}

TEST_F(Apply, GoesBackThoughTheOneWhoWaitsIsInterruptedOrKilled)
{
    gateway.runs_with(answering(201));
    for (const int signal : {SIGINT, SIGKILL}) {
        Process waiting({Gateway::program_file("gatewayctl"), "--socket", gateway.socket_file(), "apply", file(202),
                         "--confirm=3s"},
                        network.gateway().place());
        ASSERT_TRUE(answers_again(202));
        ASSERT_TRUE(eventually([&] { return waiting.out().find("on trial") != std::string::npos; }));
        waiting.signal(signal);
        const auto said = waiting.wait();
        if (signal == SIGINT) {
            EXPECT_EQ(said.exit_code, 130);
            EXPECT_THAT(said.err, HasSubstr("the trial goes on"));
        }
        EXPECT_TRUE(answers_again(201)) << signal;
    }
}

TEST_F(Apply, IsRefusedAndSoIsReloadWhileOneIsOnTrial)
{
    gateway.runs_with(answering(201));
    ASSERT_EQ(gateway.ctl({"apply", file(202), "--confirm", "--no-wait"}).exit_code, 0);
    EXPECT_GT(status()["pending_confirm"].value("seconds_left", 0), 100) << "120 s unless said otherwise";
    for (const auto& words : {Command{"apply", file(203)}, Command{"reload"}, Command{"apply", "--confirm"}}) {
        const auto refused = gateway.ctl(words);
        EXPECT_EQ(refused.exit_code, 1) << words[0];
        EXPECT_THAT(refused.err, HasSubstr("gatewayctl confirm"));
    }
    gateway.process().signal(SIGHUP);
    EXPECT_TRUE(eventually([&] { return gateway.log().find("is on trial") != std::string::npos; }));
    EXPECT_EQ(answer_now(), 202);
    const auto back = gateway.ctl({"rollback"});
    EXPECT_EQ(back.exit_code, 0) << back.err;
    EXPECT_EQ(answer_now(), 201);
    EXPECT_TRUE(status()["pending_confirm"].is_null());
    EXPECT_EQ(on_disk(), answering(201));
}

TEST_F(Apply, ServesTheOneBeforeWhenItIsKilledDuringATrial)
{
    gateway.runs_with(answering(201));
    ASSERT_EQ(gateway.ctl({"apply", file(202), "--confirm", "--no-wait"}).exit_code, 0);
    EXPECT_EQ(answer_now(), 202);
    gateway.is_killed();
    gateway.runs_again();
    EXPECT_EQ(answer_now(), 201);
    EXPECT_FALSE(status()["dropped_trial"].is_null());
    EXPECT_THAT(gateway.log(), HasSubstr("never confirmed"));
    EXPECT_EQ(gateway.ctl({"confirm"}).exit_code, 1);
}

TEST_F(Apply, ServesTheOneBeforeThoughTheFileItselfWasEditedForTheTrial)
{
    gateway.runs_with(answering(201));
    gateway.is_given(answering(202));
    ASSERT_EQ(gateway.ctl({"apply", "--confirm", "--no-wait"}).exit_code, 0);
    EXPECT_EQ(answer_now(), 202);
    for (int start = 0; start < 2; ++start) {
        gateway.is_killed();
        gateway.runs_again();
        EXPECT_EQ(answer_now(), 201);
        EXPECT_TRUE(mentions(status(), "not confirmed")) << status()["problems"];
        EXPECT_EQ(gateway.ctl({"status"}).exit_code, 1);
    }
    EXPECT_EQ(gateway.ctl({"reload"}).exit_code, 0) << "somebody has decided";
    EXPECT_EQ(answer_now(), 202);
    gateway.is_killed();
    gateway.runs_again();
    EXPECT_EQ(answer_now(), 202);
    EXPECT_EQ(status().value("state", ""), "ok");
}

TEST_F(Apply, RemembersAfterATrialThatTheEditedFileWasNotConfirmed)
{
    gateway.runs_with(answering(201));
    gateway.is_given(answering(202));
    EXPECT_EQ(gateway.ctl({"apply", "--confirm", "1s"}).exit_code, 1);
    EXPECT_EQ(answer_now(), 201);
    EXPECT_TRUE(mentions(status(), "not confirmed"));
    gateway.stops();
    gateway.runs_again();
    EXPECT_EQ(answer_now(), 201);
    gateway.is_given(answering(203));
    gateway.stops();
    gateway.runs_again();
    EXPECT_EQ(answer_now(), 203) << "another file is another matter";
}

// --- rollback

TEST_F(Apply, GoesBackAsFarAsAsked)
{
    gateway.runs_with(answering(201));
    for (int status = 202; status <= 203; ++status) ASSERT_EQ(gateway.ctl({"apply", file(status)}).exit_code, 0);
    const auto list = asks({"rollback", "--list"})["history"];
    ASSERT_EQ(list.size(), 3u);
    EXPECT_EQ(list[0].value("back", -1), 0);
    EXPECT_EQ(list[2].value("how", ""), "start");
    const auto back = gateway.ctl({"rollback", "2"});
    EXPECT_EQ(back.exit_code, 0) << back.err;
    EXPECT_EQ(answer_now(), 201);
    EXPECT_EQ(on_disk(), answering(201));
    EXPECT_EQ(gateway.ctl({"rollback"}).exit_code, 0) << "and back again";
    EXPECT_EQ(answer_now(), 203);
    EXPECT_EQ(gateway.ctl({"rollback", "77"}).exit_code, 1);
    EXPECT_EQ(gateway.ctl({"rollback", "0"}).exit_code, 2);
    gateway.is_killed();
    gateway.runs_again();
    EXPECT_EQ(answer_now(), 203);
}

// --- the start

TEST_F(Apply, StartsWithTheLastKnownGoodWhenTheFileIsBad)
{
    gateway.runs_with(answering(201));
    ASSERT_TRUE(known_good());
    for (const auto* wrong : {"listeners: [", "listeners: []\nlistners: []\n",
                              "listeners: []\nwaf: {mode: detect, rules: [/nowhere.conf]}\n"}) {
        gateway.is_killed();
        gateway.is_given(wrong);
        gateway.runs_again();
        EXPECT_EQ(answer_now(), 201) << wrong;
        EXPECT_TRUE(mentions(status(), "last-known-good")) << status();
        EXPECT_EQ(gateway.ctl({"status"}).exit_code, 1);
        EXPECT_THAT(gateway.log(), HasSubstr("LAST-KNOWN-GOOD"));
    }
    gateway.is_killed();
    std::filesystem::remove(gateway.configuration_file());
    gateway.runs_again();
    EXPECT_EQ(answer_now(), 201) << "without a file";
    gateway.is_given(answering(202));
    EXPECT_EQ(gateway.ctl({"reload"}).exit_code, 0);
    EXPECT_EQ(answer_now(), 202);
    EXPECT_EQ(status().value("state", ""), "ok");
}

TEST_F(Apply, StartsWithNothingElseWhereThatIsWanted)
{
    gateway.runs_with(answering(201));
    gateway.stops();
    gateway.is_started_with({"--strict-start"});
    const auto refused = gateway.refuses("listeners: [");
    EXPECT_THAT(refused.err, HasSubstr("not started"));
    EXPECT_EQ(refused.exit_code, 78) << "the service manager is not to try again";
}

TEST_F(Apply, StartsWithTheLastKnownGoodWhenAPortOfTheNewOneIsTaken)
{
    Origin taken(network.gateway(), "10.0.1.1:8500", echoes());
    gateway.runs_with(answering(201));
    gateway.stops();
    gateway.is_given(answering(202).replace(0, 11, "listeners:\n  - {name: b, bind: [\"10.0.1.1:8500\"]}\n"));
    gateway.runs_again();
    EXPECT_EQ(answer_now(), 201);
    EXPECT_TRUE(mentions(status(), "8500")) << status();
}

TEST_F(Apply, GoesBackToTheLastKnownGoodWhenTheFirstSecondsAreACrashLoop)
{
    gateway.runs_with(answering(201));
    gateway.stops();
    gateway.is_given(answering(202));
    gateway.runs_again();
    int last = 0;
    for (int killed = 0; killed < 3; ++killed) {
        ASSERT_TRUE(
            eventually([&] { return status().value("data_pid", 0) > 0 && status().value("data_pid", 0) != last; }));
        last = status().value("data_pid", 0);
        ::kill(last, SIGKILL);
        eventually([&] { return status().value("data_restarts", 0) > killed; });
    }
    EXPECT_TRUE(eventually([&] { return mentions(status(), "last-known-good"); })) << status();
    EXPECT_TRUE(answers_again(201));
}

TEST_F(Apply, GoesBackToTheLastKnownGoodWhenStartAfterStartEndsSoon)
{
    gateway.runs_with(answering(201));
    gateway.stops();
    gateway.is_given(answering(202));
    for (int start = 0; start < 3; ++start) {
        gateway.runs_again();
        EXPECT_EQ(answer_now(), 202) << start;
        gateway.is_killed();
    }
    gateway.runs_again();
    EXPECT_EQ(answer_now(), 201);
    EXPECT_TRUE(mentions(status(), "starts ended soon")) << status();
}

// --- the disk

TEST_F(Apply, ChangesNothingWhenTheDiskIsFull)
{
    const auto state = folder_.path("small");
    std::filesystem::create_directory(state);
    run_well({"mount", "-t", "tmpfs", "-o", "size=64k", "none", state});
    const struct Unmount {
        std::string at;
        ~Unmount() { run({"umount", "--lazy", at}); }
    } unmount{state};
    gateway.is_started_with({"--state-dir", state});
    gateway.runs_with(answering(201));
    ASSERT_TRUE(known_good());
    const auto before = on_disk();
    const auto large = folder_.write("large.yaml", answering(202) + '#' + std::string(200'000, 'x') + '\n');
    for (const auto& words : {Command{"apply", large}, Command{"apply", large, "--confirm", "--no-wait"}}) {
        const auto refused = gateway.ctl(words);
        EXPECT_EQ(refused.exit_code, 5) << refused.out;
        EXPECT_THAT(refused.err, HasSubstr("No space left"));
        EXPECT_EQ(answer_now(), 201);
        EXPECT_EQ(on_disk(), before);
    }
    // A reload is somebody's decision, and needs no room: it is in force, and said not to be kept.
    gateway.is_given(read_file(large));
    const auto reloaded = gateway.ctl({"reload"});
    EXPECT_EQ(answer_now(), 202) << reloaded.err;
    EXPECT_TRUE(mentions(status(), "No space left")) << status();
    EXPECT_EQ(gateway.ctl({"apply", file(203)}).exit_code, 0) << "a small one has room";
    EXPECT_EQ(answer_now(), 203);
    EXPECT_EQ(status().value("state", ""), "ok");
}

TEST_F(Apply, ServesWithoutAStateDirectoryAndSaysSo)
{
    gateway.is_started_with({"--state-dir", "/proc/self/nowhere"});
    gateway.runs_with(answering(201));
    EXPECT_EQ(answer_now(), 201);
    EXPECT_TRUE(mentions(status(), "/proc/self/nowhere")) << status();
    const auto refused = gateway.ctl({"apply", file(202), "--confirm"});
    EXPECT_EQ(refused.exit_code, 5);
    EXPECT_THAT(refused.err, HasSubstr("--state-dir"));
    EXPECT_EQ(gateway.ctl({"apply", file(202)}).exit_code, 0);
    EXPECT_EQ(on_disk(), answering(202));
}

// --- under load

TEST_F(Apply, FailsNotOneRequestWhateverIsAppliedAndTakenBack)
{
    Origin origin(network.servers(), "10.0.2.11:80", answers(answer(200, "fine")));
    gateway.runs_with(intercepting("admin: {socket: " + gateway.socket_file() + "}\n"));
    Crowd kept(network, true), fresh(network, false);
    ASSERT_TRUE(eventually([&] { return kept.good() > 10 && fresh.good() > 10; }));
    const auto turns = turns_wanted(100);
    for (int turn = 0; turn < turns; ++turn) {
        const auto before = kept.good() + fresh.good();
        const auto file = folder_.write(
            "new.yaml", intercepting("routes: [{path: /turn" + std::to_string(turn) +
                                     ", to: \"respond:204\"}]\nadmin: {socket: " + gateway.socket_file() + "}\n"));
        const bool on_trial = turn % 4 == 3;
        const auto applied =
            gateway.ctl(on_trial ? Command{"apply", file, "--confirm", "--no-wait"} : Command{"apply", file});
        ASSERT_EQ(applied.exit_code, 0) << applied.err;
        if (turn % 2 == 1) {
            const auto back = gateway.ctl({"rollback"});
            ASSERT_EQ(back.exit_code, 0) << back.err;
        }
        eventually([&] { return kept.good() + fresh.good() > before + 5; });
    }
    std::printf("%d turns\n", turns);
    kept.expect_no_failure("kept alive");
    fresh.expect_no_failure("new connections");
}

} // namespace
} // namespace gw::lab
