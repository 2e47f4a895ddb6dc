// fuzz-sources: gateway/http/response.cpp gateway/http/head_fields.cpp gateway/http/message.cpp gateway/http/encode.cpp
#include "gateway/http/encode.h"
#include "gateway/http/message.h"

#include <cstdlib>
#include <vector>

namespace {

using namespace gw::http;

void require(bool holds)
{
    if (!holds) std::abort();
}

constexpr Limits limits{2'048, 20, 512};

enum class Kind { more, complete, malformed, too_large };
struct Verdict {
    Kind kind = Kind::more;
    std::size_t size = 0;
    friend bool operator==(const Verdict&, const Verdict&) = default;
};

Verdict parse(std::string_view bytes, std::string_view method, ResponseHead& head, HeadProgress* progress = nullptr,
              const Limits& within = limits)
{
    const auto answer = parse_response_head(bytes, method, within, head, progress);
    if (!answer) return {answer.error().fault == gw::Fault::too_large ? Kind::too_large : Kind::malformed, 0};
    if (const auto* complete = std::get_if<Complete>(&*answer)) return {Kind::complete, complete->size_bytes};
    return {};
}

// Byte by byte, each time in memory of its own: the same verdict.
void check_cuts(std::string_view bytes, std::string_view method, const Verdict& whole)
{
    ResponseHead head, other;
    HeadProgress progress;
    Verdict verdict;
    for (std::size_t size = 0; verdict.kind == Kind::more && size <= bytes.size(); ++size) {
        const std::vector<char> moved(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
        verdict = parse({moved.data(), size}, method, head, &progress);
        require(parse({moved.data(), size}, method, other) == verdict);
    }
    require(verdict == whole);
}

void check_encoding(const ResponseHead& head, std::string_view method)
{
    std::string out;
    append_status_line(out, head.status, head.reason, head.minor_version);
    for (const auto& field : head.fields) append_field(out, field.name, field.value);
    append_end(out);
    ResponseHead again;
    require(parse(out, method, again, nullptr, {}) == Verdict{Kind::complete, out.size()});
    require(head.status == again.status && head.minor_version == again.minor_version);
    require(head.reason.empty() || head.reason == again.reason);
    require(head.framing.kind == again.framing.kind && head.framing.length_bytes == again.framing.length_bytes);
    require(head.keep_alive == again.keep_alive && head.upgrade == again.upgrade);
    require(head.fields.size() == again.fields.size());
    for (std::size_t i = 0; i < head.fields.size(); ++i)
        require(head.fields[i].name == again.fields[i].name && head.fields[i].value == again.fields[i].value);
}

void check_meaning(const ResponseHead& head, std::string_view method)
{
    require(head.status >= 100 && head.status <= 999);
    require(!(head.find("transfer-encoding") && head.find("content-length")));
    const bool none = method == "HEAD" || head.status < 200 || head.status == 204 || head.status == 304 ||
                      (method == "CONNECT" && head.status < 300);
    require(none == (head.framing.kind == Framing::Kind::none));
    if (head.framing.kind == Framing::Kind::until_close) require(!head.keep_alive);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size > 3'000) return 0;
    const std::string_view bytes{reinterpret_cast<const char*>(data), size};
    for (const std::string_view method : {"GET", "HEAD", "CONNECT"}) {
        ResponseHead head;
        const auto whole = parse(bytes, method, head);
        if (method == "GET") check_cuts(bytes, method, whole);
        if (whole.kind != Kind::complete) continue;
        check_meaning(head, method);
        check_encoding(head, method);
    }
    return 0;
}
