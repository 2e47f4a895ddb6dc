#include "gateway/base/log_thread.h"

#include "gateway/base/descriptor.h"

#include <array>
#include <csignal>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace gw::log {
namespace {

using namespace std::chrono_literals;

struct Pipe {
    Pipe()
    {
        std::array<int, 2> ends{};
        EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
        read.reset(ends[0]);
        write.reset(ends[1]);
    }
    Descriptor read;
    Descriptor write;
};

std::string lost(std::uint64_t count) { return std::to_string(count) + " lines lost\n"; }

std::string line(std::size_t number) { return std::to_string(number) + std::string(120, ' ') + "end\n"; }

std::vector<std::string> lines_until_end(int descriptor)
{
    std::string text;
    std::array<char, 65'536> memory{};
    for (ssize_t count = 0; (count = ::read(descriptor, memory.data(), memory.size())) > 0;)
        text.append(memory.data(), static_cast<std::size_t>(count));
    std::vector<std::string> lines;
    for (std::size_t from = 0; from < text.size();) {
        const auto end = text.find('\n', from) + 1;
        lines.push_back(text.substr(from, end - from));
        from = end;
    }
    return lines;
}

TEST(LineWriter, WritesEverythingInItsOrderBeforeItEnds)
{
    Pipe pipe;
    std::vector<std::string> read;
    std::thread reader{[&] { read = lines_until_end(pipe.read.number()); }};
    {
        LineWriter writer{pipe.write.number(), lost};
        for (std::size_t number = 0; number < 5'000; ++number) writer.put(line(number));
        EXPECT_TRUE(writer.finish(10s));
    }
    pipe.write.reset();
    reader.join();
    ASSERT_EQ(read.size(), 5'000U);
    for (std::size_t number = 0; number < read.size(); ++number) ASSERT_EQ(read[number], line(number));
}

TEST(LineWriter, NeverWaitsForAReaderAndSaysHowMuchWasLostInItsPlace)
{
    constexpr std::size_t count = 20'000; // more than the pipe and all that may wait
    Pipe pipe;
    LineWriter writer{pipe.write.number(), lost};
    for (std::size_t number = 0; number < count; ++number) writer.put(line(number)); // would hang here
    std::vector<std::string> read;
    std::thread reader{[&] { read = lines_until_end(pipe.read.number()); }};
    EXPECT_TRUE(writer.finish(10s));
    pipe.write.reset();
    reader.join();
    ASSERT_GT(read.size(), 1'000U);
    ASSERT_LT(read.size(), count);
    for (std::size_t number = 0; number + 1 < read.size(); ++number) ASSERT_EQ(read[number], line(number));
    EXPECT_EQ(read.back(), lost(count - (read.size() - 1)));
}

TEST(LineWriter, DoesNotWaitForEverForAReaderThatHangs)
{
    ::signal(SIGPIPE, SIG_IGN);
    Pipe pipe;
    LineWriter writer{pipe.write.number(), lost};
    for (std::size_t number = 0; number < 20'000; ++number) writer.put(line(number));
    const auto began = std::chrono::steady_clock::now();
    EXPECT_FALSE(writer.finish(50ms));
    EXPECT_LT(std::chrono::steady_clock::now() - began, 5s);
    static_cast<void>(pipe.write.release()); // its thread still has it
    pipe.read.reset();                       // so that it ends, with an error
}

} // namespace
} // namespace gw::log
