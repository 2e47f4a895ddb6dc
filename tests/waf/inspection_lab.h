#pragma once

#include "waf/connections.h"
#include "waf/processes.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

namespace gw::waf {

/// A request that owns its text.
struct Asked {
    std::string method = "GET";
    std::string target = "/";
    std::string type;
    std::string body;

    RequestView view(std::vector<http::Field>& fields) const;
};

Asked get(std::string target);
Asked post(std::string type, std::string body);
inline const std::string form_type = "application/x-www-form-urlencoded";

/// `unit` again and again until `size_bytes` are there.
std::string repeated(std::string_view unit, std::size_t size_bytes);

Settings settings_with(Mode mode);
bool has_hit(const Verdict& verdict, std::uint32_t id);

/// One worker with its io_context, and the real inspector program.
class InspectionLab : public ::testing::Test {
protected:
    void start(const Settings& settings);
    void TearDown() override;

    /// Runs until `work` is done.
    template <class Work> void run(Work work)
    {
        io.restart();
        bool done = false;
        asio::co_spawn(io, std::move(work), [&done](std::exception_ptr bug) {
            EXPECT_FALSE(bug);
            done = true;
        });
        while (!done && io.run_one() > 0) {
        }
        EXPECT_TRUE(done);
    }
    Verdict inspect(const Asked& asked, std::size_t policy = 0);
    /// The response's verdict after a request that passed.
    Verdict inspect_response(const Asked& asked, const ResponseView& response);
    /// Runs the worker until the only inspectors are those whose process ids are known.
    int one_inspector();

    asio::io_context io;
    DeadlineWheel wheel{io.get_executor()};
    std::shared_ptr<Processes> processes;
    std::unique_ptr<Inspector> inspector;
};

} // namespace gw::waf
