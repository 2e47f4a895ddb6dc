#include "gateway/upstream/source.h"

#include <boost/asio/error.hpp>
#include <gtest/gtest.h>

namespace gw::upstream {
namespace {

Endpoint at(std::string_view text) { return *Endpoint::parse(text); }

Target as(std::string_view client, std::uint16_t port = 0)
{
    Target target;
    target.source = *Address::parse(client);
    target.source_port = port;
    return target;
}

const Guard guard{nullptr, {}};

TEST(Source, IsTheClientsAsFarAsItIsAskedFor)
{
    EXPECT_EQ(plan_source({}, at("192.0.2.1:80"), guard).source, Source::gateway);
    EXPECT_EQ(plan_source(as("198.51.100.7"), at("192.0.2.1:80"), guard).source, Source::kept);
    EXPECT_EQ(plan_source(as("198.51.100.7", 40'000), at("192.0.2.1:80"), guard).source, Source::kept_with_port);
    EXPECT_EQ(plan_source(as("2001:db8::7", 40'000), at("[2001:db8::1]:80"), guard).source, Source::kept_with_port);
    EXPECT_TRUE(plan_source({}, at("192.0.2.1:80"), guard).fallback.empty());
    EXPECT_TRUE(plan_source(as("198.51.100.7"), at("192.0.2.1:80"), guard).fallback.empty());
}

TEST(Source, IsTheGatewaysForAClientOfTheOtherFamilyAndOneOnThisHost)
{
    for (const auto& [client, to] : {std::pair{"198.51.100.7", "[2001:db8::1]:80"},
                                     {"2001:db8::7", "192.0.2.1:80"},
                                     {"127.0.0.1", "192.0.2.1:80"},
                                     {"::1", "[2001:db8::1]:80"}}) {
        const auto plan = plan_source(as(client, 40'000), at(to), guard);
        EXPECT_EQ(plan.source, Source::gateway) << client;
        EXPECT_FALSE(plan.fallback.empty()) << client;
    }
}

TEST(Source, GivesUpThePortFirstAndThenTheAddress)
{
    auto plan = plan_source(as("198.51.100.7", 40'000), at("192.0.2.1:80"), guard);
    plan.settle_for_less();
    EXPECT_EQ(plan.source, Source::kept);
    EXPECT_NE(plan.fallback.find("port is taken"), std::string_view::npos);
    plan.settle_for_less();
    EXPECT_EQ(plan.source, Source::gateway);
    EXPECT_NE(plan.fallback.find("no port"), std::string_view::npos);
}

TEST(Source, SettlesForLessWhereThePortIsTakenOnThisHost)
{
    // A listener of this host at the client's address and port: nobody else may have them.
    Settings settings;
    auto plan = SourcePlan{Source::kept_with_port, {}};
    auto target = as("127.0.0.1");
    const Descriptor other{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_storage name{};
    auto size = to_sockaddr(at("127.0.0.1:0"), name);
    ASSERT_EQ(::bind(other.number(), reinterpret_cast<sockaddr*>(&name), size), 0);
    ASSERT_EQ(::listen(other.number(), 1), 0);
    ::getsockname(other.number(), reinterpret_cast<sockaddr*>(&name), &size);
    target.source_port = from_sockaddr(name).port;

    const auto opened = open_socket(target, at("127.0.0.1:80"), settings, plan);

    ASSERT_TRUE(opened);
    EXPECT_NE(plan.source, Source::kept_with_port);
    EXPECT_FALSE(plan.fallback.empty());
}

TEST(Source, SaysWhatMayBeWrongWhenNoAnswerComes)
{
    const boost::system::error_code late = boost::asio::error::operation_aborted;
    const auto kept = connect_error(as("198.51.100.7"), at("192.0.2.1:80"), Source::kept, late);
    EXPECT_EQ(kept.fault, Fault::timed_out);
    EXPECT_NE(kept.what.find("192.0.2.1:80 as 198.51.100.7"), std::string::npos);
    EXPECT_NE(kept.what.find("client_address: gateway"), std::string::npos);
    EXPECT_EQ(connect_error({}, at("192.0.2.1:80"), Source::gateway, late).what, "connect 192.0.2.1:80");
    const boost::system::error_code refused{ECONNREFUSED, boost::system::system_category()};
    EXPECT_EQ(connect_error(as("198.51.100.7"), at("192.0.2.1:80"), Source::kept, refused).what,
              "connect 192.0.2.1:80");
}

} // namespace
} // namespace gw::upstream
