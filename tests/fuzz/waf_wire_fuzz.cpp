// fuzz-sources: waf/wire.cpp waf/wire_settings.cpp
#include "waf/wire.h"

#include <cstdlib>

namespace {

using namespace gw::waf;

void require(bool holds)
{
    if (!holds) std::abort();
}

// What decodes must encode to the very bytes it came from: one form only, nothing ignored.
void check_frames(std::string_view body)
{
    std::string again;
    RequestFrame request;
    if (decode_request(body, request)) {
        encode_request(again, request.transaction, request.policy, request.request);
        require(again.substr(frame_head_bytes) == body);
    }
    again.clear();
    ResponseFrame response;
    if (decode_response(body, response)) {
        encode_response(again, response.transaction, response.response);
        require(again.substr(frame_head_bytes) == body);
    }
    again.clear();
    if (const auto answer = decode_answer(body)) {
        encode_answer(again, *answer);
        require(again.substr(frame_head_bytes) == body);
    }
    again.clear();
    if (const auto ended = decode_end(body)) {
        encode_end(again, *ended);
        require(again.substr(frame_head_bytes) == body);
    }
}

void check_settings(std::string_view bytes)
{
    const auto settings = decode_settings(bytes);
    if (!settings) return;
    std::string again;
    encode_settings(again, *settings);
    std::string twice;
    const auto same = decode_settings(again);
    require(same.has_value());
    encode_settings(twice, *same);
    require(again == twice);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    const std::string_view bytes{reinterpret_cast<const char*>(data), size};
    const auto head = parse_frame_head(bytes, max_answer_bytes);
    if (head && bytes.size() < frame_head_bytes) require(std::holds_alternative<NeedMore>(*head));
    check_frames(bytes);
    check_settings(bytes);
    return 0;
}
