#include "waf/link.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>

namespace gw::waf {

namespace {

constexpr std::size_t piece_bytes = 32 * 1024;
constexpr std::uint64_t most_long_bytes = 64ULL * 1024 * 1024;

Error closed_link() { return Error{Fault::closed, Side::gateway, "the link is closed"}; }

Result<> send_piece(int link, const void* data, std::size_t size_bytes)
{
    ssize_t sent = 0;
    do sent = ::send(link, data, size_bytes, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0) return system_error("send on the link");
    return {};
}

Result<std::size_t> receive_piece(int link, void* data, std::size_t size_bytes)
{
    ssize_t count = 0;
    do count = ::recv(link, data, size_bytes, 0);
    while (count < 0 && errno == EINTR);
    if (count < 0) return system_error("receive on the link");
    if (count == 0) return closed_link();
    return static_cast<std::size_t>(count);
}

// Room for one descriptor beside a note.
union Ancillary {
    cmsghdr aligned;
    char bytes[CMSG_SPACE(sizeof(int))];
};

Descriptor descriptor_of(msghdr& message)
{
    const auto* head = CMSG_FIRSTHDR(&message);
    if (head == nullptr || head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) return {};
    int number = -1;
    std::memcpy(&number, CMSG_DATA(head), sizeof(number));
    return Descriptor{number};
}

} // namespace

Result<> send_note(int link, const Note& note, int socket)
{
    Note copy = note;
    iovec part{&copy, sizeof(copy)};
    Ancillary ancillary{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (socket >= 0) {
        message.msg_control = ancillary.bytes;
        message.msg_controllen = sizeof(ancillary.bytes);
        auto* head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(head), &socket, sizeof(socket));
    }
    if (::sendmsg(link, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) return system_error("send on the link");
    return {};
}

Result<Received> receive_note(int link)
{
    Received received;
    iovec part{&received.note, sizeof(received.note)};
    Ancillary ancillary{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = ancillary.bytes;
    message.msg_controllen = sizeof(ancillary.bytes);
    const auto count = ::recvmsg(link, &message, MSG_CMSG_CLOEXEC);
    if (count < 0) return system_error("receive on the link");
    received.socket = descriptor_of(message);
    if (count == 0) return closed_link();
    if (count != sizeof(Note)) return Error{Fault::malformed, Side::gateway, "note of a wrong size"};
    return Result<Received>(std::move(received));
}

Result<> send_long(int link, std::string_view text)
{
    const std::uint64_t size_bytes = text.size();
    if (auto sent = send_piece(link, &size_bytes, sizeof(size_bytes)); !sent) return sent;
    for (; !text.empty(); text.remove_prefix(std::min(piece_bytes, text.size()))) {
        if (auto sent = send_piece(link, text.data(), std::min(piece_bytes, text.size())); !sent) return sent;
    }
    return {};
}

Result<std::string> receive_long(int link)
{
    std::uint64_t size_bytes = 0;
    const auto head = receive_piece(link, &size_bytes, sizeof(size_bytes));
    if (!head) return head.error();
    if (*head != sizeof(size_bytes) || size_bytes > most_long_bytes)
        return Error{Fault::too_large, Side::gateway, "message on the link"};
    std::string text(size_bytes, '\0');
    for (std::size_t have = 0; have < text.size();) {
        const auto count = receive_piece(link, text.data() + have, text.size() - have);
        if (!count) return count.error();
        have += *count;
    }
    return text;
}

} // namespace gw::waf
