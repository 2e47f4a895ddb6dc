#include "gateway/http/path.h"

#include <gtest/gtest.h>

namespace gw::http {
namespace {

constexpr std::string_view refused = "refused";

std::string normal(std::string_view path)
{
    std::string scratch;
    const auto answer = normalise_path(path, scratch);
    if (answer) return std::string{*answer};
    EXPECT_EQ(answer.error().fault, Fault::malformed);
    EXPECT_EQ(answer.error().side, Side::client);
    return std::string{refused};
}

struct Row {
    std::string_view path;
    std::string_view form;
};

void holds(std::initializer_list<Row> rows)
{
    for (const auto& [path, form] : rows) {
        const auto answer = normal(path);
        EXPECT_EQ(answer, form) << path;
        if (answer != refused) {
            EXPECT_EQ(normal(answer), answer) << path << ": not idempotent";
        }
    }
}

TEST(NormalPath, IsTheSameWhenThereIsNothingToChange)
{
    for (const std::string_view path : {"/", "/a", "/a/", "/a/b.html", "/a.b/c..d/e...", "//", "//a//b", "/a;b=c/d,e",
                                        "/~a_b-c!$&'()*+,;=:@", "/[a]{b}|c^`\"<>", "/a...", "*"}) {
        std::string scratch = "untouched";
        const auto answer = normalise_path(path, scratch);
        ASSERT_TRUE(answer) << path;
        EXPECT_EQ(answer->data(), path.data()) << path;
        EXPECT_EQ(*answer, path);
        EXPECT_EQ(scratch, "untouched");
    }
}

TEST(NormalPath, ResolvesDotSegments)
{
    holds({
        {"/.", "/"},
        {"/./", "/"},
        {"/a/.", "/a/"},
        {"/a/./", "/a/"},
        {"/a/./b", "/a/b"},
        {"/././a", "/a"},
        {"/a/..", "/"},
        {"/a/../", "/"},
        {"/a/../b", "/b"},
        {"/a/b/..", "/a/"},
        {"/a/b/../", "/a/"},
        {"/a/b/../..", "/"},
        {"/a/b/c/./../../g", "/a/g"},
        {"/mid/content=5/../6", "/mid/6"},
        {"/a/b/../c/../d", "/a/d"},
        {"/a//b/..", "/a//"},
        {"/...", "/..."},
        {"/..a", "/..a"},
        {"/a../b", "/a../b"},
        {"/.a/b", "/.a/b"},
        {"/a/.../b", "/a/.../b"},
        {"/.well-known/x", "/.well-known/x"},
        {"/a/..//b", "//b"},
    });
}

TEST(NormalPath, NeverClimbsAboveTheRoot)
{
    holds({
        {"/..", refused},
        {"/../", refused},
        {"/../a", refused},
        {"/./..", refused},
        {"/a/../..", refused},
        {"/a/../../b", refused},
        {"/a/b/../../../etc/passwd", refused},
        {"/%2e%2e/a", refused},
        {"/..%2f..%2fetc", refused},
    });
}

TEST(NormalPath, DecodesUnreservedCharactersOnly)
{
    holds({
        {"/%41%5a%61%7A%30%39", "/AZaz09"},
        {"/%2D%2e%5f%7E", "/-._~"},
        {"/%7euser", "/~user"},
        {"/a%20b", "/a%20b"},
        {"/%c3%a4", "/%C3%A4"},
        {"/%3a%40%21", "/%3A%40%21"},
        {"/%3f%23", "/%3F%23"},
        {"/a%3Fb", "/a%3Fb"},
        {"/a%2fb", "/a%2Fb"},
        {"/a%5cb", "/a%5Cb"},
        {"/a\\b", "/a\\b"},
        {"/%0a", "/%0A"},
        {"/%7f", "/%7F"},
        {"/%3b", "/%3B"},
        {"/%ff", "/%FF"},
    });
}

TEST(NormalPath, ResolvesDotsHoweverTheyAreEncoded)
{
    holds({
        {"/a/%2e", "/a/"},
        {"/a/%2E/b", "/a/b"},
        {"/a/%2e%2e/b", "/b"},
        {"/a/.%2e/b", "/b"},
        {"/a/%2E./b", "/b"},
        {"/a/%2e%2E", "/"},
        {"/a/%2e%2e%2e/b", "/a/.../b"},
        {"/a%2eb", "/a.b"},
    });
}

TEST(NormalPath, DecodesOnceOnly)
{
    holds({
        {"/a/%252e%252e/b", "/a/%252e%252e/b"},
        {"/a/%252E%252e/b", "/a/%252E%252e/b"},
        {"/a%252fb", "/a%252fb"},
        {"/%2541", "/%2541"},
        {"/%25", "/%25"},
        {"/%2525", "/%2525"},
        {"/%25%32%65", "/%252e"},
    });
}

TEST(NormalPath, IsRefusedWhenDotsStandBesideWhatSomeTakeForASlash)
{
    holds({
        {"/a/..%2fb", refused},
        {"/a/..%2Fb", refused},
        {"/a/..%5cb", refused},
        {"/a/..\\b", refused},
        {"/a/.%2fb", refused},
        {"/a/.\\b", refused},
        {"/a%2f../b", refused},
        {"/a%2F..", refused},
        {"/a%5c..", refused},
        {"/a\\..", refused},
        {"/a\\.", refused},
        {"/a\\..\\b", refused},
        {"/a%2f.%2fb", refused},
        {"/%2f..", refused},
        {"/%5c..%5c", refused},
        {"/a%2f%2e%2e", refused},
        {"/a/%2e%2e%2fb", refused},
        {"/a/%2e%2e\\b", refused},
        {"/a%2fb/../c", refused},
        {"/a\\b/../c", refused},
        {"/a%5cb/..", refused},
        {"/x/a%2fb/../../c", refused},
        {"/a%2fb/./c", "/a%2Fb/c"},
        {"/x/../a%2fb", "/a%2Fb"},
        {"/a%2fb/c/..", "/a%2Fb/"},
        {"/a%2f...", "/a%2F..."},
        {"/a%2f..b", "/a%2F..b"},
        {"/a..%2fb", "/a..%2Fb"},
        {"/a.\\b", "/a.\\b"},
        {"/%2f", "/%2F"},
        {"/\\", "/\\"},
    });
}

TEST(NormalPath, IsRefusedWhenDotsDependOnMergedSlashesOrParameters)
{
    holds({
        {"//..", refused},
        {"/a//..", refused},
        {"/a//../b", refused},
        {"/a//./b", "/a//b"},
        {"/a/b//c/..", "/a/b//"},
        {"/a/..;/b", refused},
        {"/a/..;x=y/b", refused},
        {"/a/..;", refused},
        {"/a/.;/b", refused},
        {"/a/..%3bx/b", refused},
        {"/a/%2e%2e;/b", refused},
        {"/a%2f..;/b", refused},
        {"/a\\.;b", refused},
        {"/a/...;/b", "/a/...;/b"},
        {"/a/;../b", "/a/;../b"},
        {"/a;b/../c", "/c"},
        {"/a/..a;/b", "/a/..a;/b"},
    });
}

TEST(NormalPath, IsRefusedWithAsciiInOverlongUtf8)
{
    holds({
        {"/%c0%af", refused},
        {"/%C0%AE%C0%AE/", refused},
        {"/a/%c0%2e", "/a/%C0."},
        {"/%c1%9c", refused},
        {"/%c0%80", refused},
        {"/%e0%80%af", refused},
        {"/%e0%81%9c", refused},
        {"/%f0%80%80%af", refused},
        {"/%f0%80%81%9c", refused},
        {"/%e0%82%80", "/%E0%82%80"},
        {"/%e2%88%95", "/%E2%88%95"},
        {"/%c3%80", "/%C3%80"},
        {"/%c0a", "/%C0a"},
        {"/%c0", "/%C0"},
        {"/%e0%80", "/%E0%80"},
        {"/%f0%80%80", "/%F0%80%80"},
    });
}

TEST(NormalPath, IsRefusedWhenItsBytesAreWrong)
{
    using namespace std::string_view_literals;
    holds({
        {"", refused},      {"a", refused},     {"a/b", refused},       {"**", refused},    {"/%", refused},
        {"/%4", refused},   {"/%g0", refused},  {"/%0g", refused},      {"/%%41", refused}, {"/%u002e", refused},
        {"/a%", refused},   {"/%-1", refused},  {"/% 41", refused},     {"/%00", refused},  {"/a%00.html", refused},
        {"/\0"sv, refused}, {"/\n", refused},   {"/\r", refused},       {"/\t", refused},   {"/ ", refused},
        {"/\x7f", refused}, {"/\x80", refused}, {"/\xc3\xa4", refused}, {"/#", refused},    {"/?", refused},
    });
}

TEST(NormalPath, IsTheSameForEveryLengthOfPrefix)
{
    for (std::size_t size = 1; size < 40; ++size) {
        const auto prefix = "/" + std::string(size, 'p');
        EXPECT_EQ(normal(prefix + "/%61/../b"), prefix + "/b");
        EXPECT_EQ(normal(prefix + "/.."), "/");
    }
}

TEST(InspectedPath, HasEncodedQuestionMarksEncodedOnceMore)
{
    const auto seen = [](std::string_view path) {
        std::string scratch;
        return std::string{path_for_inspection(path, scratch)};
    };
    EXPECT_EQ(seen("/a%3Fb"), "/a%253Fb");
    EXPECT_EQ(seen("/%3f%3F"), "/%253F%253F");
    EXPECT_EQ(seen("%3F"), "%253F");
    EXPECT_EQ(seen("/a%253Fb"), "/a%253Fb");
    EXPECT_EQ(seen("/%%3F"), "/%%253F");
    EXPECT_EQ(seen("/a?b=%41"), "/a?b=%41");
    for (const std::string_view same : {"", "/", "/%", "/%3", "/%3E", "/3F", "/%41"}) {
        std::string scratch;
        EXPECT_EQ(path_for_inspection(same, scratch).data(), same.data());
    }
    EXPECT_EQ(seen(seen("/a%3Fb")), "/a%253Fb");
}

TEST(NormalHost, IsInLowerCaseWithoutFinalDot)
{
    const auto seen = [](std::string_view host) {
        std::string scratch;
        return std::string{normalise_host(host, scratch)};
    };
    EXPECT_EQ(seen("Shop.Example"), "shop.example");
    EXPECT_EQ(seen("shop.example."), "shop.example");
    EXPECT_EQ(seen("A."), "a");
    EXPECT_EQ(seen("2001:DB8::1"), "2001:db8::1");
    EXPECT_EQ(seen("."), ".");
    EXPECT_EQ(seen(""), "");
    const std::string_view same = "shop.example";
    std::string scratch;
    EXPECT_EQ(normalise_host(same, scratch).data(), same.data());
}

} // namespace
} // namespace gw::http
