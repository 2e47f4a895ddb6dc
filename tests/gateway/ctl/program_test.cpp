#include "tests/gateway/ctl/fake_daemon.h"
#include "tests/gateway/ctl/sample.h"
#include "tests/gateway/ctl/shell.h"

#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <gmock/gmock.h>

extern char** environ;

/// The program itself, as it is called.
namespace gw::ctl {
namespace {

using testing::FakeDaemon;
using ::testing::HasSubstr;
using testing::ok_json;
using testing::Ran;

const std::string program = std::string(GW_PROGRAM_DIR) + "/gatewayctl";

class Program : public ::testing::Test {
protected:
    void SetUp() override
    {
        if (::access(program.c_str(), X_OK) != 0) GTEST_SKIP() << program << " is not built";
    }
    /// Standard output only, unless `arguments` say otherwise.
    Ran gatewayctl(const std::string& arguments, const std::string& socket = "/nonexistent/control.sock")
    {
        return testing::run_shell("GATEWAY_SOCKET=" + socket + ' ' + program + ' ' + arguments);
    }
    std::string written(const std::string& name, const std::string& text)
    {
        std::ofstream(folder_.file(name)) << text;
        return folder_.file(name);
    }
    testing::TemporaryFolder folder_;
};

FakeDaemon::Reply by_path(std::map<std::string, std::string> answers)
{
    return [answers = std::move(answers)](const std::string& request) {
        const auto begin = request.find(' ') + 1;
        const auto found = answers.find(request.substr(begin, request.find_first_of(" ?", begin) - begin));
        return found == answers.end() ? ok_json(R"({"error":"no such resource"})", "404 Not Found") : found->second;
    };
}

TEST_F(Program, ChecksAGoodFile)
{
    const auto file = testing::golden_file("gateway.yaml");
    const auto ran = gatewayctl("check " + file);
    EXPECT_EQ(ran.exit, 0);
    EXPECT_EQ(ran.output, file + ": ok, 3 listeners, 7 routes\n");
    EXPECT_EQ(gatewayctl("check --json " + file).output,
              R"({"ok":true,"file":")" + file + "\",\"problems\":[],\"warnings\":[]}\n");
}

TEST_F(Program, ShowsEveryProblemOfABadFileWithItsLine)
{
    const auto file = written("bad.yaml", "listeners:\n  - intercept: {to: [192.0.2.0/24], prots: [80]}\nwat: 1\n");
    const auto ran = gatewayctl("check " + file + " 2>/dev/null");
    EXPECT_EQ(ran.exit, 1);
    EXPECT_THAT(ran.output, HasSubstr("bad.yaml:2:"));
    EXPECT_THAT(ran.output, HasSubstr("did you mean \"ports\"?"));
    EXPECT_THAT(ran.output, HasSubstr("bad.yaml:3:"));
    EXPECT_THAT(ran.output, HasSubstr("^"));
    const auto json = gatewayctl("check --json " + file);
    EXPECT_EQ(json.exit, 1);
    EXPECT_THAT(json.output, HasSubstr(R"({"ok":false,)"));
    EXPECT_THAT(json.output, HasSubstr(R"("path":"listeners[0].intercept)"));
}

TEST_F(Program, ShowsProblemsOnlyTheRoutesKnowOf)
{
    const auto file = written("bad.yaml", "listeners:\n  - bind: [\"0.0.0.0:80\"]\nroutes:\n  - {host: a, to: "
                                          "\"http://10.0.0.1/:nobody\"}\n");
    const auto ran = gatewayctl("check " + file + " 2>&1");
    EXPECT_EQ(ran.exit, 1);
    EXPECT_THAT(ran.output, HasSubstr("bad.yaml:4:"));
    EXPECT_THAT(ran.output, HasSubstr("one problem"));
}

TEST_F(Program, SaysThatAFileIsNotThere)
{
    const auto ran = gatewayctl("check " + folder_.file("none.yaml") + " 2>&1");
    EXPECT_EQ(ran.exit, 1);
    EXPECT_THAT(ran.output, HasSubstr("none.yaml"));
}

TEST_F(Program, ExplainsARequestWithoutADaemon)
{
    const auto config = " --config " + testing::golden_file("gateway.yaml");
    const auto ran = gatewayctl("explain http://shop.example.org/old/x --to 192.0.2.10" + config);
    EXPECT_EQ(ran.exit, 0);
    EXPECT_THAT(ran.output, HasSubstr("ask http://10.0.0.2:8080/new/x"));
    EXPECT_EQ(ran.output.find('\x1b'), std::string::npos); // no terminal, no colour
    const auto json = gatewayctl("explain http://192.0.2.10/ --json" + config);
    EXPECT_EQ(json.exit, 0);
    EXPECT_THAT(json.output, HasSubstr(R"("destination_from":"the URL")"));
    EXPECT_EQ(gatewayctl("explain 'ftp://x' 2>/dev/null" + config).exit, 2);
    EXPECT_EQ(gatewayctl("explain a.example --client nobody 2>/dev/null" + config).exit, 2);
    EXPECT_EQ(gatewayctl("explain a.example --to nowhere 2>/dev/null" + config).exit, 2);
    EXPECT_EQ(gatewayctl("explain a.example --header nothing 2>/dev/null" + config).exit, 2);
    EXPECT_EQ(gatewayctl("explain 192.0.2.10 --listener nobody 2>/dev/null" + config).exit, 2);
    EXPECT_EQ(gatewayctl("explain a.example/%00 2>/dev/null" + config).exit, 1);
    EXPECT_EQ(gatewayctl("explain a.example --config /nonexistent.yaml 2>/dev/null").exit, 1);
}

TEST_F(Program, ShowsTheRulesAFileWouldGiveAndThatThePortsAreExamples)
{
    const auto ran = gatewayctl("rules show --config " + testing::golden_file("gateway.yaml"));
    EXPECT_EQ(ran.exit, 0);
    EXPECT_THAT(ran.output, HasSubstr("# the listeners' ports (40001 and up) are examples"));
    EXPECT_THAT(ran.output, HasSubstr("table inet gateway"));
    EXPECT_THAT(ran.output, HasSubstr("192.0.2.0/24"));
}

TEST_F(Program, EndsWithTheDocumentedCodes)
{
    EXPECT_EQ(gatewayctl("frobnicate 2>/dev/null").exit, 2);
    EXPECT_EQ(gatewayctl("2>/dev/null").exit, 2);
    EXPECT_EQ(gatewayctl("--help").exit, 0);
    EXPECT_EQ(gatewayctl("status 2>/dev/null").exit, 3);
    EXPECT_EQ(gatewayctl("reload 2>/dev/null").exit, 3);
    EXPECT_EQ(gatewayctl("log --follow 2>/dev/null").exit, 3);
    EXPECT_EQ(gatewayctl("apply --confirm 120s 2>/dev/null").exit, 3);
    EXPECT_EQ(gatewayctl("diff 2>/dev/null").exit, 2) << "trouble, as diff(1) has it";
    const auto tunnel = gatewayctl("tunnel list 2>&1");
    EXPECT_EQ(tunnel.exit, 2);
    EXPECT_EQ(tunnel.output, "gatewayctl: \"tunnel\" is not supported yet\n");
    const FakeDaemon forbids([](const std::string&) { return ok_json(R"({"error":"no"})", "403 Forbidden"); });
    EXPECT_EQ(gatewayctl("status 2>/dev/null", forbids.path()).exit, 4);
    const FakeDaemon fails([](const std::string&) { return ok_json(R"({"error":"no"})", "500 Oops"); });
    EXPECT_EQ(gatewayctl("status 2>/dev/null", fails.path()).exit, 5);
    EXPECT_EQ(gatewayctl("metrics > /dev/full 2>/dev/null", fails.path()).exit, 5);
    EXPECT_EQ(gatewayctl("version > /dev/full 2>/dev/null").exit, 5);
}

TEST_F(Program, SaysItsVersionWithAndWithoutADaemon)
{
    EXPECT_EQ(gatewayctl("version 2>/dev/null").exit, 0);
    EXPECT_THAT(gatewayctl("version 2>/dev/null").output, ::testing::MatchesRegex("gatewayctl [0-9.]+\n"));
    const FakeDaemon daemon(by_path({{"/v1/version", ok_json(R"({"version":"9.8.7","pid":4})")}}));
    EXPECT_THAT(gatewayctl("version", daemon.path()).output, HasSubstr("\ngatewayd 9.8.7, pid 4\n"));
    EXPECT_THAT(gatewayctl("version --json", daemon.path()).output,
                HasSubstr(R"("gatewayd":{"version":"9.8.7","pid":4})"));
    EXPECT_THAT(gatewayctl("version --json").output, HasSubstr(R"("gatewayd":null)"));
}

TEST_F(Program, PrintsTheDaemonsJsonOrATable)
{
    const auto status = testing::content_of(testing::golden_file("status.json"));
    const FakeDaemon daemon(by_path({{"/v1/status", ok_json(status)},
                                     {"/v1/routes", ok_json(R"({"routes":[]})")},
                                     {"/v1/connections", ok_json(R"({"connections":[]})")},
                                     {"/v1/metrics", ok_json("gateway_workers 2\n")}}));
    const auto table = gatewayctl("status", daemon.path());
    EXPECT_EQ(table.exit, 1); // degraded
    EXPECT_EQ(table.output, testing::content_of(testing::golden_file("status.txt")));
    const auto json = gatewayctl("status --json", daemon.path());
    EXPECT_EQ(json.exit, 1);
    EXPECT_THAT(json.output, HasSubstr(R"({"version":"0.1.0","pid":412,)"));
    EXPECT_EQ(gatewayctl("routes --json", daemon.path()).output, "{\"routes\":[]}\n");
    EXPECT_EQ(gatewayctl("connections --json", daemon.path()).output, "{\"connections\":[]}\n");
    EXPECT_EQ(gatewayctl("metrics", daemon.path()).output, "gateway_workers 2\n");
}

TEST_F(Program, ExplainsAConnectionOfTheDaemonsWithItsRules)
{
    const FakeDaemon daemon(
        by_path({{"/v1/connections/abcde0.7",
                  ok_json(R"({"id":"abcde0.7","live":true,"state":"relaying","client":"198.51.100.7:40000",)"
                          R"("capture":{"listener":"web","kind":"intercept","destination":"192.0.2.10:443"}})")},
                 {"/v1/rules",
                  ok_json(R"({"nft":"add rule inet gateway x ip daddr 192.0.2.0/24 comment \"capture web\""})")}}));
    const auto text = gatewayctl("explain abcde0.7", daemon.path());
    EXPECT_EQ(text.exit, 0) << text.output;
    EXPECT_THAT(text.output, HasSubstr("abcde0.7, under way: relaying"));
    EXPECT_THAT(text.output, HasSubstr("rule add rule inet gateway x ip daddr 192.0.2.0/24"));
    const auto json = gatewayctl("explain abcde0.7 --json", daemon.path());
    EXPECT_THAT(json.output, HasSubstr(R"("rules":["add rule inet gateway x)"));
}

TEST_F(Program, SaysWhenThereIsNoSuchConnection)
{
    const FakeDaemon daemon(
        [](const std::string&) { return ok_json(R"({"error":"no such connection"})", "404 Not Found"); });
    const auto answer = gatewayctl("explain 192.0.2.1:4000", daemon.path());
    EXPECT_EQ(answer.exit, 1) << answer.output;
}

TEST_F(Program, TellsRulesThatAreMissing)
{
    const FakeDaemon daemon(by_path(
        {{"/v1/rules",
          ok_json(
              R"({"installed":true,"missing":"chain prerouting","nft":"table inet gateway {}\n","ip":"ip -4\n"})")}}));
    const auto ran = gatewayctl("rules show 2>&1", daemon.path());
    EXPECT_EQ(ran.exit, 1);
    EXPECT_THAT(ran.output, HasSubstr("table inet gateway {}\n\nip -4\n"));
    EXPECT_THAT(ran.output, HasSubstr("missing in the kernel: chain prerouting"));
}

TEST_F(Program, SaysWhatBecameOfAReload)
{
    const FakeDaemon good(by_path({{"/v1/reload", ok_json(R"({"ok":true,"generation":5})")}}));
    const auto ran = gatewayctl("reload", good.path());
    EXPECT_EQ(ran.exit, 0);
    EXPECT_EQ(ran.output, "reloaded: generation 5 is in force\n");
    EXPECT_THAT(good.requests().at(0), HasSubstr("POST /v1/reload "));

    const FakeDaemon bad(by_path(
        {{"/v1/reload",
          ok_json(
              R"({"ok":false,"error":"the configuration is wrong","problems":[{"where":"f:1:2","path":"x","what":"y","text":"f:1:2: x: y\n  1 | x\n    | ^"}]})",
              "422 Unprocessable Content")}}));
    const auto failed = gatewayctl("reload 2>&1", bad.path());
    EXPECT_EQ(failed.exit, 1);
    EXPECT_THAT(failed.output, HasSubstr("the configuration before stays in force:\nf:1:2: x: y\n"));
}

TEST_F(Program, AsksTheDaemonToFilterTheLog)
{
    const FakeDaemon daemon(
        by_path({{"/v1/log", ok_json(R"({"next":3,"dropped":0,"records":[{"time":"t","kind":"request"},{"a":1}]})")}}));
    const auto ran = gatewayctl("log --json --status 5xx --host a.example -n 7", daemon.path());
    EXPECT_EQ(ran.exit, 0);
    EXPECT_EQ(ran.output, "{\"time\":\"t\",\"kind\":\"request\"}\n{\"a\":1}\n");
    EXPECT_THAT(daemon.requests().at(0), HasSubstr("GET /v1/log?status=5xx&host=a.example&limit=7 "));
}

/// Runs the program with its standard output going to a pipe.
class Running {
public:
    Running(const std::string& socket, std::vector<std::string> arguments)
    {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
        output_.reset(ends[0]);
        Descriptor write_end(ends[1]);
        arguments.insert(arguments.begin(), {program, "--socket", socket});
        std::vector<char*> words;
        for (auto& argument : arguments) words.push_back(argument.data());
        words.push_back(nullptr);
        pid_ = ::fork();
        if (pid_ != 0) return;
        ::dup2(write_end.number(), STDOUT_FILENO);
        ::execv(program.c_str(), words.data());
        ::_exit(127);
    }
    int pid() const { return pid_; }
    void stop_reading() { output_.reset(); }
    std::string read_until(const std::string& mark)
    {
        std::string text;
        char c = 0;
        while (text.find(mark) == std::string::npos && ::read(output_.number(), &c, 1) == 1) text += c;
        return text;
    }
    /// As a shell counts.
    int wait()
    {
        int status = 0;
        ::waitpid(pid_, &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1'000 + WTERMSIG(status);
    }

private:
    Descriptor output_;
    int pid_ = -1;
};

/// Answers the first question at once, later ones with one more record each.
FakeDaemon::Reply growing_log()
{
    return [next = 1](const std::string&) mutable {
        ++next;
        return ok_json("{\"next\":" + std::to_string(next) +
                       ",\"dropped\":0,\"records\":[{\"n\":" + std::to_string(next) + "}]}");
    };
}

TEST_F(Program, FollowsTheLogUntilItIsInterrupted)
{
    const FakeDaemon daemon(growing_log());
    Running running(daemon.path(), {"log", "--follow", "--json"});
    EXPECT_THAT(running.read_until("{\"n\":4}\n"), HasSubstr("{\"n\":2}\n{\"n\":3}\n{\"n\":4}\n"));
    ::kill(running.pid(), SIGINT);
    running.read_until("never there"); // drains, so that it cannot wait for us
    EXPECT_EQ(running.wait(), 130);
    EXPECT_THAT(daemon.requests().at(1), HasSubstr("after=2&limit=10000&wait_ms=10000 "));
}

TEST_F(Program, EndsQuietlyWhenItsReaderGoesAway)
{
    const FakeDaemon daemon(growing_log());
    Running running(daemon.path(), {"log", "--follow", "--json"});
    running.read_until("{\"n\":3}\n");
    running.stop_reading();
    EXPECT_EQ(running.wait(), 0);
}

TEST_F(Program, WatchesTheStatusUntilItIsInterrupted)
{
    const auto status = testing::content_of(testing::golden_file("status.json"));
    const FakeDaemon daemon(by_path({{"/v1/status", ok_json(status)}}));
    Running running(daemon.path(), {"status", "--watch", "--json"});
    EXPECT_THAT(running.read_until("\n"), HasSubstr("\"generation\":4"));
    ::kill(running.pid(), SIGINT);
    running.read_until("never there");
    EXPECT_EQ(running.wait(), 130);
}

} // namespace
} // namespace gw::ctl
