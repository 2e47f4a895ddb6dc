#include "gateway/upstream/idle_pool.h"
#include "tests/support/memory_stream.h"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

namespace gw::upstream {
namespace {

class IdlePoolTest : public ::testing::Test {
protected:
    Target target(std::string_view endpoint, std::optional<std::string_view> source = {})
    {
        Target made;
        made.endpoint = *Endpoint::parse(endpoint);
        if (source) made.source = *Address::parse(*source);
        return made;
    }
    ConnectionPtr connection(Target to)
    {
        auto [ours, theirs] = gw::testing::MemoryStream::pair(io.get_executor(), Side::upstream, Side::client);
        others.push_back(std::move(theirs));
        auto made = std::make_unique<Connection>(wheel);
        made->target = std::move(to);
        made->stream = std::move(ours);
        return made;
    }

    asio::io_context io{1};
    DeadlineWheel wheel{io.get_executor()};
    std::vector<std::unique_ptr<gw::testing::MemoryStream>> others;
    Settings settings;
    IdleShare alone{1};
};

TEST_F(IdlePoolTest, GivesOnlyToTheVerySameTarget)
{
    IdlePool pool{settings, alone, 0};
    pool.put(connection(target("192.0.2.1:80", "10.0.0.1")));

    EXPECT_EQ(pool.take(target("192.0.2.1:80")), nullptr) << "without a source";
    EXPECT_EQ(pool.take(target("192.0.2.1:80", "10.0.0.2")), nullptr) << "another client";
    EXPECT_EQ(pool.take(target("192.0.2.1:81", "10.0.0.1")), nullptr) << "another port";
    auto secure = target("192.0.2.1:80", "10.0.0.1");
    secure.tls = true;
    EXPECT_EQ(pool.take(secure), nullptr) << "over TLS";
    auto named = target("192.0.2.1:80", "10.0.0.1");
    named.named_by = NamedBy::configuration;
    EXPECT_EQ(pool.take(named), nullptr) << "checked by another rule";
    auto introduced = target("192.0.2.1:80", "10.0.0.1");
    introduced.proxy_header = "PROXY UNKNOWN\r\n";
    EXPECT_EQ(pool.take(introduced), nullptr) << "with a PROXY header";
    EXPECT_NE(pool.take(target("192.0.2.1:80", "10.0.0.1")), nullptr);
    EXPECT_EQ(pool.size(), 0U);
}

TEST_F(IdlePoolTest, KeepsNoneThatBelongsToOneUser)
{
    IdlePool pool{settings, alone, 0};
    auto used = connection(target("192.0.2.1:80"));
    used->personal = true;
    pool.put(std::move(used));
    EXPECT_EQ(pool.size(), 0U);
}

TEST_F(IdlePoolTest, UsesTheNewestFirst)
{
    IdlePool pool{settings, alone, 0};
    auto old = connection(target("192.0.2.1:80"));
    auto young = connection(target("192.0.2.1:80"));
    const auto* newest = young.get();
    pool.put(std::move(old));
    pool.put(std::move(young));
    EXPECT_EQ(pool.take(target("192.0.2.1:80")).get(), newest);
}

TEST_F(IdlePoolTest, KeepsNoMoreThanItMay)
{
    settings.idle_per_upstream = 2;
    settings.idle_total = 3;
    IdlePool pool{settings, alone, 0};
    for (int i = 0; i < 4; ++i) pool.put(connection(target("192.0.2.1:80")));
    EXPECT_EQ(pool.size(), 2U);
    pool.put(connection(target("192.0.2.2:80")));
    pool.put(connection(target("192.0.2.3:80")));
    EXPECT_EQ(pool.size(), 3U);
    EXPECT_NE(pool.take(target("192.0.2.3:80")), nullptr) << "the oldest went, not the newest";
    EXPECT_NE(pool.take(target("192.0.2.2:80")), nullptr);
}

TEST_F(IdlePoolTest, ForgetsOneThatHasSomethingUnaskedToSay)
{
    IdlePool pool{settings, alone, 0};
    auto chatty = connection(target("192.0.2.1:80"));
    chatty->received.append("HTTP/1.1 408 Request Timeout\r\n\r\n");
    pool.put(std::move(chatty));
    EXPECT_EQ(pool.take(target("192.0.2.1:80")), nullptr);
    EXPECT_EQ(pool.size(), 0U);
}

TEST_F(IdlePoolTest, ClosesWhatIsIdleTooLong)
{
    settings.idle_limit = std::chrono::milliseconds{60};
    IdlePool pool{settings, alone, 0};
    pool.put(connection(target("192.0.2.1:80")));
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{5};
    while (pool.size() > 0 && std::chrono::steady_clock::now() < until) io.run_one_for(std::chrono::milliseconds{100});
    EXPECT_EQ(pool.size(), 0U);
    wheel.stop();
}

} // namespace
} // namespace gw::upstream
