#include "gateway/keeper/descriptor_name.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

namespace gw::keeper {

namespace {

constexpr std::string_view version = "gw1";
constexpr std::string_view ways = "tre"; // by netfilter::Mode
constexpr std::string_view digits = "0123456789abcdef";
constexpr std::size_t longest_listener_bytes = 64;
constexpr std::size_t most_workers = 9'999;

Error malformed() { return Error{Fault::malformed, Side::gateway, "is no name of a listening socket of ours", {}}; }

std::string hexadecimal(const Address& address)
{
    std::string text;
    for (std::size_t i = 0; i < address.size(); ++i) {
        text += digits[address.data()[i] >> 4];
        text += digits[address.data()[i] & 15];
    }
    return text;
}

template <std::size_t Size> bool read_bytes(std::string_view text, std::array<std::uint8_t, Size>& bytes)
{
    for (std::size_t i = 0; i < Size; ++i) {
        const auto high = digits.find(text[2 * i]), low = digits.find(text[2 * i + 1]);
        if (high == std::string_view::npos || low == std::string_view::npos) return false;
        bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
    }
    return true;
}

bool read_address(std::string_view text, Address& address)
{
    std::array<std::uint8_t, 4> v4{};
    std::array<std::uint8_t, 16> v6{};
    if (text.size() == 2 * v4.size()) {
        if (!read_bytes(text, v4)) return false;
        address = Address::v4(v4);
        return true;
    }
    if (text.size() != 2 * v6.size() || !read_bytes(text, v6)) return false;
    address = Address::v6(v6);
    return true;
}

bool read_number(std::string_view text, std::size_t most, std::size_t& number)
{
    if (text.empty() || (text.size() > 1 && text[0] == '0')) return false;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
    return failed == std::errc{} && end == text.data() + text.size() && number <= most;
}

bool is_listener_name(std::string_view text)
{
    const auto plain = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    };
    return !text.empty() && text.size() <= longest_listener_bytes && plain(text[0]) &&
           std::all_of(text.begin(), text.end(), [&](char c) { return plain(c) || c == '_' || c == '.' || c == '-'; });
}

bool read_kind(std::string_view text, DescriptorName& name)
{
    if (text.size() != 3) return false;
    const auto way = ways.find(text[0]);
    if (way == std::string_view::npos && text[0] != 'b') return false;
    if ((text[1] != 't' && text[1] != 'u') || (text[2] != 'c' && text[2] != 'k')) return false;
    name.intercepting = text[0] != 'b';
    if (name.intercepting) name.mode = static_cast<netfilter::Mode>(way);
    name.datagrams = text[1] == 'u';
    name.any_port = text[2] == 'k';
    return true;
}

std::vector<std::string_view> parts_of(std::string_view text)
{
    std::vector<std::string_view> parts;
    for (;;) {
        const auto end = text.find('/');
        parts.push_back(text.substr(0, end));
        if (end == std::string_view::npos) return parts;
        text.remove_prefix(end + 1);
    }
}

} // namespace

std::string encode(const DescriptorName& name)
{
    std::string text{version};
    text += '/' + name.listener + '/';
    text += name.intercepting ? ways[static_cast<std::size_t>(name.mode)] : 'b';
    text += name.datagrams ? 'u' : 't';
    text += name.any_port ? 'k' : 'c';
    return text + '/' + std::to_string(name.worker) + '/' + hexadecimal(name.bound.address) + '/' +
           std::to_string(name.bound.port);
}

Result<DescriptorName> decode_descriptor_name(std::string_view text)
{
    if (text.size() > max_descriptor_name_bytes) return malformed();
    const auto parts = parts_of(text);
    if (parts.size() != 6 || parts[0] != version || !is_listener_name(parts[1])) return malformed();
    DescriptorName name;
    name.listener = parts[1];
    std::size_t port = 0;
    const bool good = read_kind(parts[2], name) && read_number(parts[3], most_workers, name.worker) &&
                      read_address(parts[4], name.bound.address) && read_number(parts[5], 65'535, port) && port != 0;
    if (!good) return malformed();
    name.bound.port = static_cast<std::uint16_t>(port);
    return name;
}

} // namespace gw::keeper
