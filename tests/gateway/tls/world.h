#pragma once

#include "gateway/tls/dial.h"
#include "tests/gateway/tls/upstream.h"
#include "tests/support/memory_stream.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

namespace gw::testing {

/// A CA, an upstream with a certificate of it, and a pipe between: what most tests start with.
class TlsWorld : public ::testing::Test {
protected:
    Identity ca = make_identity(Wish{"Test CA", "", -1, 30, true});
    PemFile ca_file{ca};
    Identity site = make_identity(Wish{"site", "DNS:site.example,DNS:*.wild.example,IP:192.0.2.1,IP:2001:db8::1"}, &ca);
    asio::io_context io;

    std::shared_ptr<const tls::DialContext> trusting(bool verify = true)
    {
        auto made = tls::DialContext::make(tls::DialSettings{verify, ca_file.path()});
        EXPECT_TRUE(made) << (made ? "" : describe(made.error()));
        return made ? *made : nullptr;
    }

    /// Both run until both have ended. A stop by the limit is a failure: nothing here may hang.
    void run(Task<> gateway, Task<> upstream)
    {
        int ended = 0;
        const auto end = [&ended](std::exception_ptr bug) {
            ++ended;
            if (bug) std::rethrow_exception(bug);
        };
        asio::co_spawn(io, std::move(gateway), end);
        asio::co_spawn(io, std::move(upstream), end);
        io.run_for(std::chrono::seconds{30});
        EXPECT_EQ(ended, 2) << "somebody still waits";
    }

    using Ends = std::pair<std::unique_ptr<MemoryStream>, std::unique_ptr<MemoryStream>>;
    Ends pipe(std::size_t max_read = SIZE_MAX, std::size_t capacity = SIZE_MAX)
    {
        return MemoryStream::pair(io.get_executor(), Side::upstream, Side::client, max_read, capacity);
    }
};

} // namespace gw::testing
