#include "gateway/datagram/outbox.h"

#include "gateway/base/socket_options.h"
#include "gateway/datagram/inbox.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

namespace gw::datagram {

namespace {

constexpr std::size_t most_messages = Inbox::slots;
constexpr std::size_t most_segments = 64;      // of one message; more recent kernels take 128
constexpr std::size_t most_segmented = 64'000; // bytes of one message, with its headers below 64 KiB
constexpr std::size_t largest_segment = 9'000; // more never fits a packet

/// One message for the kernel: parts in a row, of one size when there are several.
struct Group {
    std::size_t first = 0; ///< of `all`
    std::size_t count = 0;
    std::uint16_t segment_bytes = 0;
};

/// How many from `first` on may leave together: equal sizes, the last one maybe smaller.
Group group_at(std::span<const Outgoing> all, std::size_t first, bool segments)
{
    Group group{first, 1, all[first].segment_bytes};
    const auto size = all[first].bytes.size();
    if (!segments || group.segment_bytes != 0 || size == 0 || size > largest_segment) return group;
    std::size_t total = size;
    for (auto next = first + 1; next < all.size() && group.count < most_segments; ++next) {
        const auto& each = all[next];
        if (each.segment_bytes != 0 || each.bytes.empty() || each.bytes.size() > size) break;
        if (total + each.bytes.size() > most_segmented) break;
        total += each.bytes.size();
        ++group.count;
        if (each.bytes.size() < size) break;
    }
    if (group.count > 1) group.segment_bytes = static_cast<std::uint16_t>(size);
    return group;
}

/// Beside a message: its sender's address, the size of its segments.
struct alignas(cmsghdr) Control {
    std::array<char, CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(std::uint16_t))> bytes;
};

template <class Value> void add_control(msghdr& header, int level, int type, const Value& value)
{
    cmsghdr part{};
    part.cmsg_level = level;
    part.cmsg_type = type;
    part.cmsg_len = CMSG_LEN(sizeof value);
    auto* at = static_cast<char*>(header.msg_control) + header.msg_controllen;
    std::memcpy(at, &part, sizeof part);
    std::memcpy(at + CMSG_LEN(0), &value, sizeof value);
    header.msg_controllen += CMSG_SPACE(sizeof value);
}

void add_sender(msghdr& header, const Address& from)
{
    if (from.is_v6()) {
        in6_pktinfo info{};
        std::memcpy(&info.ipi6_addr, from.data(), from.size());
        add_control(header, SOL_IPV6, IPV6_PKTINFO, info);
    } else {
        in_pktinfo info{};
        std::memcpy(&info.ipi_spec_dst, from.data(), from.size());
        add_control(header, SOL_IP, IP_PKTINFO, info);
    }
}

class Sender {
public:
    Sender(int socket, const ReplyPath* path, std::span<const Outgoing> all, bool& segments)
        : socket_(socket), path_(path), all_(all), segments_(segments)
    {
        if (path != nullptr) name_size_ = to_sockaddr(path->to, name_);
    }

    Sent run()
    {
        std::size_t next = 0;
        while (next < all_.size() && !over_) next = send_some(next);
        return sent_;
    }

private:
    void prepare(std::size_t at, const Group& group)
    {
        for (std::size_t i = 0; i < group.count; ++i) {
            const auto bytes = all_[group.first + i].bytes;
            parts_[group.first - base_ + i] = {const_cast<char*>(bytes.data()), bytes.size()};
        }
        groups_[at] = group;
        auto& header = messages_[at].msg_hdr;
        header = {};
        header.msg_name = name_size_ == 0 ? nullptr : &name_;
        header.msg_namelen = name_size_;
        header.msg_iov = &parts_[group.first - base_];
        header.msg_iovlen = group.count;
        header.msg_control = controls_[at].bytes.data();
        header.msg_controllen = 0;
        if (path_ != nullptr) add_sender(header, path_->from);
        if (group.segment_bytes != 0) add_control(header, SOL_UDP, UDP_SEGMENT, group.segment_bytes);
    }

    /// Up to a batch, from `next` on; where to go on.
    std::size_t send_some(std::size_t next)
    {
        base_ = next;
        std::size_t count = 0;
        while (next < all_.size() && next - base_ < most_messages) {
            const auto group = group_at(all_.first(std::min(all_.size(), base_ + most_messages)), next, segments_);
            if (group.segment_bytes != 0 && !segments_) {
                if (count > 0) break;
                return send_apart(next);
            }
            prepare(count++, group);
            next += group.count;
        }
        int taken = 0;
        do
            taken = count == 1 ? (::sendmsg(socket_, &messages_[0].msg_hdr, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -1 : 1)
                               : ::sendmmsg(socket_, messages_.data(), static_cast<unsigned>(count),
                                            MSG_DONTWAIT | MSG_NOSIGNAL);
        while (taken < 0 && errno == EINTR);
        for (int i = 0; i < taken; ++i) note_sent(groups_[static_cast<std::size_t>(i)]);
        if (taken == static_cast<int>(count)) return next;
        return taken < 0 ? note_refused(groups_[0]) : groups_[static_cast<std::size_t>(taken)].first;
    }

    void note_sent(const Group& group)
    {
        for (std::size_t i = group.first; i < group.first + group.count; ++i) {
            sent_.datagrams += all_[i].count();
            sent_.bytes += all_[i].bytes.size();
        }
    }

    /// The first message was not taken; where to go on.
    std::size_t note_refused(const Group& group)
    {
        const int error = errno;
        const bool segmented = group.segment_bytes != 0;
        if (segmented && (error == EINVAL || error == EIO || error == EMSGSIZE || error == EOPNOTSUPP)) {
            segments_ = false;
            return group.first;
        }
        sent_.error = error;
        if (error == ECONNREFUSED || error == EPROTO) { // news of what was sent before, not of this
            over_ = true;
            for (std::size_t i = group.first; i < all_.size(); ++i) sent_.dropped += all_[i].count();
            return all_.size();
        }
        for (std::size_t i = group.first; i < group.first + group.count; ++i) sent_.dropped += all_[i].count();
        return group.first + group.count;
    }

    /// What came in as one message leaves as the datagrams that it is made of.
    std::size_t send_apart(std::size_t at)
    {
        auto rest = all_[at].bytes;
        while (!rest.empty()) {
            const Outgoing one{rest.substr(0, all_[at].segment_bytes), 0};
            const auto sent = Sender{socket_, path_, {&one, 1}, segments_}.run();
            sent_.datagrams += sent.datagrams;
            sent_.bytes += sent.bytes;
            sent_.dropped += sent.dropped;
            if (sent.error != 0) sent_.error = sent.error;
            rest.remove_prefix(one.bytes.size());
        }
        return at + 1;
    }

    int socket_;
    const ReplyPath* path_;
    std::span<const Outgoing> all_;
    bool& segments_;
    Sent sent_;
    bool over_ = false;
    std::size_t base_ = 0;
    sockaddr_storage name_; // filled as far as name_size_ says
    socklen_t name_size_ = 0;
    std::array<mmsghdr, most_messages> messages_;
    std::array<iovec, most_messages> parts_;
    std::array<Group, most_messages> groups_;
    std::array<Control, most_messages> controls_;
};

} // namespace

Sent send_all(int socket, const ReplyPath* path, std::span<const Outgoing> all, bool& segments)
{
    return Sender{socket, path, all, segments}.run();
}

} // namespace gw::datagram
