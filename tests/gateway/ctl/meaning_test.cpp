#include "gateway/ctl/meaning.h"

#include <gtest/gtest.h>

namespace gw::ctl {
namespace {

/// Each change as a line: "+ path: value", "- path: value", "~ path: from -> to".
std::string between(const std::string& before, const std::string& after)
{
    std::string text;
    for (const auto& change : changes_between({{"a.yaml", before}}, {{"a.yaml", after}})) {
        const char kind = change.kind == MeaningChange::Kind::added     ? '+'
                          : change.kind == MeaningChange::Kind::removed ? '-'
                                                                        : '~';
        text += std::string{kind} + ' ' + change.path + ": " + change.from;
        text += (kind == '~' ? " -> " : "") + change.to + '\n';
    }
    return text;
}

TEST(MeaningOfAChange, IsNothingForLayoutCommentsAndOrderOfKeys)
{
    EXPECT_EQ(between("waf: {mode: detect, paranoia: 1}\nlisteners: []\n",
                      "# a comment\nlisteners: []\nwaf:\n  paranoia: 1\n  mode: \"detect\"\n"),
              "");
}

TEST(MeaningOfAChange, FindsListenersByTheirNames)
{
    EXPECT_EQ(between("listeners:\n- {name: a, bind: [\"0.0.0.0:80\"]}\n- {name: b, bind: [\"0.0.0.0:81\"]}\n",
                      "listeners:\n- {name: b, bind: [\"0.0.0.0:82\"]}\n- {name: c, bind: [\"0.0.0.0:80\"]}\n"),
              "+ listeners[b].bind: 0.0.0.0:82\n- listeners[b].bind: 0.0.0.0:81\n"
              "+ listeners[c]: {bind: [0.0.0.0:80], name: c}\n- listeners[a]: {bind: [0.0.0.0:80], name: a}\n");
}

TEST(MeaningOfAChange, FindsRoutesByHostPathAndMethod)
{
    EXPECT_EQ(between("routes:\n- {host: a.example, path: /x, to: \"pool:one\"}\n- {to: original}\n",
                      "routes:\n- {to: original}\n- {host: a.example, path: /x, to: \"pool:two\", timeout: 5s}\n"),
              "~ routes[a.example/x].to: pool:one -> pool:two\n+ routes[a.example/x].timeout: 5s\n");
}

TEST(MeaningOfAChange, SeesTheOrderOfRoutes)
{
    const auto text =
        between("routes: [{host: a, to: x}, {host: b, to: y}]", "routes: [{host: b, to: y}, {host: a, to: x}]");
    EXPECT_TRUE(text.starts_with("~ routes (order): ")) << text;
}

TEST(MeaningOfAChange, NamesWhatCameAndWent)
{
    EXPECT_EQ(between("waf: {mode: detect}\n", "pools: {shop: {servers: [\"10.0.0.1:80\"]}}\n"),
              "- waf: {mode: detect}\n+ pools: {shop: {servers: [10.0.0.1:80]}}\n");
}

TEST(MeaningOfAChange, DoesNotCareInWhichFileAThingStands)
{
    const config::Sources one{{"a.yaml", "routes: [{host: a, to: x}, {host: b, to: y}]\nwaf: {mode: off}\n"}};
    const config::Sources two{{"a.yaml", "routes: [{host: a, to: x}]\n"},
                              {"b.yaml", "routes: [{host: b, to: y}]\nwaf: {mode: block}\n"}};
    const auto changes = changes_between(one, two);
    ASSERT_EQ(changes.size(), 1u);
    EXPECT_EQ(changes[0].path, "waf.mode");
    EXPECT_EQ(changes[0].where, "b.yaml:2:13");
}

TEST(MeaningOfAChange, TakesWhatIsNoYamlForEmpty)
{
    EXPECT_EQ(between("listeners: [", ""), "");
    EXPECT_EQ(between("waf: {mode: off}", "\t- {"), "- waf: {mode: off}\n");
}

} // namespace
} // namespace gw::ctl
