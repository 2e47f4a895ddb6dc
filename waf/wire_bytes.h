#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gw::waf {

inline void put(std::string& into, std::uint64_t value, std::size_t size_bytes)
{
    for (std::size_t i = 0; i < size_bytes; ++i) into += static_cast<char>(value >> (8 * i));
}
inline void put8(std::string& into, std::uint64_t value) { put(into, value, 1); }
inline void put16(std::string& into, std::uint64_t value) { put(into, value, 2); }
inline void put32(std::string& into, std::uint64_t value) { put(into, value, 4); }
inline void put64(std::string& into, std::uint64_t value) { put(into, value, 8); }
inline void put_text(std::string& into, std::string_view text)
{
    put32(into, text.size());
    into += text;
}

// Reads from the front. After the first thing that is missing everything reads as zero, and `whole` is false.
class Reader {
public:
    explicit Reader(std::string_view bytes) : left_(bytes) {}

    std::uint64_t number(std::size_t size_bytes)
    {
        const auto bytes = take(size_bytes);
        std::uint64_t value = 0;
        for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
        return value;
    }
    std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
    std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }
    std::uint32_t u32() { return static_cast<std::uint32_t>(number(4)); }
    std::uint64_t u64() { return number(8); }
    bool flag()
    {
        const auto value = u8();
        if (value > 1) broken_ = true;
        return value == 1;
    }
    std::string_view text() { return take(u32()); }
    /// A count of things that take at least `least_bytes` each.
    std::size_t count(std::size_t least_bytes)
    {
        const std::size_t value = u32();
        if (value > left_.size() / least_bytes) broken_ = true;
        return broken_ ? 0 : value;
    }
    void refuse() { broken_ = true; }
    bool broken() const { return broken_; }
    bool whole() const { return !broken_ && left_.empty(); }

private:
    std::string_view take(std::size_t size_bytes)
    {
        if (broken_ || size_bytes > left_.size()) {
            broken_ = true;
            return {};
        }
        const auto taken = left_.substr(0, size_bytes);
        left_.remove_prefix(size_bytes);
        return taken;
    }

    std::string_view left_;
    bool broken_ = false;
};

} // namespace gw::waf
