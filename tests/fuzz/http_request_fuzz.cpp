// clang-format off
// fuzz-sources: gateway/http/request.cpp gateway/http/head_fields.cpp gateway/http/message.cpp gateway/http/url.cpp gateway/http/encode.cpp
// clang-format on
#include "gateway/http/encode.h"
#include "gateway/http/message.h"
#include "gateway/http/path.h"

#include <cstdlib>
#include <vector>

namespace {

using namespace gw::http;

void require(bool holds)
{
    if (!holds) std::abort();
}

constexpr Limits limits{2'048, 20, 512};

/// 0: complete, -1: more, else the status.
struct Verdict {
    int status = -1;
    std::size_t size = 0;
    friend bool operator==(const Verdict&, const Verdict&) = default;
};

Verdict verdict_of(const std::variant<NeedMore, Complete, Refusal>& answer)
{
    if (const auto* complete = std::get_if<Complete>(&answer)) return {0, complete->size_bytes};
    if (const auto* refusal = std::get_if<Refusal>(&answer)) return {refusal->status, 0};
    return {};
}

// Each delivery is in memory of its own and exactly that long, so that a view that outlived it or a byte read too far
// is found.
Verdict deliver(std::string_view bytes, std::size_t size, RequestHead& head, HeadProgress* progress)
{
    const std::vector<char> moved(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    return verdict_of(parse_request_head({moved.data(), moved.size()}, limits, head, progress));
}

// Whole, or in steps that the input itself chooses: the same verdict.
void check_cuts(std::string_view bytes, const Verdict& whole)
{
    std::uint32_t random = 2'166'136'261;
    for (const char c : bytes) random = (random ^ static_cast<unsigned char>(c)) * 16'777'619;
    for (const std::size_t longest : {std::size_t{1}, std::size_t{7}, bytes.size() + 1}) {
        RequestHead head, other;
        HeadProgress progress;
        Verdict verdict;
        for (std::size_t size = 0; verdict.status == -1;) {
            verdict = deliver(bytes, size, head, &progress);
            require(deliver(bytes, size, other, nullptr) == verdict);
            if (size == bytes.size()) break;
            random = random * 1'664'525 + 1'013'904'223;
            size = std::min(bytes.size(), size + 1 + (random >> 8) % longest);
        }
        require(verdict == whole);
    }
}

void require_same(const RequestHead& a, const RequestHead& b)
{
    require(a.method == b.method && a.target == b.target && a.form == b.form && a.scheme == b.scheme);
    require(a.authority == b.authority && a.host == b.host && a.port == b.port);
    require(a.path == b.path && a.query == b.query && a.minor_version == b.minor_version);
    require(a.framing.kind == b.framing.kind && a.framing.length_bytes == b.framing.length_bytes);
    require(a.keep_alive == b.keep_alive && a.expects_continue == b.expects_continue && a.upgrade == b.upgrade);
    require(a.connection_options == b.connection_options && a.fields.size() == b.fields.size());
    for (std::size_t i = 0; i < a.fields.size(); ++i)
        require(a.fields[i].name == b.fields[i].name && a.fields[i].value == b.fields[i].value);
}

// Written anew and read again it is the same message.
void check_encoding(const RequestHead& head)
{
    std::string out;
    append_request_line(out, head.method, head.target, {}, head.minor_version);
    for (const auto& field : head.fields) append_field(out, field.name, field.value);
    append_end(out);
    RequestHead again;
    require(verdict_of(parse_request_head(out, {}, again)) == Verdict{0, out.size()});
    require_same(head, again);
}

void check_meaning(const RequestHead& head)
{
    require(head.minor_version == 0 || head.find("host") != nullptr);
    require(head.minor_version == 0 || !head.host.empty());
    const bool coded = head.find("transfer-encoding") != nullptr, measured = head.find("content-length") != nullptr;
    require(!(coded && measured));
    require((head.framing.kind == Framing::Kind::chunked) == coded);
    require((head.framing.kind == Framing::Kind::length) == measured);
    for (const char c : head.target) require(c > 0x20 && c < 0x7f && c != '#');
    for (const auto& field : head.fields) require(field.value.find_first_of({"\r\n\0", 3}) == std::string_view::npos);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size > 3'000) return 0;
    const std::string_view bytes{reinterpret_cast<const char*>(data), size};
    RequestHead head;
    const auto whole = verdict_of(parse_request_head(bytes, limits, head));
    check_cuts(bytes, whole);
    if (whole.status == 0) {
        require(whole.size <= limits.head_bytes && head.fields.size() <= limits.fields);
        check_meaning(head);
        check_encoding(head);
    }
    return 0;
}
