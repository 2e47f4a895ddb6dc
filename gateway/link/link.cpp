#include "gateway/link/link.h"

#include <algorithm>
#include <array>
#include <boost/asio/experimental/parallel_group.hpp>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/socket.h>

namespace gw::link {

namespace {

// On the wire: Head (24 bytes, host byte order: both ends are this machine), with up to 200 descriptors; one byte for
// each further 200 descriptors; then the text. A receive never asks for more than one such part, so that the kernel
// hands over the descriptors where they were sent.
struct Head {
    std::uint32_t magic = 0x67773031; // "gw01"
    std::uint32_t kind = 0;
    std::uint64_t number = 0;
    std::uint32_t text_bytes = 0;
    std::uint32_t descriptors = 0;
};
static_assert(sizeof(Head) == 24);

constexpr std::size_t descriptors_per_part = 200; // the kernel takes 253
constexpr std::size_t max_descriptors = 64 * 1024;

Error closed(const char* what) { return Error{Fault::closed, Side::gateway, what, {}}; }
Error not_taken_in() { return Error{Fault::timed_out, Side::gateway, "it takes nothing in any more", {}}; }

} // namespace

Link::Link(asio::io_context& io, Descriptor socket)
    : io_(io), socket_(io, asio::generic::stream_protocol{AF_UNIX, 0}, socket.release())
{
    boost::system::error_code ignored;
    socket_.native_non_blocking(true, ignored);
}

Result<std::pair<Descriptor, Descriptor>> Link::make_pair()
{
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return system_error("socketpair");
    return std::pair{Descriptor{ends[0]}, Descriptor{ends[1]}};
}

void Link::close()
{
    boost::system::error_code ignored;
    socket_.close(ignored);
    for (auto& turn : in_line_) turn.cancel();
}

Descriptor Link::copy() const
{
    return Descriptor{::fcntl(const_cast<Socket&>(socket_).native_handle(), F_DUPFD_CLOEXEC, 0)};
}

/// Until the other end has room for more.
Task<Result<>> Link::await_room()
{
    asio::steady_timer limit{io_, until_};
    auto either = asio::experimental::make_parallel_group(socket_.async_wait(Socket::wait_write, asio::deferred),
                                                          limit.async_wait(asio::deferred));
    const asio::experimental::wait_for_one first;
    auto outcome = co_await either.async_wait(first, as_outcome);
    auto& [order, not_writable, not_late] = outcome;
    if (order[0] == 1 && !not_late) co_return not_taken_in();
    if (not_writable) co_return closed("link");
    co_return Result<>{};
}

Task<Result<>> Link::send_part(const char* data, std::size_t size, std::span<const int> descriptors)
{
    while (size > 0) {
        iovec part{const_cast<char*>(data), size};
        alignas(cmsghdr) std::array<char, CMSG_SPACE(descriptors_per_part * sizeof(int))> control;
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        if (!descriptors.empty()) {
            message.msg_control = control.data();
            message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
            auto* head = CMSG_FIRSTHDR(&message);
            head->cmsg_level = SOL_SOCKET;
            head->cmsg_type = SCM_RIGHTS;
            head->cmsg_len = CMSG_LEN(descriptors.size_bytes());
            std::memcpy(CMSG_DATA(head), descriptors.data(), descriptors.size_bytes());
        }
        const auto sent = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            auto room = co_await await_room();
            if (!room) co_return room;
            continue;
        }
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) co_return closed("link");
        if (sent < 0) co_return system_error("link");
        begun_ = true;
        descriptors = {};
        data += sent;
        size -= static_cast<std::size_t>(sent);
    }
    co_return Result<>{};
}

Task<Result<>> Link::send_all(const Message& message)
{
    Head head;
    head.kind = static_cast<std::uint32_t>(message.kind);
    head.number = message.number;
    head.text_bytes = static_cast<std::uint32_t>(message.text.size());
    head.descriptors = static_cast<std::uint32_t>(message.descriptors.size());
    std::vector<int> numbers;
    for (const auto& descriptor : message.descriptors) numbers.push_back(descriptor.number());

    std::span<const int> left{numbers};
    auto now = left.first(std::min(left.size(), descriptors_per_part));
    auto sent = co_await send_part(reinterpret_cast<const char*>(&head), sizeof head, now);
    left = left.subspan(now.size());
    while (sent && !left.empty()) {
        now = left.first(std::min(left.size(), descriptors_per_part));
        sent = co_await send_part("F", 1, now);
        left = left.subspan(now.size());
    }
    if (sent) sent = co_await send_part(message.text.data(), message.text.size(), {});
    co_return sent;
}

Task<Result<>> Link::await_turn(Time until)
{
    while (busy_) {
        const auto place = in_line_.emplace(in_line_.end(), io_, until);
        auto outcome = co_await place->async_wait(as_outcome);
        in_line_.erase(place);
        auto& [called] = outcome;
        if (!socket_.is_open()) co_return closed("link");
        if (!called && busy_) co_return not_taken_in();
    }
    co_return Result<>{};
}

Task<Result<>> Link::send(Message message, Time until)
{
    if (message.text.size() > max_text_bytes)
        co_return Error{Fault::too_large, Side::gateway,
                        "the configuration is larger than " + std::to_string(max_text_bytes >> 20) +
                            " MiB, escapes included"};
    const auto turn = co_await await_turn(until);
    if (!turn) co_return turn.error();
    busy_ = true;
    begun_ = false;
    until_ = until;
    auto sent = co_await send_all(message);
    busy_ = false;
    if (!sent && sent.error().fault == Fault::timed_out && begun_) close();
    if (!in_line_.empty()) in_line_.front().cancel();
    co_return sent;
}

Task<Result<>> Link::receive_part(char* data, std::size_t size, std::vector<Descriptor>* descriptors)
{
    while (size > 0) {
        iovec part{data, size};
        alignas(cmsghdr) std::array<char, CMSG_SPACE(descriptors_per_part * sizeof(int))> control;
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        const auto count = ::recvmsg(socket_.native_handle(), &message, MSG_CMSG_CLOEXEC);
        if (count < 0 && errno == EAGAIN) {
            auto outcome = co_await socket_.async_wait(Socket::wait_read, as_outcome);
            auto& [failed] = outcome;
            if (failed) co_return closed("link");
            continue;
        }
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && errno != ECONNRESET) co_return system_error("link");
        if (count <= 0) co_return closed("link");
        for (auto* head = CMSG_FIRSTHDR(&message); head != nullptr; head = CMSG_NXTHDR(&message, head)) {
            if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
            const auto bytes = head->cmsg_len - CMSG_LEN(0);
            for (std::size_t at = 0; at + sizeof(int) <= bytes; at += sizeof(int)) {
                int number = -1;
                std::memcpy(&number, CMSG_DATA(head) + at, sizeof number);
                Descriptor descriptor{number};
                if (descriptors != nullptr) descriptors->push_back(std::move(descriptor));
            }
        }
        data += count;
        size -= static_cast<std::size_t>(count);
    }
    co_return Result<>{};
}

Task<Result<Message>> Link::receive()
{
    Head head;
    Message message;
    auto got = co_await receive_part(reinterpret_cast<char*>(&head), sizeof head, &message.descriptors);
    if (!got) co_return got.error();
    const bool sound = head.magic == Head{}.magic && head.kind <= static_cast<std::uint32_t>(last_kind) &&
                       head.text_bytes <= max_text_bytes && head.descriptors <= max_descriptors;
    if (!sound) co_return Error{Fault::malformed, Side::gateway, "link message", {}};
    // Counted by parts: fewer descriptors arrive where this process has no room for them.
    for (std::size_t due = descriptors_per_part; due < head.descriptors; due += descriptors_per_part) {
        char filler{};
        got = co_await receive_part(&filler, 1, &message.descriptors);
        if (!got) co_return got.error();
    }
    if (message.descriptors.size() > head.descriptors)
        co_return Error{Fault::malformed, Side::gateway, "link descriptors", {}};
    message.kind = static_cast<Kind>(head.kind);
    message.number = head.number;
    message.text.resize(head.text_bytes);
    got = co_await receive_part(message.text.data(), message.text.size(), nullptr);
    if (!got) co_return got.error();
    co_return message;
}

} // namespace gw::link
