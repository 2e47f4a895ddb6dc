#include "gateway/config/encoding.h"
#include "tests/gateway/config/support.h"

#include <gmock/gmock.h>

namespace gw::config::testing {

namespace {

std::string described(const std::string& text)
{
    const auto sources = one(text);
    const auto answer = parse(sources);
    std::string all;
    if (const auto* problems = std::get_if<Problems>(&answer))
        for (const auto& problem : *problems) all += describe(problem, sources) + "\n";
    return all;
}

} // namespace

TEST(Describe, ShowsTheLineAndPointsAtThePlace)
{
    EXPECT_EQ(described("listeners:\n  - bind: [\"127.0.0.1:80\"]\n    prots: [80]\n"),
              "gateway.yaml:3:5: listeners[0].prots: unknown key; known here: name, intercept, bind, protocol, "
              "client_address, default, proxy_protocol, limits\n"
              "  3 |     prots: [80]\n"
              "    |     ^\n");
}

TEST(Describe, PointsAtCharactersNotBytes)
{
    EXPECT_THAT(
        described("listeners: []\nadmin: {group: \"\xc3\xbc\", socket: x}\n"),
        ::testing::HasSubstr("  2 | admin: {group: \"\xc3\xbc\", socket: x}\n    |                             ^\n"));
}

TEST(Describe, CutsLongLinesAroundThePlace)
{
    const auto text =
        described("listeners: []\nwaf: {" + std::string(5'000, ' ') + "paranoia: 9" + std::string(5'000, ' ') + "}\n");

    EXPECT_LT(text.size(), 600u);
    EXPECT_THAT(text, ::testing::HasSubstr("paranoia: 9"));
    const auto lines = text.substr(text.find("  2 | "));
    const auto shown = lines.substr(0, lines.find('\n'));
    const auto caret = lines.substr(lines.find('\n') + 1);
    EXPECT_EQ(shown.find("9"), caret.find('^'));
    EXPECT_LE(shown.size(), 220u);
}

TEST(Describe, EscapesWhatATerminalWouldObey)
{
    const auto text = described("listeners: []\n# \x1b[31m\xff\n");
    EXPECT_THAT(text, ::testing::HasSubstr("  2 | # \\x1b[31m\\xff\n    |   ^"));
    const Problem theirs{{"gateway.yaml", 1, 1}, "a\x1b", "b\x1b\nc"};
    EXPECT_EQ(describe(theirs, {}), "gateway.yaml:1:1: a\\x1b: b\\x1b\n    c");
    EXPECT_LT(described(std::string(4'000, '\x01')).size(), 600u);
}

TEST(Describe, ShowsTheLeastThatWorksForAnEmptyFile)
{
    EXPECT_EQ(described(""),
              "gateway.yaml:1:1: listeners: no listeners, so the gateway would do nothing. The least that works:\n"
              "    listeners:\n"
              "      - intercept: {to: [192.0.2.0/24], ports: [80, 443]}\n"
              "    waf: {mode: detect}\n"
              "    (\"listeners: []\" says that none are wanted.)\n");
}

TEST(Describe, LeavesTheLineOutWhenThereIsNone)
{
    const Problem problem{{"other.yaml", 0, 0}, "", "cannot be opened: No such file or directory"};
    EXPECT_EQ(describe(problem, {}), "other.yaml: cannot be opened: No such file or directory");
    const Problem beyond{{"gateway.yaml", 9, 9}, "x", "y"};
    EXPECT_EQ(describe(beyond, one("a\n")), "gateway.yaml:9:9: x: y");
}

} // namespace gw::config::testing
