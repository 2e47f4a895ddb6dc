#include "gateway/session/log_writer.h"

#include <cstdio>
#include <gmock/gmock.h>
#include <memory>
#include <unistd.h>

using namespace gw;
using namespace gw::session;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

namespace {

using Format = AccessLog::Format;

LogWriter::Batch batch(std::size_t first, std::size_t count, Format format = Format::off)
{
    LogWriter::Batch made;
    made.format = format;
    made.count = count;
    for (auto number = first; number < first + count; ++number) {
        made.records += '{' + std::to_string(number) + "}\n";
        if (format == Format::human) made.lines += std::to_string(number) + '\n';
    }
    return made;
}

/// Numbered from one, in batches of two and three.
void put_five(LogWriter& log)
{
    log.put(batch(1, 2));
    log.put(batch(3, 3));
    log.finish();
}

struct File {
    std::unique_ptr<FILE, int (*)(FILE*)> open{std::tmpfile(), &std::fclose};

    Descriptor descriptor() const { return Descriptor(::dup(::fileno(open.get()))); }
    std::string content() const
    {
        std::string text(4096, '\0');
        const auto size = ::pread(::fileno(open.get()), text.data(), text.size(), 0);
        text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
        return text;
    }
};

} // namespace

TEST(LogWriter, TellsWhatCameAfterANumber)
{
    LogWriter log;
    put_five(log);
    EXPECT_THAT(log.recent(0, 100).records, ElementsAre("{1}", "{2}", "{3}", "{4}", "{5}"));
    EXPECT_THAT(log.recent(2, 100).records, ElementsAre("{2}", "{3}", "{4}", "{5}"));
    EXPECT_THAT(log.recent(4, 100).records, ElementsAre("{4}", "{5}"));
    EXPECT_THAT(log.recent(0, 3).records, ElementsAre("{3}", "{4}", "{5}"));
    EXPECT_THAT(log.recent(0, 1).records, ElementsAre("{5}"));
    EXPECT_THAT(log.recent(0, 0).records, IsEmpty());
    EXPECT_THAT(log.recent(6, 100).records, IsEmpty());
    EXPECT_THAT(log.recent(UINT64_MAX, 100).records, IsEmpty());
    EXPECT_EQ(log.recent(0, 0).next, 6u);
}

TEST(LogWriter, ForgetsTheOldestRecords)
{
    LogWriter log;
    for (std::size_t at = 0; at < 12; ++at) log.put(batch(1 + at * 1'000, 1'000));
    log.finish();
    const auto recent = log.recent(0, SIZE_MAX);
    ASSERT_EQ(recent.records.size(), 10'000u);
    EXPECT_EQ(recent.records.front(), "{2001}");
    EXPECT_EQ(recent.records.back(), "{12000}");
    EXPECT_EQ(recent.next, 12'001u);
}

TEST(LogWriter, KeepsFourMebibytesAtMostButAlwaysTheNewestBatch)
{
    LogWriter log;
    const auto large = [](std::size_t bytes) {
        LogWriter::Batch made;
        made.records = std::string(bytes, 'x') + '\n';
        made.count = 1;
        return made;
    };
    for (int i = 0; i < 5; ++i) log.put(large(1024 * 1024));
    log.finish();
    EXPECT_EQ(log.recent(0, SIZE_MAX).records.size(), 3u);

    LogWriter other;
    other.put(batch(1, 1));
    other.put(large(5 * 1024 * 1024));
    other.finish();
    EXPECT_EQ(other.recent(0, SIZE_MAX).records.size(), 1u);
}

TEST(LogWriter, WritesEachBatchInItsFormat)
{
    const File file;
    LogWriter log;
    log.send_to({}, file.descriptor());
    log.put(batch(1, 2, Format::json));
    log.put(batch(3, 1, Format::human));
    log.put(batch(4, 1, Format::off));
    log.put(batch(5, 1, Format::json));
    log.finish();
    EXPECT_EQ(file.content(), "{1}\n{2}\n3\n{5}\n");
    EXPECT_EQ(log.recent(0, SIZE_MAX).records.size(), 5u);
}
