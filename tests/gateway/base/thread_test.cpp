#include "gateway/base/thread.h"

#include "gateway/base/descriptor.h"

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <semaphore>
#include <unistd.h>

namespace gw {
namespace {

struct Pipe {
    Pipe()
    {
        std::array<int, 2> ends{};
        EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), 0);
        read.reset(ends[0]);
        write.reset(ends[1]);
    }
    /// 0: nobody has the other end any more.
    ssize_t read_one() const
    {
        char one = 0;
        return ::read(read.number(), &one, 1);
    }
    Descriptor read;
    Descriptor write;
};

TEST(KeepOnlyDescriptors, LetsOthersCloseTheirsAndKeepsWhatWasNamed)
{
    Pipe before, named, after;
    std::binary_semaphore parted{0}, closed{0}, wrote{0}, done{0};
    auto thread = start_quiet_thread([&, number = named.write.number()] {
        keep_only_descriptors({number, number}); // twice is once
        parted.release();
        closed.acquire();
        EXPECT_EQ(::write(number, "x", 1), 1);
        wrote.release();
        done.acquire();
    });
    parted.acquire();
    for (auto* pipe : {&before, &named, &after}) pipe->write.reset();
    EXPECT_EQ(before.read_one(), 0);
    EXPECT_EQ(after.read_one(), 0);
    EXPECT_EQ(named.read_one(), -1) << "the thread has it still";
    EXPECT_EQ(errno, EAGAIN);
    closed.release();
    wrote.acquire();
    EXPECT_EQ(named.read_one(), 1);
    done.release();
    thread.join();
    pollfd ended{named.read.number(), POLLIN, 0};
    EXPECT_EQ(::poll(&ended, 1, 10'000), 1);
    EXPECT_EQ(named.read_one(), 0) << "its table goes with it, a moment later";
}

TEST(KeepOnlyDescriptors, CanStillWakeALoop)
{
    boost::asio::io_context io{1};
    boost::asio::steady_timer far{io, std::chrono::minutes{1}};
    far.async_wait([](boost::system::error_code) {});
    std::binary_semaphore parted{0}, waits{0};
    std::thread thread{[&] {
        keep_only_descriptors({});
        parted.release();
        waits.acquire();
        std::this_thread::sleep_for(std::chrono::milliseconds{50}); // it sleeps by then, or there is nothing to see
        boost::asio::post(io, [&] { io.stop(); });
    }};
    parted.acquire();
    boost::asio::post(io, [&] { waits.release(); }); // then it goes to wait for its timer
    const auto began = std::chrono::steady_clock::now();
    io.run();
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds{30}) << "it slept on";
    thread.join();
}

// Asio's handlers tell the loop by a pipe, which that thread does not have any more: the signal would be lost.
TEST(KeepOnlyDescriptors, LeavesSignalsToTheOthers)
{
    std::thread thread{[] {
        keep_only_descriptors({});
        sigset_t blocked;
        ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
        for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) EXPECT_EQ(::sigismember(&blocked, number), 1);
    }};
    thread.join();
}

} // namespace
} // namespace gw
