#include "gateway/config/encoding.h"
#include "gateway/config/suggest.h"
#include "gateway/config/values.h"
#include "gateway/config/yaml.h"
#include "tests/gateway/config/support.h"

#include <gmock/gmock.h>

namespace gw::config::testing {

namespace {

using ::testing::HasSubstr;

std::string repeated(const std::string& text, std::size_t times)
{
    std::string all;
    for (std::size_t at = 0; at < times; ++at) all += text;
    return all;
}

} // namespace

TEST(HostileYaml, CannotGrowByAliases)
{
    const auto told = wrong_with("a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nlisteners: []\n");
    EXPECT_EQ(told, "1:4 : not readable: anchors (&name) are not used here\n");
    EXPECT_THAT(wrong_with("listeners: *a\n"), HasSubstr("1:12 : not readable: aliases (*name) are not used here"));
    EXPECT_THAT(wrong_with("listeners: *\n"), HasSubstr("in quotes it is a text"));
    EXPECT_THAT(wrong_with("listeners: !!seq []\n"), HasSubstr("tags (!name) are not used here"));
    EXPECT_THAT(wrong_with("<<: {a: b}\nlisteners: []\n"), HasSubstr("unknown key"));
}

TEST(HostileYaml, CannotNestDeeply)
{
    for (const auto* text : {"[", "{", "- ", "? ", "{a: ", "[[{"})
        EXPECT_THAT(wrong_with(repeated(text, 100'000)), HasSubstr("not readable: ")) << text;
    EXPECT_THAT(wrong_with(repeated("[", 40) + repeated("]", 40)), HasSubstr("nested too deeply"));
    EXPECT_THAT(wrong_with(repeated("[", 32) + repeated("]", 32)), HasSubstr("must be a mapping"));
}

TEST(HostileYaml, CannotStallByLongLines)
{
    const std::size_t almost = 16 * 1024 * 1024 - 64;
    EXPECT_THAT(wrong_with("listeners: []\nworkers: " + std::string(almost, '1')), HasSubstr("2:10 workers: must be"));
    EXPECT_THAT(wrong_with("listeners: []\n\"" + std::string(almost, 'k') + "\": 1"), HasSubstr("2:"));
    EXPECT_EQ(wrong_with("listeners: []\n#" + std::string(almost, 'x')), "");
    EXPECT_THAT(wrong_with(std::string(almost + 65, ' ')), HasSubstr("is larger than 16 MiB"));
}

TEST(HostileYaml, CannotFloodWithProblems)
{
    std::string text = "listeners: []\n";
    for (int at = 0; at < 5'000; ++at) text += "k" + std::to_string(at) + ": 1\n";
    const auto problems = std::get<Problems>(parse(one(text)));
    EXPECT_EQ(problems.size(), 1'001u);
    EXPECT_THAT(problems.back().what, HasSubstr("only the first 1000 problems are told"));
}

TEST(HostileYaml, MustBeTextInUtf8)
{
    using namespace std::string_literals;
    EXPECT_THAT(wrong_with("listeners: []\nwaf: \0off\n"s), HasSubstr("2:6 : not readable: a NUL byte"));
    EXPECT_THAT(wrong_with("listeners: []\nwaf: \xff\n"), HasSubstr("2:6 : not readable: not UTF-8: the byte \\xff"));
    EXPECT_THAT(wrong_with("\xff\xfel\0i\0"s), HasSubstr("1:1 : not readable: not UTF-8"));
    EXPECT_THAT(wrong_with("waf: \xed\xa0\x80"), HasSubstr("not UTF-8"));
    EXPECT_THAT(wrong_with("waf: \xc0\xaf"), HasSubstr("not UTF-8"));
    EXPECT_THAT(wrong_with("waf: a\x1b[31m"), HasSubstr("1:7 : not readable: a control character: \\x1b"));
    EXPECT_THAT(wrong_with("listeners: []\rwaf: off\n"), HasSubstr("1:14 : not readable: a carriage return without"));
    EXPECT_THAT(wrong_with("listeners: []\nroutes: [{host: b\xc3\xbc, waf: offf, to: original}]"),
                HasSubstr("2:27 routes[0].waf"));
}

TEST(HostileYaml, MayHaveABomAndCarriageReturns)
{
    EXPECT_EQ(wrong_with("\xef\xbb\xbflisteners: []\r\nwaf: off\r\n"), "");
    EXPECT_THAT(wrong_with("\xef\xbb\xbfwaf: offf\r\nlisteners: []\r\n"),
                HasSubstr("1:6 waf: must be one of off, detect, block, not \"offf\""));
}

TEST(HostileYaml, IsExplainedWhereItIsBroken)
{
    const std::pair<const char*, const char*> rows[] = {
        {"listeners: []\nwaf:\n\tmode: off\n", "3:6 : not readable: a tab in the indentation; YAML wants spaces"},
        {"waf:\n    mode: off\n  paranoia: 1\n", "3:3 : not readable: the mapping does not go on properly here"},
        {"waf: a: b\n", "1:7 : not readable: a \": \" is not expected here; a text that holds one needs quotes"},
        {"waf: {mode: off\n", "a \"}\" or a comma is missing before this"},
        {"a: [1, 2\nb: 3\n", "a \"]\" or a comma is missing before this"},
        {"a: 1\n]\n", "2:1 : not readable: a \"]\" or \"}\" without its beginning"},
        {"a: \"x\n", "1:4 : not readable: a quoted text that never ends"},
        {"waf: 'off\n", "1:6 : not readable: a quoted text that never ends"},
        {"a: \"x", "quoted text"},
        {"a: @x\n", "1:4 : not readable: a text that begins like this needs quotes"},
        {"a: 1\n---\nb: 1\n", "2:1 : not readable: this does not continue what stands above"},
        {"? [a]\n: b\n", "1:3 : not readable: a key must be a plain text"},
        {": b\n", "not readable: a key must be a plain text"},
    };
    for (const auto& [text, told] : rows) EXPECT_THAT(wrong_with(text), HasSubstr(told)) << text;
}

TEST(HostileYaml, GivesAnAnswerAtEveryCut)
{
    const std::string whole = "listeners:\n  - {name: w, intercept: {to: [192.0.2.0/24, \"::/0\"], ports: [1-2]}}\n"
                              "routes:\n  - host: 'a'\n    to: \"http://x/\"\nwaf: off # end\n";
    for (std::size_t cut = 0; cut < whole.size(); ++cut) {
        const auto answer = parse(one(whole.substr(0, cut)));
        if (const auto* problems = std::get_if<Problems>(&answer)) {
            ASSERT_FALSE(problems->empty()) << cut;
            for (const auto& problem : *problems) EXPECT_GE(problem.where.line, 1) << cut;
        }
    }
}

TEST(Values, AreReadExactly)
{
    using namespace std::chrono_literals;
    EXPECT_EQ(parse_integer("0"), 0u);
    EXPECT_EQ(parse_integer("0xFf"), 255u);
    for (const auto* text : {"", "-1", "+1", "01", "1.0", "1 ", " 1", "0x", "0xg", "1e3", "99999999999999999999"})
        EXPECT_FALSE(parse_integer(text)) << text;
    EXPECT_EQ(parse_size("3"), 3u);
    EXPECT_EQ(parse_size("3B"), 3u);
    EXPECT_EQ(parse_size("2KiB"), 2'048u);
    EXPECT_EQ(parse_size("1GiB"), 1u << 30);
    for (const auto* text : {"", "B", "1kib", "1KB", "1 KiB", "1.5GiB", "-1B", "17179869184GiB", "01B"})
        EXPECT_FALSE(parse_size(text)) << text;
    EXPECT_EQ(parse_duration("250ms"), 250ms);
    EXPECT_EQ(parse_duration("2s"), 2s);
    EXPECT_EQ(parse_duration("2m"), 2min);
    EXPECT_EQ(parse_duration("2h"), 2h);
    for (const auto* text : {"", "2", "s", "2 s", "2S", "1d", "1m30s", "9999999999999999h"})
        EXPECT_FALSE(parse_duration(text)) << text;
    EXPECT_EQ(parse_ports("1-65535")->last, 65'535);
    for (const auto* text : {"", "0", "65536", "2-1", "1-", "-1", "1--2", "1-2-3", "080"})
        EXPECT_FALSE(parse_ports(text)) << text;
}

TEST(Suggestions, AreNearOrNone)
{
    static constexpr std::string_view words[] = {"ports", "protocol", "to", "max_body", "mode"};
    EXPECT_EQ(nearest("prots", words), "ports");
    EXPECT_EQ(nearest("PORTS", words), "ports");
    EXPECT_EQ(nearest("max-body", words), "max_body");
    EXPECT_EQ(nearest("protocl", words), "protocol");
    EXPECT_EQ(nearest("ot", words), "to");
    for (const auto* text : {"", "xy", "x", "elephant", "zzzzzzzz"}) EXPECT_EQ(nearest(text, words), "") << text;
    EXPECT_EQ(nearest(std::string(100'000, 'p'), words), "");
}

TEST(Encoding, ShowsNothingATerminalWouldObey)
{
    EXPECT_EQ(printable("a\x1b[0m\n\t\x7f"), "a\\x1b[0m\\x0a\\t\\x7f");
    EXPECT_EQ(printable("b\xc3\xbc\xc2\x9b\xe2\x80\xae\xff"), "b\xc3\xbc\\xc2\\x9b\\xe2\\x80\\xae\\xff");
    EXPECT_EQ(in_quotes(std::string(59, 'a') + "\xc3\xbc\xc3\xbc"), "\"" + std::string(59, 'a') + "...\"");
}

} // namespace gw::config::testing
