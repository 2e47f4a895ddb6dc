#include "tests/gateway/route/routes.h"

#include <gmock/gmock.h>

namespace gw::route {
namespace {

std::string why(const RouteSettings& one, const Request& asked)
{
    Decision decision;
    const auto trials = table({one}).explain(asked, Action::deny, decision);
    return trials.size() == 1 ? trials.front().why : "not one trial";
}

TEST(Explain, NamesWhatDiffersWithItsValues)
{
    EXPECT_EQ(why(route("b.example", "/", "_", "original"), request("a.example/")),
              "host \"a.example\" is not \"b.example\"");
    EXPECT_EQ(why(route("b.example", "/", "_", "original"), request("/")),
              "no host was given, and it is not \"b.example\"");
    EXPECT_EQ(why(route(":x.com", "/", "_", "original"), request("a.b.com/")),
              "host \"a.b.com\" does not fit \":x.com\", label by label");
    EXPECT_EQ(why(route("_", "/admin", "_", "original"), request("h/administrator")),
              "path \"/administrator\" is not under \"/admin\"");
    EXPECT_EQ(why(route("_", "/", "_", "original", {"a", "b"}), request("h/", "GET", "c")),
              "listener \"c\" is not a or b");
}

TEST(Explain, ShowsANearMiss)
{
    EXPECT_EQ(why(route("_", "/shop", "POST", "original"), request("h/shop/1")),
              "path /shop matches, but method GET is not POST");
    EXPECT_EQ(why(route("shop.example", "/shop", "POST", "original"), request("shop.example/shop/1")),
              "host shop.example and path /shop match, but method GET is not POST");
    EXPECT_EQ(why(route("_", "/Shop", "_", "original"), request("h/shop/1")),
              "path \"/shop/1\" differs in upper and lower case from \"/Shop\"");
    EXPECT_EQ(why(route("a", "/b", "POST", "original"), request("h/c")),
              "host \"h\" is not \"a\", path \"/c\" is not under \"/b\" and method GET is not POST");
}

TEST(Explain, ShowsNamesThatDoNotAgree)
{
    EXPECT_EQ(why(route(":var.com", "/:var", "_", "original"), request("abc.com/def")),
              "host abc.com and path /:var match, but :var would have to be \"abc\" (host) and \"def\" (path)");
    EXPECT_EQ(why(route("_", "/:s", "_", "http://:s.internal"), request("h/a.b")),
              "path /:s matches, but :s is \"a.b\", which cannot stand in the destination's host or port");
}

TEST(Explain, SaysWhereTheRouteThatIsTakenLeads)
{
    EXPECT_EQ(why(route("a", "/x", "_", "https://u/"), request("a/x/y?z")),
              "host a and path /x match: to https://u:443/y?z");
    EXPECT_EQ(why(route("_", "/", "_", "original"), request("a/")), "matches everything: to the original destination");
    EXPECT_EQ(why(route("a", "/", "_", "deny"), request("a/")), "host a matches: denied");
    EXPECT_EQ(why(route("_", "/", "_", "respond:404"), request("a/")), "matches everything: answered 404");
    EXPECT_EQ(why(route("_", "/", "_", "redirect:/n"), request("a/")), "matches everything: redirected (302) to /n/");
}

TEST(Explain, EndsWithTheRouteThatIsTaken)
{
    const auto routes =
        table({route("a", "/", "_", "deny"), route("b", "/", "_", "deny"), route("_", "/", "_", "deny")});
    Decision decision;
    const auto trials = routes.explain(request("b/"), Action::forward_original, decision);
    ASSERT_EQ(trials.size(), 2U);
    EXPECT_FALSE(trials[0].taken);
    EXPECT_TRUE(trials[1].taken);
    EXPECT_EQ(decision.route, 1);
}

TEST(Explain, ShowsNothingAClientSentAsItIs)
{
    const auto text = why(route("_", "/b", "POST", "original"), {"h", "/\x1b[31m\n\"", "", "G\nT", "web"});
    for (const char c : text) EXPECT_GE(c, 0x20);
}

} // namespace
} // namespace gw::route
