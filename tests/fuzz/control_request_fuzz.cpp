// clang-format off
// fuzz-sources: gateway/keeper/control_request.cpp gateway/http/*.cpp
// clang-format on
#include "gateway/keeper/control_request.h"

#include <cstdlib>
#include <vector>

namespace {

using namespace gw;
using namespace gw::keeper;

void require(bool holds)
{
    if (!holds) std::abort();
}

struct Seen {
    int status = 0; // 0: more was asked for; 200: understood
    std::string method, target;
    friend bool operator==(const Seen&, const Seen&) = default;
};

/// As the server does: everything so far, again and again, `step` bytes more each time.
Seen read_in_steps(const std::vector<char>& bytes, std::size_t step)
{
    http::HeadProgress progress;
    for (std::size_t end = std::min(step, bytes.size());; end = std::min(end + step, bytes.size())) {
        const std::vector<char> exact(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(end));
        const auto answer = parse_control_request({exact.data(), exact.size()}, progress);
        if (const auto* refusal = std::get_if<http::Refusal>(&answer)) return {refusal->status, {}, {}};
        if (const auto* request = std::get_if<ControlRequest>(&answer)) return {200, request->method, request->target};
        if (end == bytes.size()) return {};
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size > 4096) return 0;
    const std::vector<char> bytes(data, data + size);
    const auto at_once = read_in_steps(bytes, bytes.size() + 1);
    require(at_once == read_in_steps(bytes, 1) && at_once == read_in_steps(bytes, 7));
    require(at_once.status == 0 || at_once.status == 200 || (at_once.status >= 400 && at_once.status < 600));
    if (at_once.status != 200) return 0;
    require(!at_once.method.empty() && at_once.target.starts_with('/'));
    for (const char c : at_once.target) require(c > ' ' && c < '\x7f');
    return 0;
}
