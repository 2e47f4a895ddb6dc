#include "gateway/ctl/completion.h"
#include "tests/gateway/ctl/fake_daemon.h"
#include "tests/gateway/ctl/shell.h"

#include <fstream>
#include <gmock/gmock.h>

namespace gw::ctl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string script(std::string_view shell) { return completion_script(shell, describe_commands()); }

/// What bash offers for the last of `words`.
std::string offered(const std::string& words)
{
    const testing::TemporaryFolder folder;
    std::ofstream(folder.file("completion")) << script("bash");
    const auto program = ". " + folder.file("completion") + "; COMP_WORDS=(" + words +
                         "); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _gatewayctl; echo \"${COMPREPLY[*]}\"";
    const auto ran = testing::run_shell("bash -c '" + program + "' 2>&1");
    EXPECT_EQ(ran.exit, 0) << ran.output;
    return ran.output;
}

bool is_missing(const std::string& shell) { return testing::run_shell("command -v " + shell).exit != 0; }

TEST(Completion, OffersCommandsOptionsAndValuesInBash)
{
    if (is_missing("bash")) GTEST_SKIP() << "no bash here";
    EXPECT_EQ(offered("gatewayctl st"), "status\n");
    EXPECT_EQ(offered("gatewayctl rules \"\""), "show install remove -h --help\n");
    EXPECT_EQ(offered("gatewayctl rules show --c"), "--config\n");
    EXPECT_EQ(offered("gatewayctl --socket status r"), "reload routes rollback rules\n");
    EXPECT_EQ(offered("gatewayctl log --kind \"\""), "connection request flow suppressed\n");
    EXPECT_EQ(offered("gatewayctl completion z"), "zsh\n");
    EXPECT_EQ(offered("gatewayctl check /proc/cmdlin"), "/proc/cmdline\n");
    EXPECT_EQ(offered("gatewayctl explain --config /proc/cmdlin"), "/proc/cmdline\n");
    EXPECT_EQ(offered("gatewayctl status --socket /proc/cmdlin"), "/proc/cmdline\n");
}

TEST(Completion, IsUnderstoodByZshAndFish)
{
    const testing::TemporaryFolder folder;
    for (const std::string shell : {"zsh", "fish"}) {
        if (is_missing(shell)) continue;
        std::ofstream(folder.file(shell)) << script(shell);
        EXPECT_EQ(testing::run_shell(shell + " -n " + folder.file(shell) + " 2>&1").output, "");
    }
    EXPECT_THAT(script("zsh"), HasSubstr("'status:health, listeners, rates, rules and WAF on one screen'"));
    EXPECT_THAT(script("zsh"), HasSubstr("_gatewayctl_rules_show() {"));
    EXPECT_THAT(script("fish"), HasSubstr("complete -c gatewayctl -n '__fish_use_subcommand' -a status -d "));
    EXPECT_THAT(script("fish"), HasSubstr(" -l verdict -x -a 'pass detected block failed'"));
}

TEST(Completion, KnowsEveryCommandThereIsAndNoOther)
{
    for (const auto* shell : {"bash", "zsh", "fish"}) {
        for (const auto& command : describe_commands().commands) EXPECT_THAT(script(shell), HasSubstr(command.name));
        EXPECT_THAT(script(shell), Not(HasSubstr("support-bundle")));
    }
}

} // namespace
} // namespace gw::ctl
