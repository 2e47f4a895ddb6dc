#include "gateway/datagram/control_data.h"

#include "gateway/base/socket_options.h"

#include <cstring>
#include <netinet/in.h>
#include <netinet/udp.h>

namespace gw::datagram {

namespace {

/// The value of a message, if it is whole.
template <class Value> std::optional<Value> value_in(const cmsghdr& part)
{
    if (part.cmsg_len < CMSG_LEN(sizeof(Value))) return std::nullopt;
    Value value;
    std::memcpy(&value, CMSG_DATA(&part), sizeof value);
    return value;
}

template <class Name> std::optional<Endpoint> endpoint_in(const cmsghdr& part)
{
    const auto name = value_in<Name>(part);
    if (!name) return std::nullopt;
    sockaddr_storage storage{};
    std::memcpy(&storage, &*name, sizeof *name);
    if (storage.ss_family != AF_INET && storage.ss_family != AF_INET6) return std::nullopt;
    return from_sockaddr(storage);
}

} // namespace

ControlData parse_control(const msghdr& message)
{
    ControlData data;
    if ((message.msg_flags & MSG_CTRUNC) != 0) return data;
    auto* header = const_cast<msghdr*>(&message); // CMSG_NXTHDR wants one that it does not change
    for (auto* part = CMSG_FIRSTHDR(header); part != nullptr; part = CMSG_NXTHDR(header, part)) {
        if (part->cmsg_level == SOL_IP && part->cmsg_type == IP_ORIGDSTADDR)
            data.destination = endpoint_in<sockaddr_in>(*part);
        else if (part->cmsg_level == SOL_IPV6 && part->cmsg_type == IPV6_ORIGDSTADDR)
            data.destination = endpoint_in<sockaddr_in6>(*part);
        else if (part->cmsg_level == SOL_UDP && part->cmsg_type == UDP_GRO)
            if (const auto size = value_in<int>(*part); size && *size > 0 && *size <= 0xffff)
                data.segment_bytes = static_cast<std::uint16_t>(*size);
    }
    return data;
}

} // namespace gw::datagram
