#include "gateway/keeper/boot.h"
#include "gateway/keeper/saving.h"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

namespace gw::keeper {
namespace {

namespace fs = std::filesystem;

constexpr const char* known = "listeners: []\n# known to be good\n";
constexpr const char* fresh = "listeners: []\n# new\n";

class BootTest : public ::testing::Test {
protected:
    BootTest()
    {
        char name[] = "/tmp/gwboot.XXXXXX";
        folder = ::mkdtemp(name);
        options.config_file = folder + "/gateway.yaml";
        history = *History::open(folder + "/state");
        auto entry = stored(known);
        EXPECT_TRUE(save(&*history, entry));
        EXPECT_TRUE(history->mark_good(entry.number));
    }
    ~BootTest() override { fs::remove_all(folder); }

    Stored stored(const std::string& text) const { return {0, 1'000, "start", {{options.config_file, text}}}; }
    void file_is(const std::string& text) const { std::ofstream(options.config_file) << text; }
    /// The text that a start now would be with; "refused" when it would not be.
    std::string chosen(Boot& boot) const
    {
        const auto choice = boot.choose();
        const auto* loaded = std::get_if<Loaded>(&choice);
        return loaded != nullptr ? loaded->sources[0].text : "refused";
    }
    std::string chosen() const
    {
        Boot boot{options, settings, &*history};
        return chosen(boot);
    }

    std::string folder;
    Options options;
    Settings settings;
    std::optional<History> history;
};

TEST_F(BootTest, IsWithTheFileWhenThatIsGood)
{
    file_is(fresh);
    Boot boot{options, settings, &*history};
    EXPECT_EQ(chosen(boot), fresh);
    EXPECT_EQ(boot.reason(), "");
}

TEST_F(BootTest, IsWithTheLastKnownGoodWhenTheFileIsWrongOrMissing)
{
    EXPECT_EQ(chosen(), known);
    for (const auto* wrong : {"", "listeners: [", "listeners: []\nlistners: []\n"}) {
        file_is(wrong);
        Boot boot{options, settings, &*history};
        EXPECT_EQ(chosen(boot), known) << wrong;
        EXPECT_NE(boot.reason().find("wrong"), std::string::npos);
        EXPECT_EQ(boot.fallback().at, 1'000);
    }
}

TEST_F(BootTest, IsRefusedWhereOnlyTheFileMayBeUsed)
{
    file_is("listeners: [");
    options.strict_start = true;
    EXPECT_EQ(chosen(), "refused");
}

TEST_F(BootTest, IsNeverWithThatOfAnotherFile)
{
    fs::copy(folder + "/state", folder + "/other", fs::copy_options::recursive);
    options.config_file = folder + "/other.yaml";
    EXPECT_EQ(chosen(), "refused");
}

TEST_F(BootTest, DropsWhatWasOnTrialWhenItEnded)
{
    file_is(known);
    ASSERT_TRUE(history->keep(History::Slot::pending, stored(fresh)));
    Boot boot{options, settings, &*history};
    EXPECT_EQ(chosen(boot), known);
    EXPECT_EQ(boot.dropped_at(), 1'000);
    EXPECT_EQ(boot.reason(), "") << "the file is what it was";
    EXPECT_FALSE(history->kept(History::Slot::pending));
    EXPECT_EQ(chosen(), known);
}

TEST_F(BootTest, TrustsNoFileThatWasOnTrialAndNotConfirmed)
{
    file_is(fresh);
    ASSERT_TRUE(history->keep(History::Slot::pending, stored(fresh)));
    for (int start = 0; start < 3; ++start) EXPECT_EQ(chosen(), known) << start;
    file_is("listeners: []\n# mended\n");
    EXPECT_EQ(chosen(), "listeners: []\n# mended\n");
}

TEST_F(BootTest, TrustsNoFileWithWhichStartsEndSoonAgainAndAgain)
{
    file_is(fresh);
    for (std::uint64_t start = 0; start < settings.most_early_ends; ++start) EXPECT_EQ(chosen(), fresh) << start;
    EXPECT_EQ(chosen(), known);
    EXPECT_EQ(chosen(), known);
    file_is("listeners: []\n# mended\n");
    EXPECT_EQ(chosen(), "listeners: []\n# mended\n");
}

TEST_F(BootTest, CountsNoStartThatSettled)
{
    file_is(fresh);
    for (int start = 0; start < 10; ++start) {
        Boot boot{options, settings, &*history};
        EXPECT_EQ(chosen(boot), fresh);
        boot.settled();
    }
}

TEST_F(BootTest, GoesOnWithTheFileWhenThereIsNothingBetter)
{
    file_is(known);
    for (int start = 0; start < 10; ++start) EXPECT_EQ(chosen(), known);
    Boot alone{options, settings, nullptr};
    EXPECT_EQ(chosen(alone), known);
    EXPECT_FALSE(alone.instead("no reason"));
}

TEST_F(BootTest, OffersTheLastKnownGoodOnceWhenTheChosenOneDoesNotComeIntoForce)
{
    file_is(fresh);
    Boot boot{options, settings, &*history};
    EXPECT_EQ(chosen(boot), fresh);
    const auto instead = boot.instead("port 80 is taken");
    ASSERT_TRUE(instead);
    EXPECT_EQ(instead->sources[0].text, known);
    EXPECT_EQ(boot.reason(), "port 80 is taken");
    EXPECT_FALSE(boot.instead("again"));
}

} // namespace
} // namespace gw::keeper
