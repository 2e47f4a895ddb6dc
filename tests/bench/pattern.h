#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace gw::bench {

/// Bytes that both ends know: what stands at an offset depends on the offset, so that a lost, doubled or misplaced
/// piece is seen wherever it was cut. The period is prime: no power of two fits into it.
class Pattern {
public:
    static constexpr std::size_t period = 65'521;
    /// What `at` gives at least, from every offset.
    static constexpr std::size_t piece = 256 * 1024;

    Pattern() : bytes_(period + piece, '\0')
    {
        std::uint64_t state = 0x9e3779b97f4a7c15;
        for (std::size_t i = 0; i < period; ++i) {
            state ^= state << 13, state ^= state >> 7, state ^= state << 17;
            bytes_[i] = static_cast<char>(state >> 32);
        }
        for (std::size_t i = period; i < bytes_.size(); ++i) bytes_[i] = bytes_[i - period];
    }

    /// The bytes from this offset on, at most `limit` of them and at most `piece`.
    [[nodiscard]] std::string_view at(std::uint64_t offset, std::uint64_t limit) const
    {
        const auto size = limit < piece ? static_cast<std::size_t>(limit) : piece;
        return {bytes_.data() + offset % period, size};
    }

    /// Whether these are the bytes from this offset on.
    [[nodiscard]] bool fits(std::uint64_t offset, std::string_view bytes) const
    {
        while (!bytes.empty()) {
            const auto wanted = at(offset, bytes.size());
            if (std::memcmp(wanted.data(), bytes.data(), wanted.size()) != 0) return false;
            offset += wanted.size();
            bytes.remove_prefix(wanted.size());
        }
        return true;
    }

private:
    std::vector<char> bytes_;
};

/// The one of this program.
inline const Pattern& pattern()
{
    static const Pattern made;
    return made;
}

} // namespace gw::bench
