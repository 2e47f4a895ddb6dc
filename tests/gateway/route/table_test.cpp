#include "tests/gateway/route/routes.h"

namespace gw::route {
namespace {

/// The way of one request through one route, "deny" when it does not match.
std::string goes(const char* host, const char* path, const char* to, std::string_view url)
{
    const auto one = table({route(host, path, "_", to)});
    return way(decide(one, request(url)));
}

// The configuration and the three requests of the seed.
class MongooseExample : public ::testing::Test {
protected:
    Table routes = table({route("www.erlang-solutions.com", "/admin", "_", "https://www.erlang-solutions.com/"),
                          route(":var.com", "/:var", "_", "http://localhost:8080/"),
                          route(":domain.com", "/", "_", "http://localhost:8080/:domain")});
};

TEST_F(MongooseExample, FirstRuleForwardsWhatFollowsTheMatchedPath)
{
    const auto decision = decide(routes, request("www.erlang-solutions.com/admin/resources/case-studies"));
    EXPECT_EQ(decision.route, 0);
    EXPECT_EQ(way(decision), "https://www.erlang-solutions.com/resources/case-studies");
}

TEST_F(MongooseExample, SecondRuleMatchesWhenTheNameBindsTheSameInHostAndPath)
{
    const auto decision = decide(routes, request("domain.com/domain/index.html"));
    EXPECT_EQ(decision.route, 1);
    EXPECT_EQ(way(decision), "http://localhost:8080/index.html");
}

TEST_F(MongooseExample, ThirdRuleLaysTheBindingOverTheUpstreamPath)
{
    const auto decision = decide(routes, request("abc.com/def"));
    EXPECT_EQ(decision.route, 2);
    EXPECT_EQ(way(decision), "http://localhost:8080/abc/def");
}

TEST_F(MongooseExample, NoRuleMatchesANameWithMoreLabels)
{
    EXPECT_EQ(decide(routes, request("www.abc.com/def")).route, -1);
}

TEST(Hosts, MatchAsTheirPatternsSay)
{
    const auto fits = [](const char* pattern, const char* host) {
        return goes(pattern, "/", "original", host + std::string{"/x"}) == "original";
    };
    EXPECT_TRUE(fits("_", "a.example"));
    EXPECT_TRUE(fits("_", ""));
    EXPECT_TRUE(fits("www.Example.ORG", "www.example.org"));
    EXPECT_TRUE(fits("www.example.org.", "www.example.org"));
    EXPECT_FALSE(fits("www.example.org", "example.org"));
    EXPECT_FALSE(fits("www.example.org", ""));
    EXPECT_TRUE(fits("192.0.2.1", "192.0.2.1"));
    EXPECT_TRUE(fits("2001:DB8:0::1", "2001:db8::1"));
    EXPECT_TRUE(fits("[2001:db8::1]", "2001:db8:0:0::1"));
    EXPECT_FALSE(fits("2001:db8::1", "2001:db8::2"));
    EXPECT_TRUE(fits(":name.example.org", "a.example.org"));
    EXPECT_FALSE(fits(":name.example.org", "a.b.example.org"));
    EXPECT_FALSE(fits(":name.example.org", "example.org"));
    EXPECT_FALSE(fits(":name.example.org", ".example.org"));
    EXPECT_FALSE(fits(":name.example.org", "%2e%2e.example.org")) << "a name binds what a label may hold";
    EXPECT_TRUE(fits("www.:name.org", "www.x.org"));
    EXPECT_TRUE(fits(":a.:b.:c", "x.y.z"));
    EXPECT_TRUE(fits(":host", "intranet"));
}

TEST(Paths, MatchByWholeSegments)
{
    const auto fits = [](const char* pattern, const std::string& path) {
        return goes("_", pattern, "original", "h" + path) == "original";
    };
    EXPECT_TRUE(fits("/admin", "/admin"));
    EXPECT_TRUE(fits("/admin", "/admin/"));
    EXPECT_TRUE(fits("/admin", "/admin/x"));
    EXPECT_TRUE(fits("/admin", "//admin")) << "doubled slashes do not slip past";
    EXPECT_TRUE(fits("/admin/", "/admin"));
    EXPECT_FALSE(fits("/admin", "/administrator"));
    EXPECT_FALSE(fits("/admin", "/Admin"));
    EXPECT_FALSE(fits("/admin", "/"));
    EXPECT_FALSE(fits("/a/b", "/a"));
    EXPECT_TRUE(fits("/", "/anything"));
    EXPECT_TRUE(fits("_", "/anything"));
    EXPECT_TRUE(fits("/", "*"));
    EXPECT_TRUE(fits("/user/:id/edit", "/user/7/edit"));
    EXPECT_FALSE(fits("/user/:id/edit", "/user/edit"));
    EXPECT_FALSE(fits("/user/:id", "/user/"));
    EXPECT_TRUE(fits("/:a/:a", "/x/x"));
    EXPECT_FALSE(fits("/:a/:a", "/x/y"));
    EXPECT_FALSE(fits("/:a", "/.."));
    EXPECT_FALSE(fits("/:a", "/%2E%2e"));
    EXPECT_TRUE(fits("/%7euser", "/~user")) << "patterns are brought into the requests' normal form";
    EXPECT_TRUE(fits("/caf\xc3\xa9", "/caf%C3%A9"));
    EXPECT_TRUE(fits("/a%2fb", "/a%2Fb"));
    EXPECT_FALSE(fits("/a%2fb", "/a/b"));
}

TEST(Methods, AreLiteralOrAny)
{
    const auto routes = table({route("_", "/", "post", "original")});
    EXPECT_EQ(decide(routes, request("h/", "POST")).route, 0);
    EXPECT_EQ(decide(routes, request("h/", "post")).route, -1);
    EXPECT_EQ(decide(routes, request("h/", "GET")).route, -1);
}

TEST(Listeners, LimitARoute)
{
    const auto routes = table({route("_", "/", "_", "deny", {"a", "b"}), route("_", "/", "_", "original")});
    EXPECT_EQ(decide(routes, request("h/", "GET", "b")).route, 0);
    EXPECT_EQ(decide(routes, request("h/", "GET", "c")).route, 1);
}

TEST(Upstream, GetsTheWholePathUnlessItHasOneItself)
{
    const auto url = [](const char* path, const char* to, const char* asked) { return goes("_", path, to, asked); };
    EXPECT_EQ(url("/admin", "http://u", "h/admin/x?q=1"), "http://u/admin/x?q=1");
    EXPECT_EQ(url("/admin", "http://u:8080", "h/admin"), "http://u:8080/admin");
    EXPECT_EQ(url("/admin", "HTTPS://U.Example", "h/admin"), "https://u.example/admin");
    EXPECT_EQ(url("/admin", "http://u/", "h/admin"), "http://u/");
    EXPECT_EQ(url("/admin", "http://u/", "h/admin/"), "http://u/");
    EXPECT_EQ(url("/admin", "http://u/", "h/admin?q"), "http://u/?q");
    EXPECT_EQ(url("/admin", "http://u/base", "h/admin"), "http://u/base");
    EXPECT_EQ(url("/admin", "http://u/base", "h/admin/"), "http://u/base/");
    EXPECT_EQ(url("/admin", "http://u/base", "h/admin/x/"), "http://u/base/x/");
    EXPECT_EQ(url("/admin", "http://u/base/", "h/admin"), "http://u/base/");
    EXPECT_EQ(url("/admin", "http://u/base/", "h/admin/x"), "http://u/base/x");
    EXPECT_EQ(url("/admin", "http://u/base", "h//admin//x"), "http://u/base/x");
    EXPECT_EQ(url("/", "http://u/base", "h/x"), "http://u/base/x");
    EXPECT_EQ(url("_", "http://u/base", "h/x"), "http://u/base/x");
    EXPECT_EQ(url("/", "http://u", "h/x//y"), "http://u/x//y");
}

TEST(Upstream, KeepsItsOwnQueryBeforeTheRequests)
{
    EXPECT_EQ(goes("_", "/a", "http://u/b?k=1", "h/a/c?q=2"), "http://u/b/c?k=1&q=2");
    EXPECT_EQ(goes("_", "/a", "http://u/b?k=1", "h/a/c"), "http://u/b/c?k=1");
    EXPECT_EQ(goes("_", "/a", "http://u/b", "h/a/c?"), "http://u/b/c");
}

TEST(Upstream, TakesBindingsInHostPortAndPath)
{
    EXPECT_EQ(goes(":x.example", "/:y", "http://:x.internal/:y/z", "a.example/b/c"), "http://a.internal/b/z/c");
    EXPECT_EQ(goes("_", "/:s", "http://svc.:s.internal:8080/", "h/shop/x"), "http://svc.shop.internal:8080/x");
    EXPECT_EQ(goes("_", "/:s", "http://:s", "h/shop/x"), "http://shop/shop/x");
    EXPECT_EQ(goes("_", "/:p", "http://u::p/", "h/8081/x"), "http://u:8081/x");
    EXPECT_EQ(goes("_", "/:p/:p", "http://u/:p/:p/", "h/a/a"), "http://u/a/a/");
    EXPECT_EQ(goes("_", "/", "http://[2001:DB8::1]:81", "h/x"), "http://[2001:db8::1]:81/x");
}

TEST(Upstream, NeverGetsAHostOrPortThatAClientMadeUp)
{
    for (const auto* bad : {"a.b", "a%2Fb", "a:80", "a@b", "-a", "a-", "[::1]", "a%00", "a\r\n", "a b"})
        EXPECT_EQ(goes("_", "/:s", "http://:s.internal/", "h/" + std::string{bad}), "deny") << bad;
    EXPECT_EQ(goes("_", "/:s", "http://:s.internal/", "h/" + std::string(64, 'a')), "deny");
    for (const auto* bad : {"0", "65536", "80x", "x", "+80", "-1", "99999999999999999999"})
        EXPECT_EQ(goes("_", "/:p", "http://u::p/", "h/" + std::string{bad}), "deny") << bad;
}

TEST(Upstream, SaysWhenAClientHadASayInItsHost)
{
    const auto from_client = [](const char* to) {
        return decide(table({route(":x.example", "/", "_", to)}), request("a.example/")).host_from_client;
    };
    EXPECT_TRUE(from_client("http://:x.internal"));
    EXPECT_FALSE(from_client("http://fixed.internal/:x"));
}

TEST(Upstream, NeverGetsARequestLineBroken)
{
    Decision decision;
    const auto routes = table({route("_", "/:a", "_", "http://u/:a"), route("_", "/", "_", "redirect:http://u")});
    for (const auto* url : {"h/a\r\nX: y/b\r\n?c\r\nd", "h/a b/c d?e f", "h/a#b"}) {
        routes.decide(request(url), Action::deny, decision);
        EXPECT_EQ(decision.target.find_first_of("\r\n #"), std::string::npos) << decision.target;
    }
}

TEST(Upstream, IsAskedForTheAsterisk)
{
    EXPECT_EQ(way(decide(table({route("_", "/", "_", "http://u")}), {"h", "*", "", "OPTIONS", "web"})), "http://u*");
    EXPECT_EQ(way(decide(table({route("_", "/", "_", "http://u/b")}), {"h", "*", "", "OPTIONS", "web"})), "http://u*");
}

TEST(Redirect, FollowsTheRulesOfUpstreams)
{
    EXPECT_EQ(goes("_", "/", "redirect:https://www.example.org", "h/a/b?c=d"), "302 https://www.example.org/a/b?c=d");
    EXPECT_EQ(goes("_", "/old", "redirect:301 https://w/new", "h/old/x"), "301 https://w/new/x");
    EXPECT_EQ(goes("_", "/old", "redirect:308 https://w:8443/new/", "h/old"), "308 https://w:8443/new/");
    EXPECT_EQ(goes(":x.org", "/", "redirect:https://:x.example", "a.org/b"), "302 https://a.example/b");
    EXPECT_EQ(goes("_", "/old", "redirect:/new", "h/old/x?y"), "302 /new/x?y");
    EXPECT_EQ(goes("_", "/old", "redirect:/", "h/old//evil.example/"), "302 /evil.example/") << "not //evil.example";
    EXPECT_EQ(goes("_", "/", "redirect:https://[::1]:8443/", "h/x"), "302 https://[::1]:8443/x");
}

TEST(Respond, GivesStatusAndText)
{
    EXPECT_EQ(goes("_", "/", "respond:404 Nothing here", "h/"), "404 Nothing here");
    EXPECT_EQ(goes("_", "/", "respond:204", "h/"), "204 ");
}

TEST(Table, TakesTheFirstThatMatches)
{
    const auto routes = table({route("a.org", "/x", "POST", "deny"), route("_", "/x/:y", "_", "http://one"),
                               route("a.org", "/x/y", "_", "http://two"), route(":m.org", "/", "_", "http://three"),
                               route(":n.org", "/x", "_", "http://four")});
    EXPECT_EQ(decide(routes, request("a.org/x/y", "POST")).route, 0);
    EXPECT_EQ(decide(routes, request("a.org/x/y")).route, 1);
    EXPECT_EQ(decide(routes, request("a.org/x")).route, 3);
    EXPECT_EQ(decide(routes, request("a.com/x")).route, -1);
}

TEST(Table, GivesTheListenersDefaultWhenNothingMatches)
{
    const auto none = table({});
    EXPECT_EQ(decide(none, request("h/"), Action::forward_original).action, Action::forward_original);
    EXPECT_EQ(decide(none, request("h/"), Action::deny).action, Action::deny);
}

TEST(Table, LeavesNothingOfAnEarlierDecisionBehind)
{
    const auto routes = table({route("a", "/", "_", "https://b"), route("b", "/", "_", "respond:403 No"),
                               route("c", "/", "_", "redirect:/new"), route("d", "/", "_", "original")});
    Decision used;
    for (const auto* url : {"a/x", "b/", "c/", "d/", "a/y", "none/"}) {
        routes.decide(request(url), Action::deny, used);
        const auto fresh = decide(routes, request(url));
        EXPECT_EQ(way(used), way(fresh));
        EXPECT_EQ(used.host + used.target + used.text, fresh.host + fresh.target + fresh.text);
        EXPECT_EQ(used.port, fresh.port);
        EXPECT_EQ(used.status, fresh.status);
    }
}

TEST(ByName, LooksAtRoutesForEveryPathAndMethodOnly)
{
    const auto routes = table({route("a.org", "/x", "_", "http://path"), route("a.org", "/", "GET", "http://method"),
                               route("a.org", "/", "_", "https://any:8443/base"),
                               route("b.org", "_", "_", "respond:404 No"), route(":x.net", "/", "_", "https://:x.in")});
    const auto by_name = [&](const char* name) {
        Decision decision;
        routes.decide_by_name(name, "web", Action::forward_original, decision);
        return std::to_string(decision.route) + " " + way(decision);
    };
    EXPECT_EQ(by_name("a.org"), "2 https://any:8443");
    EXPECT_EQ(by_name("b.org"), "3 deny");
    EXPECT_EQ(by_name("c.net"), "4 https://c.in");
    EXPECT_EQ(by_name("c.org"), "-1 original");
    EXPECT_EQ(by_name(""), "-1 original");
}

} // namespace
} // namespace gw::route
