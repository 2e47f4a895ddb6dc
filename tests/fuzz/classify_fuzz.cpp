// fuzz-sources: gateway/intake/classify.cpp gateway/intake/client_hello.cpp
#include "gateway/intake/classify.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

constexpr std::size_t largest_limit = 16 * 1024;

void require(bool holds)
{
    if (!holds) std::abort();
}

bool same(const gw::Hello& a, const gw::Hello& b)
{
    return a.kind == b.kind && a.server_name == b.server_name && a.alpn == b.alpn &&
           a.encrypted_client_hello == b.encrypted_client_hello;
}

bool is_host_name(std::string_view name)
{
    for (const char c : name)
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.')) return false;
    return name.size() <= 255 && !name.starts_with('.') && !name.ends_with('.') &&
           name.find("..") == std::string_view::npos;
}

/// What holds for every answer by itself.
void check(std::string_view received, const gw::Hello& hello)
{
    using Kind = gw::Hello::Kind;
    require(is_host_name(hello.server_name));
    if (hello.kind != Kind::tls) require(hello.server_name.empty() && hello.alpn.empty());
    if (hello.kind != Kind::tls) require(!hello.encrypted_client_hello);
    require(hello.kind != Kind::server_first && hello.kind != Kind::silent);
    if (hello.kind == Kind::tls) require(received.starts_with("\x16\x03"));
    if (hello.kind == Kind::http2) require(received.starts_with("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
}

} // namespace

// The first two bytes choose the limit, the rest is received. Oracles: the answer for a cut is "need more" or the
// answer for the whole; never "need more" at the limit; bytes behind the limit change nothing.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using gw::intake::classify;
    if (size < 2) return 0;
    const std::size_t limit = 1 + (static_cast<std::size_t>(data[0]) << 8 | data[1]) % largest_limit;
    const std::string_view received{reinterpret_cast<const char*>(data + 2), size - 2};

    const auto last = classify(received, limit);
    const auto* hello = last ? std::get_if<gw::Hello>(&*last) : nullptr;
    const bool open = last && hello == nullptr;
    if (hello != nullptr) check(received, *hello);
    if (received.size() >= limit) require(!open);
    if (!last) require(last.error().fault == gw::Fault::too_large && received.starts_with('\x16'));

    // Every cut of a short input; of a long one those at both ends and some between.
    const std::size_t step = received.size() < 600 ? 1 : received.size() / 300;
    bool decided = false;
    for (std::size_t cut = 0; cut <= received.size(); cut += step) {
        const auto part = classify(received.substr(0, cut), limit);
        const auto* then = part ? std::get_if<gw::Hello>(&*part) : nullptr;
        if (part && then == nullptr) {
            require(!decided);
            continue;
        }
        decided = true;
        require(part.has_value() == last.has_value() && (then == nullptr) == (hello == nullptr));
        if (then != nullptr) require(same(*then, *hello));
    }
    return 0;
}
