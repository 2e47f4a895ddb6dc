// The index against a matcher that is as plain as can be: split, compare, first wins. It knows no tries, and shares no
// code with the room but the settings.
#include "tests/gateway/route/routes.h"

#include <map>
#include <random>

namespace gw::route {
namespace {

std::vector<std::string> split(std::string_view text, char at, bool keep_empty)
{
    std::vector<std::string> parts(1);
    for (const char c : text) {
        if (c == at)
            parts.emplace_back();
        else
            parts.back() += c;
    }
    if (!keep_empty) std::erase(parts, "");
    return parts;
}

class PlainMatcher {
public:
    explicit PlainMatcher(const RouteSettings& route) : route_(route) {}

    bool matches(const Request& asked)
    {
        if (route_.method != "_" && route_.method != asked.method) return false;
        if (!route_.listeners.empty() &&
            std::count(route_.listeners.begin(), route_.listeners.end(), asked.listener) == 0)
            return false;
        if (route_.host != "_" && !host(std::string{asked.host})) return false;
        if (route_.path == "_") return true;
        const auto wanted = split(route_.path, '/', false);
        const auto have = split(asked.path, '/', false);
        if (have.size() < wanted.size()) return false;
        for (std::size_t at = 0; at < wanted.size(); ++at)
            if (!part(wanted[at], have[at])) return false;
        return true;
    }

private:
    bool host(const std::string& have)
    {
        const auto wanted = split(route_.host, '.', true);
        const auto labels = split(have, '.', true);
        if (wanted.size() != labels.size()) return false;
        for (std::size_t at = 0; at < wanted.size(); ++at)
            if (labels[at].empty() || !part(wanted[at], labels[at])) return false;
        return true;
    }
    bool part(const std::string& wanted, const std::string& have)
    {
        if (wanted.front() != ':') return wanted == have;
        return bound_.try_emplace(wanted, have).first->second == have;
    }

    const RouteSettings& route_;
    std::map<std::string, std::string> bound_;
};

/// Few words, so that routes overlap in every way there is.
class Dice {
public:
    explicit Dice(unsigned seed) : engine_(seed) {}
    std::size_t below(std::size_t limit) { return engine_() % limit; }
    std::string one_of(std::initializer_list<const char*> words) { return *(words.begin() + below(words.size())); }

    std::string host_pattern()
    {
        if (below(6) == 0) return "_";
        std::string host = part(".");
        for (auto more = below(3); more > 0; --more) host += "." + part(".");
        return host;
    }
    std::string path_pattern()
    {
        if (below(8) == 0) return one_of({"_", "/"});
        std::string path;
        for (auto more = below(4) + 1; more > 0; --more) path += "/" + part("/");
        return path;
    }
    std::string text(const char* between, std::size_t most)
    {
        std::string made = one_of({"a", "b", "c"});
        for (auto more = below(most); more > 0; --more) made += between + one_of({"a", "b", "c"});
        return made;
    }

private:
    std::string part(const char*) { return one_of({"a", "b", "a", "b", ":x", ":y"}); }
    std::minstd_rand engine_;
};

std::vector<RouteSettings> random_routes(Dice& dice, std::size_t count)
{
    std::vector<RouteSettings> routes;
    for (std::size_t at = 0; at < count; ++at) {
        routes.push_back(route(dice.host_pattern(), dice.path_pattern(), dice.one_of({"_", "_", "GET", "POST"}),
                               dice.one_of({"original", "deny", "http://up/base"})));
        if (dice.below(6) == 0) routes.back().listeners = {dice.one_of({"web", "public"})};
    }
    return routes;
}

TEST(Index, FindsWhatLookingAtEveryRouteInOrderFinds)
{
    std::size_t matched = 0;
    for (unsigned seed = 1; seed <= 400; ++seed) {
        Dice dice{seed};
        const auto settings = random_routes(dice, 1 + dice.below(60));
        const auto routes = table(settings);
        Decision decision;
        for (int turn = 0; turn < 200; ++turn) {
            const auto host = dice.below(15) == 0 ? "" : dice.text(".", 4);
            const auto path = (dice.below(10) == 0 ? "//" : "/") + dice.text(dice.below(10) == 0 ? "//" : "/", 5);
            const auto method = dice.one_of({"GET", "POST"});
            const auto listener = dice.one_of({"web", "public"});
            const Request asked{host, path, "", method, listener};
            routes.decide(asked, Action::deny, decision);
            int expected = -1;
            for (std::size_t at = 0; at < settings.size() && expected < 0; ++at)
                if (PlainMatcher{settings[at]}.matches(asked)) expected = static_cast<int>(at);
            ASSERT_EQ(decision.route, expected) << "seed " << seed << ": " << method << " " << host << path;
            matched += expected >= 0 ? 1 : 0;
        }
    }
    EXPECT_GT(matched, 10'000U) << "the dice make requests that match";
}

} // namespace
} // namespace gw::route
