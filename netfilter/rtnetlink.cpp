#include "netfilter/rtnetlink.h"

#include <cerrno>
#include <linux/netlink.h>
#include <sys/socket.h>

namespace gw::netfilter {
namespace {

constexpr std::size_t buffer_bytes = 32 * 1024; // the kernel sends dumps in pieces no larger than this
constexpr int max_tries = 20;                   // of a dump that changes keep interrupting

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

/// All of the answer to the last request. `interrupted`: what a dump is about changed under it, so that it may have
/// left something out.
int Rtnetlink::receive(bool& interrupted)
{
    answer_.clear();
    interrupted = false;
    alignas(nlmsghdr) std::array<char, buffer_bytes> buffer;
    for (bool ended = false; !ended;) {
        const auto size = mnl_socket_recvfrom(socket_.get(), buffer.data(), buffer.size());
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) return errno;
        int left = static_cast<int>(size);
        for (auto* each = reinterpret_cast<const nlmsghdr*>(buffer.data()); mnl_nlmsg_ok(each, left);
             each = mnl_nlmsg_next(each, &left)) {
            interrupted = interrupted || (each->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
            ended = ended || each->nlmsg_type == NLMSG_DONE || each->nlmsg_type == NLMSG_ERROR;
        }
        answer_.insert(answer_.end(), buffer.begin(), buffer.begin() + size);
    }
    return 0;
}

int Rtnetlink::exchange(nlmsghdr* request, Visit visit, void* data)
{
    bool interrupted = true;
    for (int tries = 0; interrupted && tries < max_tries; ++tries) {
        request->nlmsg_seq = ++sequence_;
        if (mnl_socket_sendto(socket_.get(), request, request->nlmsg_len) < 0) return errno;
        if (const int failed = receive(interrupted); failed != 0) return failed;
    }
    const unsigned port = mnl_socket_get_portid(socket_.get());
    const int more = mnl_cb_run(answer_.data(), answer_.size(), request->nlmsg_seq, port, visit, data);
    return more < 0 ? errno : 0;
}

} // namespace gw::netfilter
