#include "gateway/upstream/resolver.h"

namespace gw::upstream {

namespace {

// Names come from the configuration and from bindings in it, so a client can choose some of them.
constexpr std::size_t max_entries = 4'096;

} // namespace

struct Resolver::Entry {
    explicit Entry(asio::io_context& io) : answered(io) { answered.expires_at(asio::steady_timer::time_point::max()); }
    std::vector<Address> addresses;
    std::chrono::steady_clock::time_point fresh_until{};
    boost::system::error_code failure;
    bool asking = false;
    asio::steady_timer answered; // cancelled when the answer is there
};

Resolver::Resolver(asio::io_context& io, const Settings& settings) : io_(io), settings_(settings), resolver_(io) {}

Resolver::~Resolver() = default;

void Resolver::ask(const std::string& name, const std::shared_ptr<Entry>& entry)
{
    entry->asking = true;
    entry->answered.expires_at(asio::steady_timer::time_point::max());
    resolver_.async_resolve(
        name, "", [entry, ttl = settings_.name_ttl](boost::system::error_code failed, const auto& found) {
            entry->asking = false;
            entry->failure = failed;
            if (!failed) {
                entry->addresses.clear();
                for (const auto& item : found) {
                    const auto address = item.endpoint().address();
                    const auto ours = address.is_v4() ? Address::v4(address.to_v4().to_bytes())
                                                      : Address::v6(address.to_v6().to_bytes()).unmapped();
                    if (entry->addresses.empty() || entry->addresses.back() != ours) entry->addresses.push_back(ours);
                }
                entry->fresh_until = std::chrono::steady_clock::now() + ttl;
            }
            entry->answered.cancel();
        });
}

Task<Result<std::vector<Address>>> Resolver::resolve(std::string name, std::chrono::steady_clock::time_point until)
{
    if (const auto literal = Address::parse(name)) co_return std::vector<Address>{*literal};

    if (entries_.size() >= max_entries && !entries_.contains(name)) entries_.clear();
    auto& slot = entries_[name];
    if (slot == nullptr) slot = std::make_shared<Entry>(io_);
    const auto entry = slot;
    if (!entry->addresses.empty() && std::chrono::steady_clock::now() < entry->fresh_until) co_return entry->addresses;

    if (!entry->asking) ask(name, entry);
    if (!entry->addresses.empty()) co_return entry->addresses; // the last good answer while the next is fetched

    asio::steady_timer limit{io_, until};
    limit.async_wait([entry](boost::system::error_code stopped) {
        if (!stopped) entry->answered.cancel(); // wakes all who wait; those with time left wait on
    });
    while (entry->asking && std::chrono::steady_clock::now() < until) {
        auto outcome = co_await entry->answered.async_wait(as_outcome);
        (void)outcome;
    }
    limit.cancel();
    if (!entry->addresses.empty()) co_return entry->addresses;
    if (entry->asking) co_return Error{Fault::timed_out, Side::upstream, "resolving " + name};
    co_return Error{Fault::refused, Side::upstream, "resolving " + name, entry->failure};
}

} // namespace gw::upstream
