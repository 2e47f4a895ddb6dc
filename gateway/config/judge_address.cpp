#include "gateway/base/endpoint.h"
#include "gateway/config/encoding.h"
#include "gateway/config/judge.h"
#include "gateway/config/values.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace gw::config {

namespace {

constexpr std::size_t longest_interface_bytes = 15; // IFNAMSIZ without its NUL

std::string suggest(const std::string& text) { return "; did you mean \"" + text + "\"?"; }

/// 192.0.2.5/24 -> 192.0.2.0/24, when that was it.
std::string network_hint(std::string_view text)
{
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) return {};
    const auto address = Address::parse(text.substr(0, slash));
    const auto digits = text.substr(slash + 1);
    unsigned prefix = 0;
    const auto [end, wrong] = std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
    if (!address || wrong != std::errc{} || end != digits.data() + digits.size() || prefix > address->size() * 8)
        return {};
    std::array<std::uint8_t, 16> bytes{};
    std::copy_n(address->data(), address->size(), bytes.begin());
    for (std::size_t bit = prefix; bit < address->size() * 8; ++bit)
        bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] & ~(0x80u >> bit % 8));
    const auto masked = address->is_v6() ? Address::v6(bytes) : Address::v4({bytes[0], bytes[1], bytes[2], bytes[3]});
    return "; bits after the prefix are set" + suggest(masked.text() + "/" + std::to_string(prefix));
}

std::string endpoint_hint(std::string_view text)
{
    const auto colon = text.rfind(':');
    const auto port = std::string{colon == std::string_view::npos ? text : text.substr(colon + 1)};
    if (!parse_ports(port) || port.find('-') != std::string::npos) {
        if (const auto address = Address::parse(text); address) return "; the port is missing";
        return {};
    }
    const auto host = colon == std::string_view::npos ? std::string_view{} : text.substr(0, colon);
    if (host.empty() || host == "*") return suggest("0.0.0.0:" + port) + " and \"[::]:" + port + "\" for IPv6";
    if (Address::parse(text)) return suggest("[" + std::string{host} + "]:" + port);
    if (Address::parse(host)) return suggest("[" + std::string{host} + "]:" + port);
    return "; an address is wanted, not a name";
}

} // namespace

std::string judge_interface(std::string_view text)
{
    const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view{"_.@:-+"}.find(c) != std::string_view::npos;
    });
    if (text == "lo") return "\"lo\" cannot be intercepted: what arrives there comes from this host itself";
    if (text.find('*') != std::string_view::npos) return "interfaces are named one by one, not by a pattern";
    if (text.empty() || text.size() > longest_interface_bytes || !plain || text == "." || text == "..")
        return "must be the name of a network interface such as eth0, not " + in_quotes(text);
    return {};
}

std::string judge_network(std::string_view text)
{
    if (Network::parse(text)) return {};
    return "must be an address or network such as 192.0.2.0/24 or \"2001:db8::/32\", not " + in_quotes(text) +
           network_hint(text);
}

std::string judge_destination(std::string_view text)
{
    if (auto wrong = judge_network(text); !wrong.empty()) return wrong;
    const auto network = *Network::parse(text);
    const bool single = network.prefix == network.address.size() * 8;
    if (network.address.is_multicast() && network.prefix >= (network.address.is_v6() ? 8 : 4))
        return in_quotes(text) + " cannot be intercepted: connections do not go to multicast addresses";
    if (network.address.is_loopback() && network.prefix >= 8)
        return in_quotes(text) + " cannot be intercepted: loopback addresses never pass through";
    if (network.address.is_v4_mapped() && network.prefix >= 96)
        return "write " + in_quotes(text) + " as an IPv4 network";
    if (single && network.address.is_unspecified())
        return in_quotes(text) + " is no destination" + suggest(network.address.is_v6() ? "::/0" : "0.0.0.0/0");
    return {};
}

std::string judge_endpoint(std::string_view text)
{
    if (Endpoint::parse(text)) return {};
    return "must be an address and port such as \"0.0.0.0:80\" or \"[::]:80\", not " + in_quotes(text) +
           endpoint_hint(text);
}

std::string judge_server(std::string_view text)
{
    const auto server = Endpoint::parse(text);
    if (!server)
        return "must be an address and port such as \"192.0.2.10:80\" or \"[2001:db8::10]:80\", not " +
               in_quotes(text) + endpoint_hint(text);
    const auto& address = server->address;
    if (server->port == 0) return "needs a port from 1 to 65535";
    if (address.is_unspecified() || address.is_multicast())
        return in_quotes(text) + " is no address that a server can be reached at";
    return {};
}

std::string judge_ports(std::string_view text)
{
    if (parse_ports(text)) return {};
    const auto dash = text.find('-');
    if (dash != std::string_view::npos) {
        const auto first = text.substr(0, dash), last = text.substr(dash + 1);
        const auto turned = std::string{last} + "-" + std::string{first};
        if (parse_ports(turned)) return "the range goes backwards" + suggest(turned);
    }
    return "must be a port from 1 to 65535 or a range such as 8000-8080, not " + in_quotes(text);
}

} // namespace gw::config
