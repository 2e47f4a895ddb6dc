#include "gateway/base/descriptor.h"
#include "gateway/datagram/inbox.h"
#include "gateway/datagram/outbox.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>

// What is sent and received together, over sockets of loopback.

namespace gw::datagram {
namespace {

class Transfer : public ::testing::Test {
protected:
    Transfer()
    {
        for (auto* socket : {&from, &to}) {
            socket->reset(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
            sockaddr_storage name{};
            const auto size = to_sockaddr({Address::v4({127, 0, 0, 1}), 0}, name);
            EXPECT_EQ(::bind(socket->number(), reinterpret_cast<sockaddr*>(&name), size), 0);
        }
    }
    static Endpoint name_of(const Descriptor& socket)
    {
        sockaddr_storage name{};
        socklen_t size = sizeof name;
        ::getsockname(socket.number(), reinterpret_cast<sockaddr*>(&name), &size);
        return from_sockaddr(name);
    }
    /// What waits, datagram by datagram.
    std::vector<std::string> received()
    {
        std::vector<std::string> all;
        for (;;) {
            const int count = inbox.receive(to.number());
            EXPECT_GE(count, 0);
            if (count <= 0) return all;
            for (std::size_t slot = 0; slot < static_cast<std::size_t>(count); ++slot) {
                EXPECT_EQ(inbox.sender(slot), name_of(from));
                all.emplace_back(inbox.bytes(slot));
            }
        }
    }
    Sent send(const std::vector<std::string>& datagrams)
    {
        std::vector<Outgoing> outgoing;
        for (const auto& each : datagrams) outgoing.push_back({each, 0});
        const ReplyPath path{Address::v4({127, 0, 0, 1}), name_of(to)};
        return send_all(from.number(), &path, outgoing, segments);
    }

    Descriptor from, to;
    Inbox inbox;
    bool segments = true;
};

TEST_F(Transfer, KeepsEveryDatagramAndTheirOrder)
{
    const std::vector<std::vector<std::string>> cases{
        {""},
        {"", "", "a", ""},
        {std::string(1'200, 'a'), std::string(1'200, 'b'), std::string(1'200, 'c'), std::string(7, 'd')},
        {std::string(100, 'a'), std::string(200, 'b'), std::string(200, 'c'), std::string(300, 'd')},
        {std::string(65'507, 'x'), "y", std::string(20'000, 'z'), std::string(20'000, 'z')},
        std::vector<std::string>(100, std::string(500, 'r')),
        {std::string(5, 'a'), std::string(5, 'b'), "", std::string(5, 'c'), std::string(5, 'd'), std::string(6, 'e')},
    };
    for (const auto& datagrams : cases) {
        std::uint64_t bytes = 0;
        for (const auto& each : datagrams) bytes += each.size();
        const auto sent = send(datagrams);
        EXPECT_EQ(received(), datagrams);
        EXPECT_EQ(sent.datagrams, datagrams.size());
        EXPECT_EQ(sent.bytes, bytes);
        EXPECT_EQ(sent.dropped, 0U);
    }
    EXPECT_TRUE(segments) << "loopback takes many as one";
}

TEST_F(Transfer, TakesApartWhatCameJoinedWhenItCannotLeaveSo)
{
    const std::string joined = std::string(1'000, 'a') + std::string(1'000, 'b') + std::string(3, 'c');
    const Outgoing outgoing{joined, 1'000};
    EXPECT_EQ(outgoing.count(), 3U);
    const std::vector<std::string> apart{std::string(1'000, 'a'), std::string(1'000, 'b'), std::string(3, 'c')};
    const ReplyPath path{Address::v4({127, 0, 0, 1}), name_of(to)};
    for (const bool may : {true, false}) {
        segments = may;
        const auto sent = send_all(from.number(), &path, {&outgoing, 1}, segments);
        EXPECT_EQ(received(), apart);
        EXPECT_EQ(sent.datagrams, 3U);
        EXPECT_EQ(sent.bytes, joined.size());
    }
}

TEST_F(Transfer, FindsOutThatSegmentsAreTooLargeForThePath)
{
    const std::string joined(60'000, 'a');
    const Outgoing outgoing{joined, 30'000};
    // A socket without checksums cannot send joined datagrams; the answer of the kernel is the same as for a path.
    const int on = 1;
    ASSERT_EQ(::setsockopt(from.number(), SOL_SOCKET, SO_NO_CHECK, &on, sizeof on), 0);
    const ReplyPath path{Address::v4({127, 0, 0, 1}), name_of(to)};
    const auto sent = send_all(from.number(), &path, {&outgoing, 1}, segments);
    EXPECT_FALSE(segments);
    EXPECT_EQ(sent.datagrams, 2U);
    EXPECT_EQ(received(), (std::vector<std::string>(2, std::string(30'000, 'a'))));
}

TEST_F(Transfer, GoesOnAfterADatagramThatIsTooLarge)
{
    const auto sent = send({"a", std::string(65'508, 'x'), "b"});
    EXPECT_EQ(received(), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(sent.datagrams, 2U);
    EXPECT_EQ(sent.dropped, 1U);
    EXPECT_EQ(sent.error, EMSGSIZE);
}

TEST_F(Transfer, SaysWhenNobodyListens)
{
    const auto name = name_of(to);
    sockaddr_storage storage{};
    const auto size = to_sockaddr(name, storage);
    ASSERT_EQ(::connect(from.number(), reinterpret_cast<sockaddr*>(&storage), size), 0);
    to.reset();
    const Outgoing outgoing{"x", 0};
    EXPECT_EQ(send_all(from.number(), nullptr, {&outgoing, 1}, segments).datagrams, 1U);
    EXPECT_EQ(inbox.receive(from.number()), -ECONNREFUSED);
    EXPECT_EQ(inbox.receive(from.number()), 0);
}

TEST_F(Transfer, TellsADatagramThatWasCut)
{
    const int on = 1;
    ASSERT_EQ(::setsockopt(to.number(), SOL_SOCKET, SO_TIMESTAMP, &on, sizeof on), 0);
    send({"whole"});
    ASSERT_EQ(inbox.receive(to.number()), 1);
    EXPECT_FALSE(inbox.is_cut(0));
}

TEST_F(Transfer, ReceivesJoinedWhatWasSentJoined)
{
    const int on = 1;
    ASSERT_EQ(::setsockopt(to.number(), SOL_UDP, 104, &on, sizeof on), 0);
    send(std::vector<std::string>(10, std::string(1'000, 'g')));
    ASSERT_EQ(inbox.receive(to.number()), 1);
    EXPECT_EQ(inbox.bytes(0).size(), 10'000U);
    EXPECT_EQ(inbox.control(0).segment_bytes, 1'000);
}

} // namespace
} // namespace gw::datagram
