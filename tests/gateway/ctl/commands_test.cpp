#include "gateway/ctl/commands.h"

#include <gmock/gmock.h>

namespace gw::ctl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Invocation understood(std::vector<std::string> arguments, std::string_view socket = "")
{
    auto parsed = parse_command_line(std::move(arguments), socket, "1.2.3");
    if (const auto* ending = std::get_if<Ending>(&parsed)) {
        ADD_FAILURE() << ending->text;
        return {};
    }
    return std::get<Invocation>(parsed);
}

Ending ending_of(std::vector<std::string> arguments)
{
    auto parsed = parse_command_line(std::move(arguments), "", "1.2.3");
    if (const auto* ending = std::get_if<Ending>(&parsed)) return *ending;
    ADD_FAILURE() << "was understood";
    return {};
}

TEST(CommandLine, NamesEachCommand)
{
    EXPECT_EQ(understood({"status"}).command, Command::status);
    EXPECT_EQ(understood({"check"}).command, Command::check);
    EXPECT_EQ(understood({"reload"}).command, Command::reload);
    EXPECT_EQ(understood({"explain", "a.example"}).command, Command::explain);
    EXPECT_EQ(understood({"rules", "show"}).command, Command::rules_show);
    EXPECT_EQ(understood({"routes"}).command, Command::routes);
    EXPECT_EQ(understood({"connections"}).command, Command::connections);
    EXPECT_EQ(understood({"log"}).command, Command::log);
    EXPECT_EQ(understood({"metrics"}).command, Command::metrics);
    EXPECT_EQ(understood({"completion", "zsh"}).command, Command::completion);
    EXPECT_EQ(understood({"version"}).command, Command::version);
}

TEST(CommandLine, TakesTheSocketFromOptionThenEnvironmentThenDefault)
{
    EXPECT_EQ(understood({"status"}).socket, "/run/gateway/control.sock");
    EXPECT_EQ(understood({"status"}, "/env.sock").socket, "/env.sock");
    EXPECT_EQ(understood({"--socket", "/a.sock", "status"}, "/env.sock").socket, "/a.sock");
    EXPECT_EQ(understood({"status", "--socket", "/a.sock"}, "/env.sock").socket, "/a.sock");
    EXPECT_EQ(understood({"rules", "show", "--socket=/a.sock"}).socket, "/a.sock");
}

TEST(CommandLine, TakesWhatExplainIsAskedWith)
{
    const auto asked = understood({"explain", "https://a.example/x", "--config", "f.yaml", "--method", "POST",
                                   "--client", "192.0.2.1", "--to", "192.0.2.2:81", "--listener", "web", "--header",
                                   "A: b", "--header", "C: d", "--all", "--json"});
    EXPECT_EQ(asked.url, "https://a.example/x");
    EXPECT_EQ(asked.file, "f.yaml");
    EXPECT_EQ(asked.method, "POST");
    EXPECT_EQ(asked.client, "192.0.2.1");
    EXPECT_EQ(asked.to, "192.0.2.2:81");
    EXPECT_EQ(asked.listener, "web");
    EXPECT_EQ(asked.headers, (std::vector<std::string>{"A: b", "C: d"}));
    EXPECT_TRUE(asked.all);
    EXPECT_TRUE(asked.json);
    EXPECT_EQ(understood({"explain", "--header", "A: b", "a.example"}).url, "a.example");
}

TEST(CommandLine, TakesTheFiltersOfLog)
{
    const auto asked = understood({"log", "-f", "-n", "5", "--kind", "request", "--status", "5xx", "--client",
                                   "10.0.0.0/8", "--host", "a", "--route", "3", "--verdict", "block"});
    EXPECT_TRUE(asked.live);
    EXPECT_EQ(asked.lines, 5);
    EXPECT_EQ(asked.kind, "request");
    EXPECT_EQ(asked.status, "5xx");
    EXPECT_EQ(asked.client, "10.0.0.0/8");
    EXPECT_EQ(asked.host, "a");
    EXPECT_EQ(asked.route, "3");
    EXPECT_EQ(asked.verdict, "block");
}

TEST(CommandLine, RefusesByNameWhatDoesNotExistYet)
{
    for (const std::string name : {"waf", "ban", "pool", "tunnel", "certificate", "support-bundle"}) {
        const auto ending = ending_of({name, "--confirm", "120s"});
        EXPECT_EQ(ending.exit, Exit::usage);
        EXPECT_EQ(ending.text, '"' + name + "\" is not supported yet");
        EXPECT_THAT(ending_of({"--help"}).text, Not(HasSubstr("\n  " + name))) << name;
    }
    EXPECT_EQ(ending_of({"--socket", "status", "tunnel"}).text, "\"tunnel\" is not supported yet");
}

TEST(CommandLine, TakesATrialWithOrWithoutItsTime)
{
    EXPECT_EQ(understood({"apply"}).trial_seconds, 0);
    EXPECT_EQ(understood({"apply", "new.yaml", "--confirm"}).trial_seconds, 120);
    EXPECT_EQ(understood({"apply", "--confirm", "90s", "new.yaml"}).trial_seconds, 90);
    EXPECT_EQ(understood({"apply", "--confirm=2m"}).trial_seconds, 120);
    EXPECT_EQ(understood({"apply", "--confirm", "1h", "--no-wait"}).trial_seconds, 3600);
    const auto swallowed = understood({"apply", "--confirm", "new.yaml"});
    EXPECT_EQ(swallowed.trial_seconds, 120);
    EXPECT_EQ(swallowed.file, "new.yaml");
    for (const auto* wrong : {"0s", "2h", "3601", "5d", "99999999999s"})
        EXPECT_EQ(ending_of({"apply", "new.yaml", "--confirm", wrong}).exit, Exit::usage) << wrong;
    EXPECT_EQ(understood({"rollback"}).back, 1);
    EXPECT_EQ(understood({"rollback", "3"}).back, 3);
    EXPECT_EQ(ending_of({"rollback", "0"}).exit, Exit::usage);
    EXPECT_TRUE(understood({"rollback", "--list"}).list);
}

TEST(CommandLine, SuggestsTheCommandThatWasMeant)
{
    EXPECT_EQ(ending_of({"staus"}).text, "unknown command \"staus\"; did you mean \"status\"?");
    EXPECT_EQ(ending_of({"frobnicate"}).text, "unknown command \"frobnicate\"; see gatewayctl --help");
    EXPECT_EQ(ending_of({"rules", "shwo"}).text, "unknown command \"shwo\"; did you mean \"show\"?");
}

TEST(CommandLine, RefusesWhatItDoesNotUnderstand)
{
    EXPECT_EQ(ending_of({}).exit, Exit::usage);
    EXPECT_EQ(ending_of({"rules"}).exit, Exit::usage);
    EXPECT_EQ(ending_of({"explain"}).exit, Exit::usage);
    EXPECT_EQ(ending_of({"status", "--nonsense"}).exit, Exit::usage);
    EXPECT_EQ(ending_of({"status", "extra"}).exit, Exit::usage);
    EXPECT_EQ(ending_of({"completion", "tcsh"}).exit, Exit::usage);
    EXPECT_EQ(ending_of({"log", "--kind", "session"}).exit, Exit::usage);
    EXPECT_EQ(ending_of({"log", "-n", "-1"}).exit, Exit::usage);
    EXPECT_EQ(ending_of({"--socket"}).exit, Exit::usage);
}

TEST(CommandLine, HelpsAndSaysItsVersion)
{
    EXPECT_EQ(ending_of({"--help"}).exit, Exit::ok);
    EXPECT_THAT(ending_of({"--help"}).text, HasSubstr("Exit codes: 0 ok"));
    EXPECT_THAT(ending_of({"explain", "--help"}).text, HasSubstr("--header"));
    EXPECT_EQ(ending_of({"--version"}).text, "gatewayctl 1.2.3\n");
}

} // namespace
} // namespace gw::ctl
