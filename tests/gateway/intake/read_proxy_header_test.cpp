#include "gateway/intake/read_proxy_header.h"

#include "tests/support/memory_stream.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>
#include <optional>

namespace gw::intake {
namespace {

using namespace std::chrono_literals;
using gw::testing::MemoryStream;

constexpr std::string_view good = "PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r\n";

class ReadProxyHeader : public ::testing::Test {
protected:
    /// What is read when the sender has sent `bytes`, at most `cut` a read, and ended when `ends`.
    Result<ProxyHeader> header_in(std::string_view bytes, bool ends = true, std::size_t cut = SIZE_MAX)
    {
        auto [sender, gateway] = MemoryStream::pair(io.get_executor(), Side::gateway, Side::client, cut);
        auto writing = write_all(*sender, asio::buffer(bytes));
        if (!bytes.empty()) asio::co_spawn(io, std::move(writing), [](std::exception_ptr, Result<>) {});
        io.run();
        io.restart();
        if (ends) sender->end_writing();
        std::optional<Result<ProxyHeader>> result;
        auto reading = read_proxy_header(*gateway, received, 100ms);
        asio::co_spawn(io, std::move(reading), [&](std::exception_ptr bug, Result<ProxyHeader> header) {
            EXPECT_FALSE(bug);
            result.emplace(std::move(header));
        });
        while (!result && io.run_one() > 0) {
        }
        io.restart();
        return result ? std::move(*result) : Error{Fault::system, Side::gateway, "still waiting", {}};
    }
    Fault fault_of(std::string_view bytes, bool ends = true)
    {
        const auto header = header_in(bytes, ends);
        EXPECT_FALSE(header);
        if (header) return {};
        EXPECT_EQ(header.error().side, Side::client);
        return header.error().fault;
    }

    asio::io_context io;
    Buffer received;
};

TEST_F(ReadProxyHeader, LeavesWhatComesBehindItHoweverItArrives)
{
    const auto payload = std::string{good} + "hello";
    for (const std::size_t cut : {std::size_t{1}, std::size_t{7}, std::size_t{4'096}}) {
        const auto header = header_in(std::string{good} + payload, true, cut);
        ASSERT_TRUE(header) << header.error().what;
        EXPECT_EQ(header->source.text(), "192.0.2.7:40000");
        EXPECT_TRUE(payload.starts_with(received.view())) << received.view();
        received.consume(received.size());
    }
}

TEST_F(ReadProxyHeader, SaysWhatWasWrong)
{
    EXPECT_EQ(fault_of("GET / HTTP/1.1\r\n\r\n"), Fault::refused);
    received.consume(received.size());
    EXPECT_EQ(fault_of("PROXY TCP9 "), Fault::malformed);
    received.consume(received.size());
    EXPECT_EQ(fault_of(std::string{"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff", 16}), Fault::too_large);
    received.consume(received.size());
    EXPECT_EQ(fault_of(good.substr(0, 20)), Fault::closed);
    received.consume(received.size());
    EXPECT_EQ(fault_of(""), Fault::closed);
    EXPECT_EQ(fault_of(good.substr(0, 20), false), Fault::timed_out);
}

} // namespace
} // namespace gw::intake
