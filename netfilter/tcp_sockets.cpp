#include "netfilter/tcp_sockets.h"

#include "netfilter/rtnetlink.h"

#include <algorithm>
#include <cerrno>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <memory>
#include <netinet/in.h>
#include <sys/socket.h>

namespace gw::netfilter {
namespace {

// Bits of inet_diag_req_v2.
constexpr std::uint32_t that_listen = 1U << 10; // TCP_LISTEN
constexpr std::uint32_t in_handshake = 1U << 3; // TCP_SYN_RECV

int note_only_v6(const nlattr* attribute, void* data)
{
    if (mnl_attr_get_type(attribute) == INET_DIAG_SKV6ONLY && mnl_attr_get_payload_len(attribute) == 1)
        *static_cast<bool*>(data) = mnl_attr_get_u8(attribute) != 0;
    return MNL_CB_OK;
}

int note_socket(const nlmsghdr* message, void* data)
{
    if (message->nlmsg_type != SOCK_DIAG_BY_FAMILY) return MNL_CB_OK;
    const auto* told = static_cast<const inet_diag_msg*>(mnl_nlmsg_get_payload(message));
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(told->id.idiag_src);
    ListeningSocket found;
    found.at = {Address::v4({bytes[0], bytes[1], bytes[2], bytes[3]}), ntohs(told->id.idiag_sport)};
    found.inode = told->idiag_inode;
    found.interface = told->id.idiag_if;
    if (told->idiag_family == AF_INET6) {
        std::array<std::uint8_t, 16> sixteen;
        std::copy_n(bytes, sixteen.size(), sixteen.begin());
        found.at.address = Address::v6(sixteen);
        bool only_v6 = true;
        mnl_attr_parse(message, sizeof(inet_diag_msg), note_only_v6, &only_v6);
        found.both_families = !only_v6;
    }
    static_cast<std::vector<ListeningSocket>*>(data)->push_back(found);
    return MNL_CB_OK;
}

int read_sockets(mnl_socket* socket, std::uint8_t family, std::uint32_t states, std::vector<ListeningSocket>& into)
{
    Request request;
    nlmsghdr* message = mnl_nlmsg_put_header(request.bytes.data());
    message->nlmsg_type = SOCK_DIAG_BY_FAMILY;
    message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    message->nlmsg_seq = family;
    auto* wanted = static_cast<inet_diag_req_v2*>(mnl_nlmsg_put_extra_header(message, sizeof(inet_diag_req_v2)));
    wanted->sdiag_family = family;
    wanted->sdiag_protocol = IPPROTO_TCP;
    wanted->idiag_states = states;
    if (mnl_socket_sendto(socket, message, message->nlmsg_len) < 0) return errno;
    alignas(nlmsghdr) std::array<char, 32 * 1024> buffer;
    for (;;) {
        const auto size = mnl_socket_recvfrom(socket, buffer.data(), buffer.size());
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) return errno;
        const int more = mnl_cb_run(buffer.data(), static_cast<std::size_t>(size), family,
                                    mnl_socket_get_portid(socket), note_socket, &into);
        if (more < 0) return errno;
        if (more == MNL_CB_STOP) return 0;
    }
}

/// Their own ends.
Result<std::vector<ListeningSocket>> sockets_in(std::uint32_t states)
{
    const auto close = [](mnl_socket* socket) { mnl_socket_close(socket); };
    const std::unique_ptr<mnl_socket, decltype(close)> socket(mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC), close);
    if (!socket || mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) != 0) return system_error("opening sock_diag");
    std::vector<ListeningSocket> found;
    for (const auto family : {std::uint8_t{AF_INET}, std::uint8_t{AF_INET6}}) {
        const int failed = read_sockets(socket.get(), family, states, found);
        if (failed == 0) continue;
        errno = failed;
        return system_error("reading the TCP sockets");
    }
    return found;
}

/// Whether every address of the other one is among those it serves, or it is the same.
bool covers(const ListeningSocket& one, const ListeningSocket& other)
{
    if (one.at.address == other.at.address) return true;
    if (!one.at.address.is_unspecified()) return false;
    return one.at.address.is_v6() == other.at.address.is_v6() || one.both_families;
}

} // namespace

Result<std::vector<ListeningSocket>> listening_sockets() { return sockets_in(that_listen); }

bool overlap(const ListeningSocket& one, const ListeningSocket& other)
{
    if (one.at.port != other.at.port) return false;
    if (one.interface != 0 && other.interface != 0 && one.interface != other.interface) return false;
    return covers(one, other) || covers(other, one);
}

Result<std::size_t> handshakes_under_way()
{
    const auto found = sockets_in(in_handshake);
    if (!found) return found.error();
    return found->size();
}

} // namespace gw::netfilter
