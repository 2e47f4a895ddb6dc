#include "gateway/datagram/reply_sockets.h"

#include "netfilter/reply_socket.h"

#include <algorithm>
#include <cerrno>

namespace gw::datagram {

namespace {

std::uint32_t port_of(const Endpoint& from)
{
    return from.port | (from.address.is_v6() ? std::uint32_t{1} << 16 : std::uint32_t{0});
}

} // namespace

void ReplySockets::add(std::string key, const Endpoint& bound, Descriptor socket)
{
    given_by_port_[port_of(bound)] = socket.number();
    given_.push_back({std::move(key), port_of(bound), std::move(socket)});
}

void ReplySockets::keep_only(const std::vector<std::string>& keep)
{
    std::erase_if(given_,
                  [&](const Given& each) { return std::find(keep.begin(), keep.end(), each.key) == keep.end(); });
    given_by_port_.clear();
    for (const auto& each : given_) given_by_port_[each.port] = each.socket.number();
}

int ReplySockets::socket_for(const Endpoint& from, std::chrono::steady_clock::time_point now)
{
    const auto port = port_of(from);
    if (const auto given = given_by_port_.find(port); given != given_by_port_.end()) return given->second;
    const auto found = by_port_.find(port);
    if (found != by_port_.end()) {
        kept_.splice(kept_.begin(), kept_, found->second);
        kept_.front().used = now;
        return kept_.front().socket.number();
    }
    while (!kept_.empty() && kept_.size() >= limit_) {
        by_port_.erase(kept_.back().port);
        kept_.pop_back();
    }
    auto opened = netfilter::open_reply_socket(from.port, from.address.is_v6());
    kept_.push_front({port, opened ? std::move(*opened) : Descriptor{}, now});
    by_port_.emplace(port, kept_.begin());
    return kept_.front().socket.number();
}

Sent ReplySockets::send(const Endpoint& from, const Endpoint& client, std::span<const Outgoing> all, bool& segments,
                        std::chrono::steady_clock::time_point now)
{
    const int socket = socket_for(from, now);
    if (socket < 0) return send_raw(from, client, all);
    const ReplyPath path{from.address, client};
    return send_all(socket, &path, all, segments);
}

Sent ReplySockets::send_raw(const Endpoint& from, const Endpoint& client, std::span<const Outgoing> all)
{
    Sent sent;
    for (const auto& each : all) {
        auto rest = each.bytes;
        do { // once for an empty datagram too
            const auto one = each.segment_bytes == 0 ? rest : rest.substr(0, each.segment_bytes);
            if (raw_.send_datagram(from, client, one)) {
                ++sent.datagrams;
                sent.bytes += one.size();
            } else {
                sent.error = errno;
                ++sent.dropped;
            }
            rest.remove_prefix(one.size());
        } while (!rest.empty());
    }
    return sent;
}

void ReplySockets::close_unused(std::chrono::steady_clock::time_point before)
{
    while (!kept_.empty() && kept_.back().used < before) {
        by_port_.erase(kept_.back().port);
        kept_.pop_back();
    }
}

} // namespace gw::datagram
