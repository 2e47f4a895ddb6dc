#include "gateway/datagram/inbox.h"

#include <algorithm>
#include <cerrno>

namespace gw::datagram {

namespace {

// Not a power of two: slots that lie so apart would fight for the same places of the processor's cache.
constexpr std::size_t slot_bytes = 64 * 1024 + 192;

} // namespace

Inbox::Inbox() : room_(new char[slots * slot_bytes]) // not zeroed: untouched memory costs nothing
{
    for (std::size_t slot = 0; slot < slots; ++slot) {
        parts_[slot] = {room_.get() + slot * slot_bytes, 64 * 1024};
        auto& header = messages_[slot].msg_hdr;
        header.msg_iov = &parts_[slot];
        header.msg_iovlen = 1;
        header.msg_name = &names_[slot];
        header.msg_control = controls_[slot].bytes.data();
    }
    prepare(slots);
}

void Inbox::prepare(std::size_t count)
{
    for (std::size_t slot = 0; slot < count; ++slot) {
        auto& header = messages_[slot].msg_hdr;
        header.msg_namelen = sizeof(sockaddr_storage);
        header.msg_controllen = control_bytes;
        header.msg_flags = 0;
    }
}

int Inbox::receive(int socket)
{
    prepare(used_); // the kernel writes what it used into the headers
    used_ = 0;
    int count = 0;
    do count = ::recvmmsg(socket, messages_.data(), slots, MSG_DONTWAIT, nullptr);
    while (count < 0 && errno == EINTR);
    if (count < 0) return errno == EAGAIN ? 0 : -errno;
    used_ = static_cast<std::size_t>(count);
    return count;
}

std::string_view Inbox::bytes(std::size_t slot) const
{
    return {static_cast<const char*>(parts_[slot].iov_base), messages_[slot].msg_len};
}

} // namespace gw::datagram
