#include "gateway/datagram/flow_table.h"

#include <cassert>
#include <cstring>
#include <random>

namespace gw::datagram {

namespace {

constexpr std::uint16_t dns_port = 53;

__extension__ using Wide = unsigned __int128;

std::uint64_t folded(std::uint64_t a, std::uint64_t b)
{
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t word_at(const std::uint8_t* bytes)
{
    std::uint64_t word = 0;
    std::memcpy(&word, bytes, sizeof word);
    return word;
}

} // namespace

std::string_view name_of(Ending ending)
{
    switch (ending) {
    case Ending::idle: return "idle";
    case Ending::unanswered: return "unanswered";
    case Ending::evicted: return "evicted";
    case Ending::refused: return "refused";
    case Ending::failed: return "failed";
    case Ending::closed: return "closed";
    }
    return "closed";
}

FlowHash::FlowHash()
{
    std::random_device random;
    for (auto& word : secret_) word = (static_cast<std::uint64_t>(random()) << 32) | random();
}

std::size_t FlowHash::operator()(const FlowKey& key) const noexcept
{
    // An address has 16 bytes, of which IPv4 leaves the last twelve zero.
    const auto* client = key.client.address.data();
    const auto* destination = key.destination.address.data();
    const std::uint64_t rest = (static_cast<std::uint64_t>(key.client.port) << 32) |
                               (static_cast<std::uint64_t>(key.destination.port) << 16) |
                               (key.client.address.is_v6() ? 1U : 0U);
    const auto addresses = folded(word_at(client) ^ secret_[0], word_at(client + 8) ^ secret_[1]) ^
                           folded(word_at(destination) ^ secret_[2], word_at(destination + 8) ^ secret_[3]);
    const auto all = folded(addresses ^ secret_[4], rest ^ secret_[5]);
    // Once more: of one product the low bits hardly depend on the port when a secret happens to be even a few times
    // over, one table in ten.
    constexpr std::uint64_t golden_ratio = 0x9E3779B97F4A7C15;
    return static_cast<std::size_t>(folded(all ^ secret_[0], golden_ratio));
}

FlowTable::~FlowTable() = default;

FlowTable::List FlowTable::list_of(const Flow& flow)
{
    if (!flow.answered) return unanswered;
    return flow.key.destination.port == dns_port ? dns : answered;
}

Flow* FlowTable::find(const FlowKey& key)
{
    const auto found = flows_.find(key);
    return found == flows_.end() ? nullptr : &found->second;
}

Flow& FlowTable::add(const FlowKey& key, Clock::time_point now)
{
    const auto [at, fresh] = flows_.try_emplace(key, key);
    assert(fresh);
    auto& flow = at->second;
    flow.began = now;
    flow.last = now;
    link(flow);
    return flow;
}

void FlowTable::touch(Flow& flow, Clock::time_point now)
{
    flow.last = now;
    if (flow.newer_ == nullptr && flow.list_ == list_of(flow)) return; // the newest already
    unlink(flow);
    link(flow);
}

void FlowTable::remove(Flow& flow)
{
    unlink(flow);
    flow.ended = true;
    removed_.push_back(flows_.extract(flow.key));
}

void FlowTable::link(Flow& flow)
{
    const auto list = list_of(flow);
    flow.list_ = list;
    flow.newer_ = nullptr;
    flow.older_ = newest_[list];
    (flow.older_ != nullptr ? flow.older_->newer_ : oldest_[list]) = &flow;
    newest_[list] = &flow;
    ++sizes_[list];
}

void FlowTable::unlink(Flow& flow)
{
    (flow.older_ != nullptr ? flow.older_->newer_ : oldest_[flow.list_]) = flow.newer_;
    (flow.newer_ != nullptr ? flow.newer_->older_ : newest_[flow.list_]) = flow.older_;
    --sizes_[flow.list_];
}

Flow* FlowTable::first_to_evict() const
{
    for (auto* flow : oldest_)
        if (flow != nullptr) return flow;
    return nullptr;
}

Flow* FlowTable::first_expired(const Settings& settings, Clock::time_point now) const
{
    const std::array<std::chrono::milliseconds, list_count> limits{settings.unanswered_limit, settings.dns_idle_limit,
                                                                   settings.idle_limit};
    for (std::size_t list = 0; list < list_count; ++list)
        if (oldest_[list] != nullptr && now - oldest_[list]->last >= limits[list]) return oldest_[list];
    return nullptr;
}

void FlowTable::for_each(const std::function<bool(Flow&)>& visit)
{
    for (auto& [key, flow] : flows_)
        if (!visit(flow)) return;
}

} // namespace gw::datagram
