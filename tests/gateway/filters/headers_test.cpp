#include "gateway/filters/headers.h"

#include <gtest/gtest.h>

namespace gw::filters {
namespace {

Variables of_a_request() { return {"2001:db8::7", "40000", "shop.example", "/basket", "web", "01hq"}; }

std::string appended(const HeaderEditor& editor, const Variables& variables = of_a_request())
{
    std::string out;
    editor.append(out, variables);
    return out;
}

std::string why_refused(const HeaderEdits& edits)
{
    const auto made = HeaderEditor::make(edits);
    return made ? "not refused" : made.error().what;
}

TEST(HeaderEditor, ChangesNothingWhenThereIsNothingToDo)
{
    const auto editor = HeaderEditor::make({});
    ASSERT_TRUE(editor);
    EXPECT_TRUE(editor->empty());
    EXPECT_FALSE(editor->drops("Server"));
    EXPECT_EQ(appended(*editor), "");
}

TEST(HeaderEditor, DropsWhatIsRemovedAndWhatIsSetInAnyCase)
{
    const auto editor = HeaderEditor::make({{"X-Debug"}, {{"X-Real-IP", "{client.address}"}}, {{"X-More", "1"}}});
    ASSERT_TRUE(editor);
    EXPECT_TRUE(editor->drops("x-debug"));
    EXPECT_TRUE(editor->drops("X-REAL-IP"));
    EXPECT_FALSE(editor->drops("X-More"));
    EXPECT_FALSE(editor->drops("X-Debug2"));
    EXPECT_FALSE(editor->drops("X-Debuk"));
}

TEST(HeaderEditor, WritesWhatIsSetThenWhatIsAddedInOrder)
{
    const auto editor = HeaderEditor::make({{}, {{"A", "1"}, {"B", "2"}}, {{"C", "3"}, {"A", "4"}}});
    ASSERT_TRUE(editor);
    EXPECT_EQ(appended(*editor), "A: 1\r\nB: 2\r\nC: 3\r\nA: 4\r\n");
}

TEST(HeaderEditor, PutsEveryVariableInItsPlace)
{
    const auto editor =
        HeaderEditor::make({{}, {{"X", "[{client.address}]:{client.port} {host}{path} {listener}/{request.id}."}}, {}});
    ASSERT_TRUE(editor);
    EXPECT_EQ(appended(*editor), "X: [2001:db8::7]:40000 shop.example/basket web/01hq.\r\n");
}

TEST(HeaderEditor, KeepsABraceThatIsWrittenTwice)
{
    const auto editor = HeaderEditor::make({{}, {{"Report-To", R"({{"group":"{host}"})"}}, {}});
    ASSERT_TRUE(editor);
    EXPECT_EQ(appended(*editor), "Report-To: {\"group\":\"shop.example\"}\r\n");
}

TEST(HeaderEditor, LetsNoRequestWriteALine)
{
    const auto editor = HeaderEditor::make({{}, {{"X", "{path}"}}, {}});
    ASSERT_TRUE(editor);
    auto variables = of_a_request();
    variables.path = std::string_view{"/\r\nSet-Cookie: a\0\x7f", 18};
    EXPECT_EQ(appended(*editor, variables), "X: /  Set-Cookie: a  \r\n");
}

TEST(HeaderEditor, FindsNamesOfAnyLength)
{
    const std::string long_name(80, 'a'), other_long_name(81, 'a');
    const auto editor = HeaderEditor::make({{long_name}, {}, {}});
    ASSERT_TRUE(editor);
    EXPECT_TRUE(editor->drops(long_name));
    EXPECT_FALSE(editor->drops(other_long_name));
    EXPECT_FALSE(editor->drops(""));
}

TEST(HeaderEditor, RefusesNamesThatAreNotItsToEdit)
{
    for (const std::string name :
         {"", "X Y", "X:", "X\r\nY", "\xc3\xa4", "Content-Length", "transfer-encoding", "Connection", "Keep-Alive",
          "TE", "Trailer", "Upgrade", "Proxy-Connection", "Proxy-Authorization"}) {
        EXPECT_NE(why_refused({{name}, {}, {}}), "not refused") << name;
        EXPECT_NE(why_refused({{}, {{name, "1"}}, {}}), "not refused") << name;
        EXPECT_NE(why_refused({{}, {}, {{name, "1"}}}), "not refused") << name;
    }
}

TEST(HeaderEditor, RefusesValuesThatEndALineOrNameAnUnknownVariable)
{
    for (const std::string& value : {std::string{"a\r\nB: c"}, std::string{"a\rb"}, std::string{"a\nb"},
                                     std::string{"a\0b", 3}, std::string{"\x7f"}, std::string{"{"}, std::string{"{}"},
                                     std::string{"{client}"}, std::string{"{host"}, std::string{"{Host}"}})
        EXPECT_NE(why_refused({{}, {{"X", value}}, {}}), "not refused") << value;
    EXPECT_NE(why_refused({{}, {{"X", "{clinet.address}"}}, {}}).find("{client.address}"), std::string::npos);
    EXPECT_EQ(why_refused({{}, {{"X", "\t caf\xc3\xa9 }"}}, {}}), "not refused");
}

} // namespace
} // namespace gw::filters
