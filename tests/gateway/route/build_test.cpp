#include "tests/gateway/route/routes.h"

#include <gmock/gmock.h>

namespace gw::route {
namespace {

using ::testing::HasSubstr;

Problems problems_of(std::vector<RouteSettings> routes)
{
    auto built = Table::build(std::move(routes));
    auto* problems = std::get_if<Problems>(&built);
    return problems == nullptr ? Problems{} : *problems;
}

/// All problems of one route as lines "key: what".
std::string said_of(const RouteSettings& one)
{
    std::string text;
    for (const auto& problem : problems_of({one})) text += problem.path.substr(10) + ": " + problem.what + "\n";
    return text;
}

TEST(Build, SaysWhatIsWrongWithAHost)
{
    const auto said = [](const char* host) { return said_of(route(host, "/", "_", "original")); };
    EXPECT_THAT(said(""), HasSubstr("\"_\" for any"));
    EXPECT_THAT(said("*"), HasSubstr("\"_\" for any"));
    EXPECT_THAT(said("http://a.org"), HasSubstr("without a scheme"));
    EXPECT_THAT(said("a.org:8080"), HasSubstr("leave \":8080\" out"));
    EXPECT_THAT(said("a..org"), HasSubstr("two dots"));
    EXPECT_THAT(said("_.org"), HasSubstr("write a binding"));
    EXPECT_THAT(said("a.*.org"), HasSubstr("write a binding"));
    EXPECT_THAT(said("a*.org"), HasSubstr("cannot be part of a host name"));
    EXPECT_THAT(said(":.org"), HasSubstr("is no binding"));
    EXPECT_THAT(said(":8.org"), HasSubstr("is no binding"));
    EXPECT_THAT(said("*.example.org"), HasSubstr("write a binding"));
    EXPECT_THAT(said("b\xc3\xbc"
                     "cher.example"),
                HasSubstr("xn--"));
    EXPECT_THAT(said("[::1"), HasSubstr("no IPv6 address"));
    EXPECT_THAT(said(std::string(254, 'a').c_str()), HasSubstr("longer"));
    EXPECT_EQ(said("a_b.xn--bcher-kva.example"), "");
}

TEST(Build, SaysWhatIsWrongWithAPath)
{
    const auto said = [](const char* path) { return said_of(route("_", path, "_", "original")); };
    EXPECT_THAT(said(""), HasSubstr("must begin with '/'"));
    EXPECT_THAT(said("admin"), HasSubstr("must begin with '/'"));
    EXPECT_THAT(said("/admin/*"), HasSubstr("leave it out"));
    EXPECT_THAT(said("/[...]"), HasSubstr("leave it out"));
    EXPECT_THAT(said("/a?b"), HasSubstr("'?'"));
    EXPECT_THAT(said("/a#b"), HasSubstr("'#'"));
    EXPECT_THAT(said("/a/../b"), HasSubstr("\"..\""));
    EXPECT_THAT(said("/a/%2e%2E/b"), HasSubstr("\"..\""));
    EXPECT_THAT(said("/a%2"), HasSubstr("hexadecimal"));
    EXPECT_THAT(said("/a%zz"), HasSubstr("hexadecimal"));
    EXPECT_THAT(said("/a%00"), HasSubstr("control"));
    EXPECT_THAT(said("/:"), HasSubstr("is no binding"));
    EXPECT_THAT(said("/:a/:b/:c/:d/:e/:f/:g/:h/:i/:j/:k/:l/:m/:n/:o/:p/:q"), HasSubstr("more than 16 names"));
    EXPECT_EQ(said("/_/x"), "");
}

TEST(Build, SaysWhatIsWrongWithAMethod)
{
    const auto said = [](const char* method) { return said_of(route("_", "/", method, "original")); };
    EXPECT_THAT(said(""), HasSubstr("\"_\" for any"));
    EXPECT_THAT(said("GET POST"), HasSubstr("\"_\" for any"));
    EXPECT_THAT(said("DELTE"), HasSubstr("did you mean \"DELETE\"?"));
    EXPECT_EQ(said("PROPFIND"), "");
    EXPECT_EQ(said("REPORT"), "");
    EXPECT_EQ(said("get"), "");
}

TEST(Build, SaysWhatIsWrongWithADestination)
{
    const auto said = [](const char* to) { return said_of(route(":name.org", "/:part", "_", to)); };
    EXPECT_THAT(said(""), HasSubstr("is missing"));
    EXPECT_THAT(said("orginal"), HasSubstr("did you mean \"original\"?"));
    EXPECT_THAT(said("respnd:404"), HasSubstr("did you mean \"respond:404\"?"));
    EXPECT_THAT(said("htp://a"), HasSubstr("did you mean \"http://a\"?"));
    EXPECT_THAT(said("www.example.org:80/x"), HasSubstr("did you mean \"http://www.example.org:80/x\"?"));
    EXPECT_THAT(said("ftp://a.example"), HasSubstr("nowhere to go"));
    EXPECT_THAT(said("http://"), HasSubstr("no host"));
    EXPECT_THAT(said("http:///x"), HasSubstr("no host"));
    EXPECT_THAT(said("http://u:p@a"), HasSubstr("user name"));
    EXPECT_THAT(said("http://a:0"), HasSubstr("no port"));
    EXPECT_THAT(said("http://a:65536"), HasSubstr("no port"));
    EXPECT_THAT(said("http://a:"), HasSubstr("no port"));
    EXPECT_THAT(said("http://a b"), HasSubstr("no host name"));
    EXPECT_THAT(said("http://1.2.3.400"), HasSubstr("no IPv4"));
    EXPECT_THAT(said("http://[1.2.3.4]"), HasSubstr("no IPv6"));
    EXPECT_THAT(said("http://[::1"), HasSubstr("no IPv6"));
    EXPECT_THAT(said("http://[::1]x"), HasSubstr("goes on"));
    EXPECT_THAT(said("http://a/b#c"), HasSubstr("fragment"));
    EXPECT_THAT(said("http://a?b"), HasSubstr("write '/'"));
    EXPECT_THAT(said("http://a/../b"), HasSubstr("\"..\""));
    EXPECT_THAT(said("http://a/:nme"), HasSubstr("did you mean \":name\"?"));
    EXPECT_THAT(said("http://:other.a"), HasSubstr("neither by the host nor by the path"));
    EXPECT_THAT(said("http://:8080/"), HasSubstr("is no binding"));
    EXPECT_THAT(said("http://a::prt"), HasSubstr("did you mean \":part\"?"));
    EXPECT_THAT(said("redirect:"), HasSubstr("must redirect to"));
    EXPECT_THAT(said("redirect://evil"), HasSubstr("must redirect to"));
    EXPECT_THAT(said("redirect:200 http://a"), HasSubstr("no status of a redirect"));
    EXPECT_THAT(said("respond:"), HasSubstr("200 to 599"));
    EXPECT_THAT(said("respond:100"), HasSubstr("200 to 599"));
    EXPECT_THAT(said("respond:4040"), HasSubstr("200 to 599"));
    EXPECT_THAT(said("respond:204 text"), HasSubstr("no body"));
    EXPECT_NE(said("redirect:http://a/\r\nX:y"), "");
    EXPECT_NE(said("redirect:http://a/?x\r\n"), "");
    EXPECT_NE(said("redirect:http://a\r\n/"), "");
}

TEST(Build, RefusesWhatIsNotSupportedYetByName)
{
    EXPECT_THAT(said_of(route("_", "/", "_", "tunnel:home")), HasSubstr("\"tunnel:home\" is not supported yet"));
}

TEST(Build, LeavesItToOthersWhichPoolsThereAre)
{
    EXPECT_EQ(said_of(route("_", "/", "_", "pool:shop")), "");
    EXPECT_THAT(said_of(route("_", "/", "_", "pool:")), HasSubstr("needs the name of a pool"));
}

TEST(Build, ReportsEveryProblemOfEveryRouteWithItsPlace)
{
    auto bad = route("a..b", "x", "", "tunnel:p");
    bad.where = Position{"gateway.yaml", 12, 5};
    bad.timeout = std::chrono::milliseconds{0};
    const auto problems = problems_of({route("_", "/", "_", "original"), bad, route("_", "/", "_", "nowhere")});
    std::vector<std::string> paths;
    for (const auto& problem : problems) paths.push_back(problem.path);
    EXPECT_THAT(paths, ::testing::UnorderedElementsAre("routes[1].host", "routes[1].path", "routes[1].method",
                                                       "routes[1].timeout", "routes[1].to", "routes[2].to"));
    EXPECT_EQ(problems.front().where.text(), "gateway.yaml:12:5");
}

TEST(Build, DoesNotComplainOfNamesWhenThePatternThatBindsThemIsBroken)
{
    const auto problems = problems_of({route(":name.*.org", "/", "_", "http://a/:name/:other")});
    ASSERT_EQ(problems.size(), 1U);
    EXPECT_EQ(problems.front().path, "routes[0].host");
}

TEST(Build, KeepsTheSettings)
{
    const auto routes = table({route("a", "/", "_", "original"), route("b", "/", "_", "deny")});
    ASSERT_EQ(routes.routes().size(), 2U);
    EXPECT_EQ(routes.routes()[1].host, "b");
}

} // namespace
} // namespace gw::route
