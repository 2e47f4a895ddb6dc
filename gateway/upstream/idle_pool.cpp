#include "gateway/upstream/idle_pool.h"

#include <algorithm>

namespace gw::upstream {

namespace {

std::size_t hash_of(const Target& target)
{
    auto hash = std::hash<std::string>{}(target.host) * 31 + std::hash<Endpoint>{}(target.endpoint);
    if (!target.proxy_header.empty()) hash = hash * 31 + std::hash<std::string>{}(target.proxy_header);
    if (target.source) hash = hash * 31 + std::hash<Address>{}(*target.source);
    hash = hash * 31 + target.source_port;
    return hash * 4 + (target.tls ? 2 : 0) + (target.named_by == NamedBy::client ? 1 : 0);
}

} // namespace

void Connection::on_idle_expired(void* self) noexcept
{
    auto& connection = *static_cast<Connection*>(self);
    if (connection.pool != nullptr) connection.pool->unlink(connection); // dropped, so closed
}

IdlePool::~IdlePool() { clear(); }

void IdlePool::clear()
{
    while (oldest_ != nullptr) unlink(*oldest_);
    idle_.clear();
}

ConnectionPtr IdlePool::unlink(Connection& connection)
{
    (connection.older != nullptr ? connection.older->newer : oldest_) = connection.newer;
    (connection.newer != nullptr ? connection.newer->older : newest_) = connection.older;
    connection.older = connection.newer = nullptr;
    connection.pool = nullptr;
    connection.idle_deadline.disarm();
    --size_;

    const auto bucket = idle_.find(connection.hash);
    auto& list = bucket->second;
    const auto at = std::find_if(list.rbegin(), list.rend(), [&](const auto& p) { return p.get() == &connection; });
    auto owned = std::move(*at);
    list.erase(std::next(at).base());
    if (list.empty() && idle_.size() > settings_.idle_total) idle_.erase(bucket);
    return owned;
}

ConnectionPtr IdlePool::take(const Target& target)
{
    const auto bucket = idle_.find(hash_of(target));
    if (bucket == idle_.end()) return nullptr;
    for (;;) {
        auto& list = bucket->second;
        const auto at = std::find_if(list.rbegin(), list.rend(), [&](const auto& p) { return p->target == target; });
        if (at == list.rend()) return nullptr;
        auto connection = unlink(**at);
        if (is_quiet(*connection)) return connection;
        if (!idle_.contains(hash_of(target))) return nullptr;
    }
}

void IdlePool::renew(const Settings& settings)
{
    const bool sooner = settings.idle_limit < settings_.idle_limit;
    settings_ = settings;
    while (size_ > settings_.idle_total) unlink(*oldest_);
    if (!sooner) return;
    for (auto* each = oldest_; each != nullptr; each = each->newer)
        each->idle_deadline.expire_after(settings_.idle_limit);
}

void IdlePool::put(ConnectionPtr connection)
{
    const auto hash = hash_of(connection->target);
    auto& list = idle_[hash];
    if (list.size() >= settings_.idle_per_upstream) {
        const auto same =
            std::count_if(list.begin(), list.end(), [&](const auto& p) { return p->target == connection->target; });
        if (static_cast<std::size_t>(same) >= settings_.idle_per_upstream) return; // dropped, so closed
    }
    connection->received.release_if_empty();
    connection->hash = hash;
    connection->pool = this;
    connection->older = newest_;
    connection->newer = nullptr;
    (newest_ != nullptr ? newest_->newer : oldest_) = connection.get();
    newest_ = connection.get();
    connection->stream->expire_at(Deadline::Clock::time_point::max());
    connection->idle_deadline.expire_after(settings_.idle_limit);
    list.push_back(std::move(connection));
    if (++size_ > settings_.idle_total) unlink(*oldest_);
}

} // namespace gw::upstream
