#include "gateway/datagram/control_data.h"

#include <array>
#include <cstring>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/udp.h>

namespace gw::datagram {
namespace {

constexpr int gro = 104;
constexpr int v6_destination = 74;

/// Control data, part by part.
class Parts {
public:
    Parts()
    {
        message_.msg_control = room_.data();
        message_.msg_controllen = 0;
    }
    template <class Value> void add(int level, int type, const Value& value, std::size_t cut = 0)
    {
        cmsghdr part{};
        part.cmsg_level = level;
        part.cmsg_type = type;
        part.cmsg_len = CMSG_LEN(sizeof value - cut);
        std::memcpy(room_.data() + message_.msg_controllen, &part, sizeof part);
        std::memcpy(room_.data() + message_.msg_controllen + CMSG_LEN(0), &value, sizeof value - cut);
        message_.msg_controllen += CMSG_SPACE(sizeof value - cut);
    }
    void add(const Endpoint& destination)
    {
        sockaddr_storage name{};
        to_sockaddr(destination, name);
        if (destination.address.is_v6()) {
            sockaddr_in6 value{};
            std::memcpy(&value, &name, sizeof value);
            add(SOL_IPV6, v6_destination, value);
        } else {
            sockaddr_in value{};
            std::memcpy(&value, &name, sizeof value);
            add(SOL_IP, IP_ORIGDSTADDR, value);
        }
    }
    msghdr& message() { return message_; }

private:
    alignas(cmsghdr) std::array<char, 512> room_{};
    msghdr message_{};
};

TEST(ControlData, TellsTheDestinationOfEitherFamily)
{
    for (const std::string_view text : {"192.0.2.1:53", "[2001:db8::1]:443"}) {
        Parts parts;
        parts.add(*Endpoint::parse(text));
        const auto data = parse_control(parts.message());
        ASSERT_TRUE(data.destination);
        EXPECT_EQ(data.destination->text(), text);
        EXPECT_EQ(data.segment_bytes, 0);
    }
}

TEST(ControlData, TellsTheSizeOfJoinedDatagramsBesideIt)
{
    Parts parts;
    parts.add(SOL_UDP, gro, 1'200);
    parts.add(*Endpoint::parse("192.0.2.1:53"));
    const auto data = parse_control(parts.message());
    EXPECT_EQ(data.segment_bytes, 1'200);
    EXPECT_TRUE(data.destination);
}

TEST(ControlData, GivesNothingOfWhatWasCut)
{
    Parts whole;
    whole.add(*Endpoint::parse("192.0.2.1:53"));
    whole.message().msg_flags = MSG_CTRUNC;
    EXPECT_FALSE(parse_control(whole.message()).destination);

    for (std::size_t cut = 1; cut <= sizeof(sockaddr_in); ++cut) {
        Parts parts;
        parts.add(SOL_IP, IP_ORIGDSTADDR, sockaddr_in{}, cut);
        EXPECT_FALSE(parse_control(parts.message()).destination) << cut;
    }
    EXPECT_FALSE(parse_control(Parts{}.message()).destination);
}

TEST(ControlData, TakesNothingElseForADestination)
{
    Parts parts;
    parts.add(SOL_IP, IP_PKTINFO, in_pktinfo{});
    parts.add(SOL_SOCKET, IP_ORIGDSTADDR, sockaddr_in{});
    parts.add(SOL_IP, IP_ORIGDSTADDR, sockaddr_in{}); // of no family
    for (const int size : {0, -1, 70'000}) parts.add(SOL_UDP, gro, size);
    const auto data = parse_control(parts.message());
    EXPECT_FALSE(data.destination);
    EXPECT_EQ(data.segment_bytes, 0);
}

} // namespace
} // namespace gw::datagram
