#include "gateway/route/suggest.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

namespace gw::route {

namespace {

/// How many letters must be changed, put in, left out or swapped with their neighbour.
std::size_t distance(std::string_view from, std::string_view to)
{
    std::vector<std::size_t> older(to.size() + 1), before(to.size() + 1), now(to.size() + 1);
    std::iota(before.begin(), before.end(), std::size_t{0});
    for (std::size_t i = 1; i <= from.size(); ++i) {
        now[0] = i;
        for (std::size_t k = 1; k <= to.size(); ++k) {
            now[k] = std::min({before[k] + 1, now[k - 1] + 1, before[k - 1] + (from[i - 1] == to[k - 1] ? 0 : 1)});
            if (i > 1 && k > 1 && from[i - 1] == to[k - 2] && from[i - 2] == to[k - 1])
                now[k] = std::min(now[k], older[k - 2] + 1);
        }
        older.swap(before);
        before.swap(now);
    }
    return before[to.size()];
}

} // namespace

std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates)
{
    std::string_view best;
    auto least = std::max<std::size_t>(word.size() / 3, 1) + 1;
    if (word.size() > 64) return best;
    for (const auto candidate : candidates) {
        const auto away = distance(word, candidate);
        if (away < least) least = away, best = candidate;
    }
    return best;
}

std::string suggestion(std::string_view word, std::span<const std::string_view> candidates)
{
    const auto found = nearest(word, candidates);
    return found.empty() ? std::string{} : ", did you mean \"" + std::string{found} + "\"?";
}

} // namespace gw::route
