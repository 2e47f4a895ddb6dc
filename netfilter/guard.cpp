#include "netfilter/guard.h"

#include "netfilter/guard_text.h"

namespace gw::netfilter {

Result<bool> Guard::hold(const Plan& plan)
{
    const auto listing = nft_->list_table(guard_table(plan.settings));
    if (!listing) return listing.error();
    if (!needs_guard(plan)) {
        if (listing->empty()) return false;
        return remove(plan.settings);
    }
    if (listing->empty()) {
        if (auto made = nft_->run(guard_text(plan)); !made) return made.error();
        return true;
    }
    const auto in_force = refusals_in(*listing);
    if (difference(expected_guard(plan, in_force), *listing).empty()) return false;
    if (auto exchanged = exchange(plan, in_force); !exchanged) return exchanged.error();
    return true;
}

Result<bool> Guard::remove(const Settings& settings)
{
    const std::string table = "inet " + guard_table(settings);
    // `add` first: it may be gone already, and that is what was wanted.
    if (auto removed = nft_->run("add table " + table + "\ndelete table " + table + '\n'); !removed)
        return removed.error();
    return true;
}

Result<> Guard::exchange(const Plan& plan, std::string_view in_force)
{
    const auto next = in_force == refusals_a ? refusals_b : refusals_a;
    auto done = nft_->run(prepare_guard_text(plan, next));
    if (done) done = nft_->run(switch_guard_text(plan, next));
    if (done) {
        static_cast<void>(nft_->run(drop_guard_text(plan.settings, in_force))); // reading back finds it if not
        return done;
    }
    // Somebody made something of their own of it: anew, in one transaction.
    return nft_->run("delete table inet " + guard_table(plan.settings) + '\n' + guard_text(plan));
}

Result<std::string> Guard::missing(const Plan& plan)
{
    const auto listing = nft_->list_table(guard_table(plan.settings));
    if (!listing) return listing.error();
    if (!needs_guard(plan))
        return listing->empty() ? std::string() : "table inet " + guard_table(plan.settings) + " is not in the plan";
    return difference(expected_guard(plan, refusals_in(*listing)), *listing);
}

} // namespace gw::netfilter
