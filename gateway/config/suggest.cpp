#include "gateway/config/suggest.h"

#include <algorithm>
#include <vector>

namespace gw::config {

namespace {

constexpr std::size_t longest_compared = 64;

std::string folded(std::string_view text)
{
    std::string out{text};
    for (auto& c : out) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
        if (c == '-' || c == ' ') c = '_';
    }
    return out;
}

/// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
std::size_t distance(std::string_view a, std::string_view b)
{
    std::vector<std::size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) above[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t differ = a[i - 1] != b[j - 1];
            row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + differ});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = std::min(row[j], before[j - 2] + 1);
        }
        std::swap(before, above);
        std::swap(above, row);
    }
    return above[b.size()];
}

} // namespace

std::string_view nearest(std::string_view text, std::span<const std::string_view> known)
{
    if (text.size() > longest_compared) return {};
    const auto meant = folded(text);
    std::string_view best;
    std::size_t least = std::max<std::size_t>(1, meant.size() / 3) + 1;
    for (const auto candidate : known) {
        if (candidate.size() > longest_compared || meant.empty()) continue;
        const auto differences = distance(meant, folded(candidate));
        // A word of one or two letters is "near" to every other one.
        if (differences >= least || differences >= std::max(meant.size(), candidate.size())) continue;
        least = differences;
        best = candidate;
    }
    return best;
}

std::string did_you_mean(std::string_view text, std::span<const std::string_view> known)
{
    const auto best = nearest(text, known);
    return best.empty() ? "" : "; did you mean \"" + std::string{best} + "\"?";
}

} // namespace gw::config
