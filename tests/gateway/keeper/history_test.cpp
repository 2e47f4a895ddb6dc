#include "gateway/keeper/history.h"
#include "gateway/keeper/saving.h"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gw::keeper {
namespace {

namespace fs = std::filesystem;

class HistoryTest : public ::testing::Test {
protected:
    HistoryTest()
    {
        char name[] = "/tmp/gwhistory.XXXXXX";
        folder = ::mkdtemp(name);
    }
    ~HistoryTest() override { fs::remove_all(folder); }

    History opened() const
    {
        auto history = History::open(folder + "/state");
        EXPECT_TRUE(history);
        return *history;
    }
    Stored with(const std::string& text) const { return {0, 1, "apply", {{folder + "/gateway.yaml", text}}}; }
    static std::uint64_t saved(const History& history, Stored entry)
    {
        EXPECT_TRUE(save(&history, entry));
        return entry.number;
    }
    std::string disk(const std::string& name = "gateway.yaml") const
    {
        std::ifstream file(folder + '/' + name, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    void write(const std::string& name, const std::string& text) const
    {
        std::ofstream(folder + '/' + name, std::ios::binary) << text;
    }

    std::string folder;
};

TEST_F(HistoryTest, GivesBackWhatWasInForceNewestFirst)
{
    const auto history = opened();
    for (const auto* text : {"one", "two", "three"}) saved(history, with(text));
    const auto entries = opened().entries();
    ASSERT_EQ(entries.size(), 3u);
    EXPECT_EQ(entries[0].sources[0].text, "three");
    EXPECT_EQ(entries[0].number, 3u);
    EXPECT_EQ(entries[2].sources[0].text, "one");
}

TEST_F(HistoryTest, CountsTheSameAgainOnlyOnce)
{
    const auto history = opened();
    const auto number = saved(history, with("one"));
    EXPECT_EQ(saved(history, with("one")), number);
    EXPECT_EQ(history.entries().size(), 1u);
}

TEST_F(HistoryTest, KeepsTheLastTenAndTheGoodOne)
{
    const auto history = opened();
    const auto good = saved(history, with("good"));
    ASSERT_TRUE(history.mark_good(good));
    for (int i = 0; i < 25; ++i) saved(history, with(std::to_string(i)));
    EXPECT_EQ(history.entries().size(), History::kept_entries + 1);
    ASSERT_TRUE(opened().good());
    EXPECT_EQ(opened().good()->sources[0].text, "good");
}

TEST_F(HistoryTest, LeavesOutWhatIsDamaged)
{
    const auto history = opened();
    saved(history, with("one"));
    const auto two = saved(history, with("two"));
    ASSERT_TRUE(history.mark_good(two));
    write("state/history/000002", "gateway-configuration 1\nnumber 2\n");
    write("state/history/nonsense", "x");
    ASSERT_EQ(history.entries().size(), 1u);
    EXPECT_EQ(history.entries()[0].sources[0].text, "one");
    EXPECT_FALSE(history.good());
    write("state/good", "-7");
    EXPECT_FALSE(history.good());
    EXPECT_EQ(saved(history, with("three")), 3u);
}

TEST_F(HistoryTest, IsForNobodyElse)
{
    saved(opened(), with("one"));
    struct stat about {};
    ASSERT_EQ(::stat((folder + "/state/history/000001").c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 0777, 0600u);
    ASSERT_EQ(::stat((folder + "/state/history").c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 0777, 0700u);
}

TEST_F(HistoryTest, KeepsWhatIsOnTrialApart)
{
    const auto history = opened();
    EXPECT_FALSE(history.kept(History::Slot::pending));
    ASSERT_TRUE(history.keep(History::Slot::pending, with("trial")));
    EXPECT_TRUE(history.entries().empty());
    EXPECT_EQ(opened().kept(History::Slot::pending)->sources[0].text, "trial");
    history.forget(History::Slot::pending);
    EXPECT_FALSE(opened().kept(History::Slot::pending));
}

TEST_F(HistoryTest, SaysSoWhenItsFolderCannotBeHad)
{
    write("file", "");
    EXPECT_FALSE(History::open(folder + "/file/state"));
    EXPECT_FALSE(History::open("/proc/self/state"));
}

TEST_F(HistoryTest, ShowsNothingOfAChangeBeforeItIsPublished)
{
    write("gateway.yaml", "old");
    const auto history = opened();
    {
        const auto staged = stage(&history, with("new"), {{folder + "/gateway.yaml", "new"}});
        ASSERT_TRUE(staged);
        EXPECT_EQ(disk(), "old");
        EXPECT_TRUE(history.entries().empty());
    }
    EXPECT_EQ(disk(), "old");
    EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 2) << "the temporary file has gone";
    auto staged = stage(&history, with("new"), {{folder + "/gateway.yaml", "new"}});
    ASSERT_TRUE(publish(&history, std::move(*staged)));
    EXPECT_EQ(disk(), "new");
    EXPECT_EQ(history.entries().size(), 1u);
}

TEST_F(HistoryTest, KeepsACopyOfWhatWasWrittenOverAndNeverInForce)
{
    const auto history = opened();
    const auto one = with("one"), two = with("two");
    saved(history, one);
    write("gateway.yaml", "one");
    auto entry = two;
    ASSERT_TRUE(save(&history, entry, two.sources));
    EXPECT_FALSE(fs::exists(folder + "/state/overwritten.gateway.yaml")) << "it is in the history";
    write("gateway.yaml", "work of an hour");
    entry = one;
    ASSERT_TRUE(save(&history, entry, one.sources));
    EXPECT_EQ(disk(), "one");
    EXPECT_EQ(disk("state/overwritten.gateway.yaml"), "work of an hour");
}

TEST_F(HistoryTest, LeavesAFileItsModeItsGroupAndItsLink)
{
    write("real.yaml", "old");
    ASSERT_EQ(::chmod((folder + "/real.yaml").c_str(), 0640), 0);
    fs::create_symlink("real.yaml", folder + "/gateway.yaml");
    auto staged = StagedFile::write_over(folder + "/gateway.yaml", "new");
    ASSERT_TRUE(staged);
    ASSERT_TRUE(staged->publish());
    EXPECT_TRUE(fs::is_symlink(folder + "/gateway.yaml"));
    EXPECT_EQ(disk("real.yaml"), "new");
    struct stat about {};
    ASSERT_EQ(::stat((folder + "/real.yaml").c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 07777, 0640u);
}

TEST_F(HistoryTest, FindsWhatAnIncludeWouldBringBesides)
{
    fs::create_directory(folder + "/conf.d");
    write("conf.d/a.yaml", "routes: []\n");
    write("conf.d/b.yaml", "routes: []\n");
    const config::Sources sources{{folder + "/gateway.yaml", "include: \"conf.d/*.yaml\"\n"},
                                  {folder + "/conf.d/a.yaml", "routes: []\n"}};
    EXPECT_EQ(unwanted_includes(sources), folder + "/conf.d/b.yaml");
    fs::remove(folder + "/conf.d/b.yaml");
    EXPECT_EQ(unwanted_includes(sources), "");
    const auto differing = differing_from_disk(sources);
    ASSERT_EQ(differing.size(), 1u);
    EXPECT_EQ(differing[0].name, folder + "/gateway.yaml");
}

} // namespace
} // namespace gw::keeper
