#include "netfilter/rtnetlink.h"

#include <cerrno>
#include <linux/netlink.h>
#include <sys/socket.h>

namespace gw::netfilter {
namespace {

constexpr std::size_t buffer_bytes = 32 * 1024; // the kernel sends dumps in pieces no larger than this

} // namespace

Result<Rtnetlink> Rtnetlink::open()
{
    Rtnetlink opened;
    opened.socket_.reset(mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC));
    if (!opened.socket_) return system_error("opening rtnetlink");
    // The kernel then filters dumps by table itself: a router may hold a million routes in others.
    int on = 1;
    mnl_socket_setsockopt(opened.socket_.get(), NETLINK_GET_STRICT_CHK, &on, sizeof on);
    if (mnl_socket_bind(opened.socket_.get(), 0, MNL_SOCKET_AUTOPID) != 0) return system_error("binding rtnetlink");
    return opened;
}

int Rtnetlink::exchange(nlmsghdr* request, Visit visit, void* data)
{
    request->nlmsg_seq = ++sequence_;
    if (mnl_socket_sendto(socket_.get(), request, request->nlmsg_len) < 0) return errno;
    alignas(nlmsghdr) std::array<char, buffer_bytes> buffer;
    const unsigned port = mnl_socket_get_portid(socket_.get());
    for (;;) {
        const auto size = mnl_socket_recvfrom(socket_.get(), buffer.data(), buffer.size());
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) return errno;
        const int more =
            mnl_cb_run(buffer.data(), static_cast<std::size_t>(size), request->nlmsg_seq, port, visit, data);
        if (more < 0) return errno;
        if (more == MNL_CB_STOP) return 0;
    }
}

} // namespace gw::netfilter
