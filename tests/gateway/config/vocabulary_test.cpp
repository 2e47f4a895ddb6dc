#include "tests/gateway/config/leaves.h"
#include "tests/gateway/config/support.h"

#include <gmock/gmock.h>
#include <map>

namespace gw::config::testing {

namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Kind = Type::Kind;

/// Texts have no sample in their type: one that is not the default, for each.
const std::map<std::string, std::string> text_samples{
    {"listeners.intercept.interfaces", "[eth1]"},
    {"listeners.intercept.to", "[198.51.100.0/24]"},
    {"listeners.intercept.ports", "[81, 8000-8080]"},
    {"listeners.intercept.except.from", "[198.51.100.1]"},
    {"listeners.intercept.except.to", "[\"2001:db8::/64\"]"},
    {"listeners.name", "other"},
    {"listeners.bind", "[\"[::1]:81\"]"},
    {"listeners.default", "deny"},
    {"listeners.proxy_protocol.required", "true"},
    {"listeners.proxy_protocol.trusted", "[192.0.2.0/24]"},
    {"pools.servers.address", "\"192.0.2.7:80\""},
    {"routes.host", "a.example"},
    {"routes.path", "/a"},
    {"routes.method", "GET"},
    {"routes.listeners", "[listener-1]"},
    {"routes.to", "\"http://a.example/\""},
    {"routes.request_headers.set", "{A: b}"},
    {"routes.request_headers.add", "{A: b}"},
    {"routes.request_headers.remove", "[A]"},
    {"routes.response_headers.set", "{A: b}"},
    {"routes.response_headers.add", "{A: b}"},
    {"routes.response_headers.remove", "[A]"},
    {"routes.waf.disable_rules", "[942100]"},
    {"routes.waf.disable_targets", "{941100: [\"ARGS:html\"]}"},
    {"waf.rules", "[/etc/rules.conf]"},
    {"waf.disable_rules", "[942100]"},
    {"waf.disable_targets", "{941100: [\"ARGS:html\"]}"},
    {"admin.socket", "/run/other.sock"},
    {"admin.group", "other"},
    {"admin.metrics", "\"127.0.0.1:9901\""},
    {"logs.access.to", "/var/log/access.log"},
    {"kernel.table", "other"},
    {"kernel.mark_mask", "0x07000000"},
    {"kernel.captured_mark", "0x03000000"},
    {"kernel.own_mark", "0x03000000"},
};

std::string value_of(const Type& type, std::uint64_t number)
{
    return std::to_string(number) + (type.kind == Kind::duration ? "ms" : "");
}

/// Right values of a leaf.
std::vector<std::string> samples(const Leaf& leaf)
{
    const auto& type = leaf.key->type;
    if (const auto at = text_samples.find(leaf.path); at != text_samples.end()) return {at->second};
    std::vector<std::string> values;
    for (const auto& word : type.words)
        if (leaf.path == "listeners.protocol" && word.text == "udp")
            continue; // goes with another transport only
        else if (leaf.path == "listeners.intercept.mode" && word.text == "external")
            continue; // goes with addresses of its own only
        else if (word.supported && (leaf.path != "listeners.default" || word.text != "bind"))
            values.emplace_back(word.text);
    const bool number = type.kind == Kind::integer || type.kind == Kind::size || type.kind == Kind::duration;
    if (number) values.insert(values.end(), {value_of(type, type.least), value_of(type, type.most)});
    if (type.kind == Kind::size) values.push_back(type.least > 600 * 1024 ? "64MiB" : "600KiB");
    return values;
}

} // namespace

TEST(Vocabulary, HasARightValueForEveryKey)
{
    for (const auto& leaf : leaves()) {
        if (!leaf.key->supported) continue;
        EXPECT_FALSE(samples(leaf).empty()) << leaf.path;
        for (const auto& value : samples(leaf))
            EXPECT_EQ(wrong_with(leaf.file(value)), "") << leaf.path << ": " << value;
    }
}

TEST(Vocabulary, HasNoKeyWithoutAnEffect)
{
    for (const auto& leaf : leaves()) {
        std::size_t words = 0;
        for (const auto& word : leaf.key->type.words) words += word.supported;
        if (!leaf.key->supported || (leaf.key->type.kind == Kind::word && words == 1)) continue;
        if (leaf.path == "listeners.proxy_protocol.required") continue; // there is nothing but true
        const auto required = leaf.key->required || leaf.path == "listeners.bind";
        const auto before = required ? "" : as_yaml(settings_of(leaf.file("")));
        bool differs = false;
        for (const auto& value : samples(leaf)) differs = differs || as_yaml(settings_of(leaf.file(value))) != before;
        EXPECT_TRUE(differs) << leaf.path;
    }
}

TEST(Vocabulary, TellsTheDefaultsThatHold)
{
    for (const auto& leaf : leaves())
        if (leaf.key->supported && !leaf.key->standard.empty()) {
            EXPECT_EQ(as_yaml(settings_of(leaf.file("\"" + std::string{leaf.key->standard} + "\""))),
                      as_yaml(settings_of(leaf.file(""))))
                << leaf.path;
        }
}

TEST(Vocabulary, RefusesTheWrongKindOfValueForEveryKey)
{
    for (const auto& leaf : leaves()) {
        if (!leaf.key->supported) continue;
        const auto kind = leaf.key->type.kind;
        EXPECT_THAT(wrong_with(leaf.file("~")), HasSubstr("must be ")) << leaf.path;
        EXPECT_THAT(wrong_with(leaf.file(kind == Kind::list ? "{a: b}" : "[[]]")), HasSubstr("must be ")) << leaf.path;
        if (kind != Kind::dictionary) {
            EXPECT_THAT(wrong_with(leaf.file("{a: b, c: d}")), HasSubstr("must be ")) << leaf.path;
        }
        if (kind == Kind::list || kind == Kind::dictionary) {
            EXPECT_THAT(wrong_with(leaf.file("nonsense")), HasSubstr("must be ")) << leaf.path;
        }
    }
}

TEST(Vocabulary, RefusesNumbersBeyondTheirRange)
{
    for (const auto& leaf : leaves()) {
        const auto& type = leaf.key->type;
        const bool number = type.kind == Kind::integer || type.kind == Kind::size || type.kind == Kind::duration;
        if (!leaf.key->supported || !number) continue;
        EXPECT_THAT(wrong_with(leaf.file(value_of(type, type.most + 1))), HasSubstr("must be ")) << leaf.path;
        if (type.least > 0) {
            EXPECT_THAT(wrong_with(leaf.file(value_of(type, type.least - 1))), HasSubstr("must be ")) << leaf.path;
        }
    }
}

TEST(Vocabulary, RefusesWordsItDoesNotKnowOrHaveYet)
{
    for (const auto& leaf : leaves()) {
        if (leaf.key->supported && leaf.key->type.kind == Kind::word) {
            EXPECT_THAT(wrong_with(leaf.file("nonsense")), HasSubstr("must be one of")) << leaf.path;
        }
        for (const auto& word : leaf.key->type.words)
            if (!word.supported) {
                EXPECT_THAT(wrong_with(leaf.file("\"" + std::string{word.text} + "\"")),
                            HasSubstr("is not supported yet"));
            }
        if (!leaf.key->supported) {
            EXPECT_THAT(wrong_with(leaf.file("{}")), HasSubstr("not supported yet: " + std::string{leaf.key->doc}))
                << leaf.path;
        }
    }
}

TEST(Vocabulary, TakesWhatIsDisabledGloballyAndOnARouteTogether)
{
    const auto settings =
        settings_of("listeners: []\nwaf: {mode: block, disable_targets: {1: [ARGS]}}\n"
                    "routes: [{to: original, waf: {disable_targets: {1: [\"ARGS:a\"], 2: [FILES]}}}]\n");

    const auto& policy = settings.waf.policies.at(settings.route_extras.at(0).waf_policy);
    EXPECT_EQ(policy.disable_targets.at(1), (std::vector<std::string>{"ARGS", "ARGS:a"}));
    EXPECT_EQ(policy.disable_targets.at(2), std::vector<std::string>{"FILES"});
}

} // namespace gw::config::testing
