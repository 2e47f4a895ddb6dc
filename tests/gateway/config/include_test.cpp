#include "tests/gateway/config/support.h"

#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <sys/stat.h>

namespace gw::config::testing {

namespace {

using ::testing::HasSubstr;

/// A folder that is gone again after the test.
class Include : public ::testing::Test {
protected:
    Include()
    {
        auto pattern = ::testing::TempDir() + "gateway [config] XXXXXX";
        if (const char* made = ::mkdtemp(pattern.data())) folder_ = made;
    }
    ~Include() override { std::filesystem::remove_all(folder_); }

    std::string file(const std::string& name, const std::string& text)
    {
        const auto path = folder_ + "/" + name;
        std::filesystem::create_directories(std::filesystem::path{path}.parent_path());
        std::ofstream{path, std::ios::binary} << text;
        return path;
    }
    /// The problems of reading `main`, or of parsing what was read; nothing when all is right.
    std::string wrong_with_file(const std::string& main)
    {
        const auto read = read_sources(main);
        if (const auto* problems = std::get_if<Problems>(&read)) return told(*problems);
        return wrong_with(std::get<Sources>(read));
    }
    Settings settings_of_file(const std::string& main)
    {
        const auto read = read_sources(main);
        if (!std::holds_alternative<Sources>(read)) ADD_FAILURE() << told(std::get<Problems>(read));
        return settings_of(std::holds_alternative<Sources>(read) ? std::get<Sources>(read) : Sources{});
    }

    std::string folder_;
};

} // namespace

TEST_F(Include, AddsListenersAndRoutesInTheOrderOfTheNames)
{
    const auto main =
        file("gateway.yaml", "include: conf.d/*.yaml\nlisteners: [{name: main, bind: [\"127.0.0.1:1\"]}]\n"
                             "routes: [{to: \"http://main/\"}]\n");
    file("conf.d/b.yaml", "routes: [{to: \"http://b/\"}]\n");
    file("conf.d/a.yaml", "listeners: [{bind: [\"127.0.0.1:2\"]}]\nroutes: [{to: \"http://a/\", listeners: [main]}]\n");
    file("conf.d/B.yaml", "# nothing yet\n");
    file("conf.d/c.yaml.old", "nonsense");

    const auto settings = settings_of_file(main);

    ASSERT_EQ(settings.listeners.size(), 2u);
    EXPECT_EQ(settings.listeners[1].name, "listener-2");
    ASSERT_EQ(settings.routes.size(), 3u);
    EXPECT_EQ(settings.routes[1].to, "http://a/");
    EXPECT_EQ(settings.routes[2].to, "http://b/");
    EXPECT_EQ(settings.routes[2].where.file, folder_ + "/conf.d/b.yaml");
}

TEST_F(Include, LetsEachFileSetItsOwnPartOnce)
{
    const auto main = file("gateway.yaml", "include: more.yaml\nlisteners: []\nwaf: detect\nlimits: {headers: 50}\n");
    file("more.yaml", "waf: {paranoia: 2}\nlimits: {connections: 10}\n");
    EXPECT_EQ(settings_of_file(main).waf.policies[0].paranoia, 2);
    EXPECT_EQ(settings_of_file(main).waf.policies[0].mode, waf::Mode::detect);

    file("more.yaml", "waf: {mode: block}\nlimits: {headers: 60}\n");
    const auto told = wrong_with_file(main);
    EXPECT_THAT(told, HasSubstr("1:7 waf.mode: is set already, at " + main + ":3:6"));
    EXPECT_THAT(told, HasSubstr("2:10 limits.headers: is set already, at " + main + ":4:10"));
}

TEST_F(Include, TellsTheProblemsOfAllFilesAtOnceInOrder)
{
    const auto main = file("gateway.yaml", "include: \"*.yaml\"\nlisteners: []\nwaf: blok\n");
    file("a.yaml", "routes:\n  - {too: x}\n");
    file("b.yaml", "a: [\n");
    const auto sources = std::get<Sources>(read_sources(main));
    const auto problems = std::get<Problems>(parse(sources));

    ASSERT_EQ(problems.size(), 4u);
    EXPECT_EQ(problems[0].where.text(), main + ":3:6");
    EXPECT_EQ(problems[1].where.text(), folder_ + "/a.yaml:2:5");
    EXPECT_EQ(problems[2].path, "routes[0].too");
    EXPECT_EQ(problems[3].where.file, folder_ + "/b.yaml");
}

TEST_F(Include, FindsNamesAcrossFiles)
{
    const auto main = file("gateway.yaml", "include: r.yaml\nlisteners: [{name: web, bind: [\"127.0.0.1:1\"]}]\n");
    file("r.yaml",
         "listeners: [{name: web, bind: [\"127.0.0.1:1\"]}]\nroutes: [{to: \"http://a/\", listeners: [wbe]}]\n");

    const auto told = wrong_with_file(main);
    EXPECT_THAT(told,
                HasSubstr("listeners[1].name: the name \"web\" belongs to the listener at " + main + ":2:13 already"));
    EXPECT_THAT(told, HasSubstr("127.0.0.1:1 is taken already, at " + main));
    EXPECT_THAT(told, HasSubstr("no listener is called \"wbe\"; did you mean \"web\"?"));
}

TEST_F(Include, IsForTheMainFileOnlyAndSkipsIt)
{
    const auto main = file("gateway.yaml", "listeners: []\ninclude: \"*.yaml\"\n");
    EXPECT_EQ(wrong_with_file(main), "");
    file("x.yaml", "include: y.yaml\n");
    EXPECT_THAT(wrong_with_file(main), HasSubstr("1:1 include: only the main file may include others"));
}

TEST_F(Include, TellsWhereAPatternFitsNothing)
{
    const auto main = file("gateway.yaml", "listeners: []\ninclude: conf.d/*.yaml\n");
    EXPECT_EQ(wrong_with_file(main), "2:10 include: no file fits \"conf.d/*.yaml\"\n");
    file("conf.d/x.yaml/y", "");
    EXPECT_THAT(wrong_with_file(main), HasSubstr("2:10 include: " + folder_ + "/conf.d/x.yaml is a folder"));
}

TEST_F(Include, DoesNotWaitForAPipe)
{
    const auto main = file("gateway.yaml", "listeners: []\ninclude: pipe\n");
    ASSERT_EQ(::mkfifo((folder_ + "/pipe").c_str(), 0600), 0);
    EXPECT_THAT(wrong_with_file(main), HasSubstr("pipe is not a regular file"));
}

TEST_F(Include, TellsWhyAFileCannotBeRead)
{
    EXPECT_THAT(wrong_with_file(folder_ + "/none.yaml"), HasSubstr("cannot be opened: No such file or directory"));
    EXPECT_THAT(wrong_with_file(folder_), HasSubstr("is a folder"));
    const auto large = file("large.yaml", std::string(16 * 1024 * 1024 + 1, '#'));
    EXPECT_THAT(wrong_with_file(large), HasSubstr("is larger than 16 MiB"));
}

TEST_F(Include, LeavesWhatIsWrongWithTheKeyToParse)
{
    for (const auto* text :
         {"listeners: []\ninclude: [a]\n", "listeners: []\ninclude:\n", "listeners: []\ninclude: \"\"\n"})
        EXPECT_THAT(wrong_with_file(file("gateway.yaml", text)), HasSubstr("include: must ")) << text;
}

} // namespace gw::config::testing
