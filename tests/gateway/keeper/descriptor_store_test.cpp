// Sockets that were kept, and a configuration that may or may not go on with them. Real sockets, on loopback addresses.

#include "gateway/keeper/descriptor_facts.h"
#include "gateway/keeper/descriptor_store.h"

#include <cerrno>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace gw::keeper {

namespace {

using ::testing::HasSubstr;

intake::ListenerSettings listener(std::string name, const std::string& bind)
{
    intake::ListenerSettings made;
    made.name = std::move(name);
    made.bind.push_back(*Endpoint::parse(bind));
    return made;
}

HeldSockets opened(const config::Settings& settings, std::size_t workers)
{
    auto change = open_missing({}, settings.listeners, workers, settings.intake, settings.netfilter.own_mark);
    if (!change) {
        ADD_FAILURE() << describe(change.error());
        return {};
    }
    return std::move(change->opened);
}

config::Settings two_listeners()
{
    config::Settings settings;
    settings.listeners = {listener("a", "127.0.0.1:0"), listener("b", "127.0.0.2:0")};
    return settings;
}

std::size_t good(const std::vector<std::string>& flaws)
{
    return static_cast<std::size_t>(std::count(flaws.begin(), flaws.end(), ""));
}

TEST(DescriptorStore, GoesOnWithWhatTheConfigurationStillNeeds)
{
    auto settings = two_listeners();
    const auto held = opened(settings, 2);
    ASSERT_EQ(held.size(), 4U);
    EXPECT_EQ(good(flaws_of(held, settings, 2)), 4U);
    settings.listeners.pop_back();
    const auto flaws = flaws_of(held, settings, 2);
    EXPECT_EQ(good(flaws), 2U);
    EXPECT_EQ(flaws[0], "");
    EXPECT_EQ(flaws[3], "no listener of the configuration needs it");
}

TEST(DescriptorStore, TakesAnAddressWholeOrNotAtAll)
{
    const auto settings = two_listeners();
    auto held = opened(settings, 2);
    EXPECT_EQ(good(flaws_of(held, settings, 1)), 4U) << "more sockets than workers do no harm";
    EXPECT_EQ(good(flaws_of(held, settings, 3)), 0U);
    held.pop_back();
    const auto flaws = flaws_of(held, settings, 2);
    EXPECT_EQ(good(flaws), 2U);
    EXPECT_EQ(flaws[2], "there are more workers now");
}

TEST(DescriptorStore, GoesOnWithOneOfSeveralPortsThatStandForTheSame)
{
    const auto settings = two_listeners();
    auto held = opened(settings, 1);
    for (auto& again : opened(settings, 1)) held.push_back(std::move(again));
    ASSERT_EQ(held.size(), 4U);
    const auto flaws = flaws_of(held, settings, 1);
    EXPECT_EQ(flaws[0], "");
    EXPECT_EQ(flaws[1], "");
    EXPECT_EQ(flaws[2], "another one takes its place");
    EXPECT_EQ(flaws[3], "another one takes its place");
}

TEST(DescriptorStore, DoesNotGoOnWithAnotherMark)
{
    const auto settings = two_listeners();
    const auto held = opened(settings, 1);
    const std::uint32_t other = 7;
    if (::setsockopt(held[0].socket.number(), SOL_SOCKET, SO_MARK, &other, sizeof other) != 0)
        GTEST_SKIP() << "needs CAP_NET_ADMIN, to mark a socket";
    EXPECT_EQ(flaws_of(held, settings, 1)[0], "carries another mark");
    const std::uint32_t none = 0;
    ::setsockopt(held[0].socket.number(), SOL_SOCKET, SO_MARK, &none, sizeof none);
    EXPECT_EQ(flaws_of(held, settings, 1)[0], "") << "one of a listener that needs no privilege may carry none";
}

TEST(DescriptorStore, NobodyWaitsInTheQueueOfWhatWasGivenUp)
{
    const auto settings = two_listeners();
    auto held = opened(settings, 1);
    const auto copy = copy_of(held[0]); // as the service manager has one
    DescriptorStore store;
    store.exchange(held, {});
    EXPECT_TRUE(held.empty());
    const Descriptor client{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_storage name{};
    const auto size = to_sockaddr(copy.name.bound, name);
    EXPECT_NE(::connect(client.number(), reinterpret_cast<const sockaddr*>(&name), size), 0);
    EXPECT_EQ(errno, ECONNREFUSED);
}

/// A name that fits, and the facts to it.
struct Described {
    DescriptorName name;
    DescriptorFacts facts;
};
Described tproxy_listener()
{
    Described described;
    described.name.listener = "web";
    described.name.intercepting = described.name.any_port = true;
    described.name.bound = described.facts.bound = *Endpoint::parse("127.0.0.1:4711");
    described.facts.is_tcp = described.facts.listening = true;
    described.facts.shares_port = described.facts.transparent = true;
    return described;
}

TEST(DescriptorFacts, MustBeThoseOfTheName)
{
    EXPECT_EQ(difference(tproxy_listener().name, tproxy_listener().facts), "");
    struct Row {
        const char* said;
        void (*change)(DescriptorFacts&);
    };
    const std::vector<Row> rows{
        {"is not TCP", [](auto& f) { f.is_tcp = false; }},
        {"is bound to 127.0.0.1:80, not 127.0.0.1:4711", [](auto& f) { f.bound.port = 80; }},
        {"is of another network namespace", [](auto& f) { f.in_our_network = false; }},
        {"does not listen", [](auto& f) { f.listening = false; }},
        {"does not share its port with other workers", [](auto& f) { f.shares_port = false; }},
        {"is not transparent", [](auto& f) { f.transparent = false; }},
    };
    for (const auto& row : rows) {
        auto described = tproxy_listener();
        row.change(described.facts);
        EXPECT_EQ(difference(described.name, described.facts), row.said);
    }
    auto redirect = tproxy_listener();
    redirect.name.mode = netfilter::Mode::redirect;
    EXPECT_EQ(difference(redirect.name, redirect.facts), "is transparent");
    auto datagrams = tproxy_listener();
    datagrams.name.datagrams = true;
    EXPECT_EQ(difference(datagrams.name, datagrams.facts), "is not UDP");
    datagrams.facts.is_udp = true;
    datagrams.facts.is_tcp = datagrams.facts.listening = false;
    EXPECT_EQ(difference(datagrams.name, datagrams.facts), "");
    datagrams.facts.shares_port = false;
    EXPECT_EQ(difference(datagrams.name, datagrams.facts), "does not share its port with other workers");
    datagrams.name.bound = datagrams.facts.bound = *Endpoint::parse("192.0.0.8:53");
    EXPECT_EQ(difference(datagrams.name, datagrams.facts), "") << "one that only answers";
}

TEST(DescriptorFacts, AreReadFromTheSocket)
{
    const auto held = opened(two_listeners(), 1);
    const auto facts = facts_of(held[0].socket.number());
    ASSERT_TRUE(facts);
    EXPECT_EQ(facts->bound, held[0].name.bound);
    EXPECT_TRUE(facts->is_tcp && facts->listening && facts->shares_port && facts->in_our_network);
    EXPECT_FALSE(facts->is_udp || facts->transparent || facts->only_v6);

    const Descriptor udp{::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    const auto of_udp = facts_of(udp.number());
    ASSERT_TRUE(of_udp);
    EXPECT_TRUE(of_udp->is_udp);
    EXPECT_FALSE(of_udp->is_tcp || of_udp->listening || of_udp->shares_port);

    const Descriptor local{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    EXPECT_THAT(facts_of(local.number()).error().what, HasSubstr("no socket of IPv4 or IPv6"));
    int pipe[2];
    ASSERT_EQ(::pipe(pipe), 0);
    const Descriptor in{pipe[0]}, out{pipe[1]};
    EXPECT_THAT(facts_of(in.number()).error().what, HasSubstr("is no socket"));
    EXPECT_FALSE(facts_of(-1));
}

} // namespace
} // namespace gw::keeper
