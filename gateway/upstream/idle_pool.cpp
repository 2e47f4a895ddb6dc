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
    if (connection.pool != nullptr) connection.pool->expired(connection);
}

IdlePool::IdlePool(const Settings& settings, IdleShare& share, std::size_t worker)
    : share_(share.size() > 1 ? &share : nullptr), place_(share_ != nullptr ? &share.place(worker) : nullptr),
      worker_(worker), settings_(settings)
{
    const auto held = hold();
    if (place_ != nullptr) place_->pool_ = this;
}

IdlePool::~IdlePool()
{
    clear();
    const auto held = hold();
    if (place_ != nullptr) place_->pool_ = nullptr;
}

std::unique_lock<std::mutex> IdlePool::hold() const
{
    return place_ != nullptr ? std::unique_lock{place_->mutex_} : std::unique_lock<std::mutex>{};
}

std::size_t IdlePool::size() const
{
    const auto held = hold();
    return size_;
}

void IdlePool::clear()
{
    const auto held = hold();
    while (oldest_ != nullptr) unlink(*oldest_);
    idle_.clear();
    remains_.clear();
}

void IdlePool::expired(Connection& connection)
{
    const auto held = hold();
    if (!connection.taken_over) unlink(connection); // dropped, so closed
    remains_.clear();
}

// --- both this thread and those that take over, under the mutex

/// Null: there is none.
ConnectionPtr* IdlePool::newest_of(std::size_t hash, const Target& target)
{
    const auto bucket = idle_.find(hash);
    if (bucket == idle_.end()) return nullptr;
    auto& list = bucket->second;
    const auto at = std::find_if(list.rbegin(), list.rend(), [&](const auto& p) { return p->target == target; });
    return at == list.rend() ? nullptr : &*at;
}

ConnectionPtr IdlePool::take_out(Connection& connection)
{
    (connection.older != nullptr ? connection.older->newer : oldest_) = connection.newer;
    (connection.newer != nullptr ? connection.newer->older : newest_) = connection.older;
    connection.older = connection.newer = nullptr;
    --size_;
    if (place_ != nullptr) place_->count(connection.hash, -1);

    const auto bucket = idle_.find(connection.hash);
    auto& list = bucket->second;
    const auto at = std::find_if(list.rbegin(), list.rend(), [&](const auto& p) { return p.get() == &connection; });
    auto owned = std::move(*at);
    list.erase(std::next(at).base());
    if (list.empty() && idle_.size() > settings_.idle_total) idle_.erase(bucket);
    return owned;
}

/// For another worker, on its thread. The one that has waited longest: it is missed least.
ConnectionPtr IdlePool::hand_over(std::size_t hash, const Target& target, const tls::DialContext* accepts,
                                  DeadlineWheel& wheel)
{
    const auto bucket = idle_.find(hash);
    if (bucket == idle_.end()) return nullptr;
    auto& list = bucket->second;
    const auto at = std::find_if(list.begin(), list.end(), [&](const auto& p) { return p->target == target; });
    if (at == list.end() || Deadline::Clock::now() - (*at)->kept_since < settings_.idle_own) return nullptr;
    auto& kept = **at;
    if (!kept.received.empty() || (target.tls && kept.accepted_by.get() != accepts)) return nullptr;
    auto stream = kept.stream->move_to(wheel);
    if (stream == nullptr) return nullptr;
    auto moved = std::make_unique<Connection>(wheel);
    moved->target = std::move(kept.target);
    moved->remote = kept.remote;
    moved->source = kept.source;
    moved->source_fallback = kept.source_fallback;
    moved->stream = std::move(stream);
    moved->exchanges = kept.exchanges;
    moved->accepted_by = std::move(kept.accepted_by);
    kept.taken_over = true;
    remains_.push_back(take_out(kept));
    return moved;
}

// --- this thread

ConnectionPtr IdlePool::unlink(Connection& connection)
{
    connection.pool = nullptr;
    connection.idle_deadline.disarm();
    return take_out(connection);
}

ConnectionPtr IdlePool::take_newest(std::size_t hash, const Target& target)
{
    const auto held = hold();
    remains_.clear();
    auto* newest = newest_of(hash, target);
    return newest == nullptr ? nullptr : unlink(**newest);
}

ConnectionPtr IdlePool::take(const Target& target)
{
    const auto hash = hash_of(target);
    for (;;) {
        auto connection = take_newest(hash, target);
        if (connection == nullptr || is_quiet(*connection)) return connection;
    }
}

ConnectionPtr IdlePool::take_over(const Target& target, const tls::DialContext* accepts, DeadlineWheel& wheel)
{
    if (share_ == nullptr) return nullptr;
    const auto hash = hash_of(target);
    // From the next one on, so that not all of them ask the same one first.
    for (std::size_t i = 1; i < share_->size(); ++i) {
        auto& other = share_->place((worker_ + i) % share_->size());
        while (other.may_keep(hash)) {
            std::unique_lock held{other.mutex_, std::try_to_lock};
            if (!held || other.pool_ == nullptr) break;
            auto connection = other.pool_->hand_over(hash, target, accepts, wheel);
            held.unlock();
            if (connection == nullptr) break;
            if (!is_quiet(*connection)) continue;
            ++taken_over_;
            return connection;
        }
    }
    return nullptr;
}

void IdlePool::renew(const Settings& settings)
{
    const auto held = hold();
    const bool sooner = settings.idle_limit < settings_.idle_limit;
    settings_ = settings;
    while (size_ > settings_.idle_total) unlink(*oldest_);
    if (!sooner) return;
    for (auto* each = oldest_; each != nullptr; each = each->newer)
        each->idle_deadline.expire_after(settings_.idle_limit);
}

void IdlePool::put(ConnectionPtr connection)
{
    if (connection->personal) return;
    const auto hash = hash_of(connection->target);
    const auto held = hold();
    remains_.clear();
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
    connection->kept_since = Deadline::Clock::now();
    connection->idle_deadline.expire_at(connection->kept_since + settings_.idle_limit);
    list.push_back(std::move(connection));
    if (place_ != nullptr) place_->count(hash, 1);
    if (++size_ > settings_.idle_total) unlink(*oldest_);
}

} // namespace gw::upstream
