#include "gateway/datagram/raw_sockets.h"

#include "gateway/base/log.h"
#include "gateway/base/socket_options.h"

#include <cstring>
#include <linux/filter.h>
#include <netinet/in.h>
#include <span>
#include <sys/socket.h>

namespace gw::datagram {

namespace {

/// A raw socket gets a copy of everything of its protocol; this one wants none of it.
bool receive_nothing(int socket)
{
    sock_filter none{BPF_RET | BPF_K, 0, 0, 0};
    const sock_fprog program{1, &none};
    const int least = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &least, sizeof least);
    return ::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

/// And is not even asked: bound to an address to which nothing comes. What it sends names its sender itself.
bool stand_aside(int socket, bool v6)
{
    std::array<std::uint8_t, 16> one{};
    one.back() = 1;
    const Endpoint nowhere{v6 ? Address::v6(one) : Address::v4({127, 255, 255, 254}), 0};
    sockaddr_storage name{};
    const auto size = to_sockaddr(nowhere, name);
    return ::bind(socket, reinterpret_cast<const sockaddr*>(&name), size) == 0;
}

Descriptor open_raw(bool v6, int protocol)
{
    Descriptor socket{::socket(v6 ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol)};
    if (!socket.is_open()) return {};
    const int on = 1;
    const bool transparent = v6 ? ::setsockopt(socket.number(), SOL_IPV6, IPV6_TRANSPARENT, &on, sizeof on) == 0
                                : ::setsockopt(socket.number(), SOL_IP, IP_TRANSPARENT, &on, sizeof on) == 0;
    if (!transparent || !receive_nothing(socket.number()) || !stand_aside(socket.number(), v6)) return {};
    return socket;
}

/// The control part that names the sender.
struct alignas(cmsghdr) SenderControl {
    std::array<char, CMSG_SPACE(sizeof(in6_pktinfo))> bytes{};
};

template <class Info> void put_info(msghdr& message, int level, int type, const Info& info)
{
    message.msg_controllen = CMSG_SPACE(sizeof info);
    auto* part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = level;
    part->cmsg_type = type;
    part->cmsg_len = CMSG_LEN(sizeof info);
    std::memcpy(CMSG_DATA(part), &info, sizeof info);
}

bool send_from(int socket, const Address& from, const Address& to, std::span<iovec> parts)
{
    if (socket < 0) return false;
    sockaddr_storage name{};
    SenderControl control;
    msghdr message{};
    message.msg_namelen = to_sockaddr({to, 0}, name); // of a raw socket the port must be zero
    message.msg_name = &name;
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    message.msg_control = control.bytes.data();
    message.msg_controllen = control.bytes.size();
    if (from.is_v6()) {
        in6_pktinfo info{};
        std::memcpy(&info.ipi6_addr, from.data(), from.size());
        put_info(message, SOL_IPV6, IPV6_PKTINFO, info);
    } else {
        in_pktinfo info{};
        std::memcpy(&info.ipi_spec_dst, from.data(), from.size());
        put_info(message, SOL_IP, IP_PKTINFO, info);
    }
    return ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

iovec part_of(const void* bytes, std::size_t size) { return {const_cast<void*>(bytes), size}; }

} // namespace

int RawSockets::socket_of(Kind kind)
{
    if (!tried_[kind]) {
        tried_[kind] = true;
        const bool v6 = kind == udp_v6 || kind == icmp_v6;
        const int icmp = v6 ? static_cast<int>(IPPROTO_ICMPV6) : static_cast<int>(IPPROTO_ICMP);
        sockets_[kind] = open_raw(v6, kind == udp_v4 || kind == udp_v6 ? static_cast<int>(IPPROTO_UDP) : icmp);
        if (!sockets_[kind].is_open())
            log::warning(describe(system_error("no raw socket, so some of what clients should be told is lost")));
    }
    return sockets_[kind].number();
}

bool RawSockets::send_datagram(const Endpoint& from, const Endpoint& to, std::string_view bytes)
{
    const auto header = encode_udp_header(from, to, bytes);
    std::array<iovec, 2> parts{part_of(header.data(), header.size()), part_of(bytes.data(), bytes.size())};
    return send_from(socket_of(from.address.is_v6() ? udp_v6 : udp_v4), from.address, to.address, parts);
}

bool RawSockets::send_unreachable(Unreachable what, const FlowKey& flow, std::size_t size_bytes)
{
    const auto message = encode_unreachable(what, flow, size_bytes);
    std::array<iovec, 1> parts{part_of(message.data(), message.size())};
    const bool v6 = flow.client.address.is_v6();
    return send_from(socket_of(v6 ? icmp_v6 : icmp_v4), flow.destination.address, flow.client.address, parts);
}

} // namespace gw::datagram
