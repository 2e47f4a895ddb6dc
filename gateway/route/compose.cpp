// From a destination and what its names hold to the decision. Nothing here allocates once the decision's strings have
// grown to their size.
#include "gateway/route/destination.h"

#include <algorithm>
#include <charconv>

namespace gw::route {

namespace {

constexpr std::size_t max_host_bytes = 253;

std::uint16_t port_from(std::string_view text)
{
    std::uint16_t port = 0;
    const auto* end = text.data() + text.size();
    const auto [rest, failed] = std::from_chars(text.data(), end, port);
    return failed == std::errc{} && rest == end ? port : std::uint16_t{0};
}

/// Whatever the client managed to put there, neither a request line nor a Location breaks.
void append_safe(std::string& into, std::string_view text)
{
    constexpr std::string_view digits = "0123456789ABCDEF";
    const auto is_unsafe = [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f || c == '#'; };
    for (;;) {
        const auto* unsafe = std::find_if(text.begin(), text.end(), is_unsafe);
        const auto count = static_cast<std::size_t>(unsafe - text.begin());
        into.append(text.data(), count);
        if (unsafe == text.end()) return;
        into += '%';
        into += digits[static_cast<unsigned char>(*unsafe) >> 4];
        into += digits[static_cast<unsigned char>(*unsafe) & 15];
        text.remove_prefix(count + 1);
    }
}

void append_parts(std::string& into, const std::vector<Part>& parts, const Bindings& bindings)
{
    for (const auto& part : parts) {
        if (part.binding < 0)
            into += part.text;
        else
            append_safe(into, bindings[part.binding]);
    }
}

/// The path to ask for, and the query.
void append_target(std::string& into, const Destination& to, const Bindings& bindings, const Request& request,
                   std::size_t taken)
{
    append_parts(into, to.path, bindings);
    auto rest = to.has_path ? request.path.substr(std::min(taken, request.path.size())) : request.path;
    if (rest == "*") rest = {};
    if (to.has_path && !rest.empty()) {
        rest.remove_prefix(std::min(rest.find_first_not_of('/'), rest.size()));
        if (into.back() != '/') into += '/';
    }
    if (!to.has_path && rest.empty()) rest = "/";
    append_safe(into, rest);
    into += to.query;
    if (request.query.size() <= 1) return;
    into += to.query.empty() ? '?' : '&';
    append_safe(into, request.query.substr(1));
}

void append_location(std::string& into, const Destination& to, const Bindings& bindings, const Request& request,
                     std::size_t taken)
{
    into += to.scheme;
    const auto begin = into.size();
    append_parts(into, to.host, bindings);
    if (into.find(':', begin) != std::string::npos) {
        into.insert(begin, 1, '[');
        into += ']';
    }
    if (to.port_binding >= 0) {
        into += ':';
        into += bindings[to.port_binding];
    } else if (to.port != 0) {
        char digits[8];
        const auto end = std::to_chars(digits, digits + sizeof digits, to.port).ptr;
        into += ':';
        into.append(digits, static_cast<std::size_t>(end - digits));
    }
    append_target(into, to, bindings, request, taken);
}

} // namespace

bool can_hold(const Destination& to, const Bindings& bindings, int* unfit)
{
    std::size_t bytes = 0;
    for (const auto& part : to.host) {
        bytes += part.text.size();
        if (part.binding < 0) continue;
        if (unfit != nullptr) *unfit = part.binding;
        const auto held = bindings[part.binding];
        bytes += held.size();
        if (!is_label(held) || bytes > max_host_bytes) return false;
    }
    if (to.port_binding < 0) return bytes <= max_host_bytes;
    if (unfit != nullptr) *unfit = to.port_binding;
    return port_from(bindings[to.port_binding]) != 0;
}

void compose(const Destination& to, const Bindings& bindings, const Request& request, std::size_t taken, Decision& into)
{
    into.action = to.action;
    into.status = to.status;
    if (to.action == Action::respond) {
        into.text = to.text;
    } else if (to.action == Action::redirect) {
        append_location(into.text, to, bindings, request, taken);
    } else if (to.action == Action::forward_url) {
        into.tls = to.scheme == "https://";
        into.host_from_client = to.is_bound_to_client();
        append_parts(into.host, to.host, bindings);
        into.port = to.port_binding < 0 ? to.port : port_from(bindings[to.port_binding]);
        if (request.path == "*")
            into.target = "*";
        else
            append_target(into.target, to, bindings, request, taken);
    }
}

} // namespace gw::route
