#pragma once

#include "waf/settings.h"
#include "waf/verdict.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace gw::waf {

/// What goes between the data process and an inspector, over a stream: frames of a length (4 bytes, little endian, of
/// what follows), a kind (1 byte) and a body. Numbers are little endian; text is a 4-byte length and its bytes.
///
/// The inspector reads what clients sent, so the data process believes nothing an inspector says: every decoder here
/// takes any bytes.

enum class Kind : std::uint8_t {
    request = 1,  ///< data process -> inspector: transaction, policy, request
    response = 2, ///< data process -> inspector: transaction, response
    end = 3,      ///< data process -> inspector: transactions that are over; no answer
    answer = 4,   ///< inspector -> data process
};

inline constexpr std::size_t frame_head_bytes = 5;
/// Longest answer: 64 hits of at most half a kilobyte, with room.
inline constexpr std::size_t max_answer_bytes = 256 * 1024;

struct FrameHead {
    std::size_t body_bytes;
    Kind kind;
};
struct NeedMore {};
/// Looks for a frame's head at the start of `received`. Errors: `malformed`, side gateway: an unknown kind;
/// `too_large`.
Result<std::variant<NeedMore, FrameHead>> parse_frame_head(std::string_view received, std::size_t most_body_bytes);

struct RequestFrame {
    std::uint64_t transaction = 0;
    std::size_t policy = 0;
    RequestView request; ///< `fields` points to `fields` below
    std::vector<http::Field> fields;
};
struct ResponseFrame {
    std::uint64_t transaction = 0;
    ResponseView response;
    std::vector<http::Field> fields;
};

/// What an inspector answers to a request or a response.
struct Answer {
    bool unknown = false; ///< it has no such transaction (any more): replay the request
    bool leaving = false; ///< it ends after this answer
    bool blocked = false;
    int score = 0;
    std::string limit; ///< which bound was hit; empty: none
    std::vector<Hit> hits;
    friend bool operator==(const Answer&, const Answer&) = default;
};

/// Whole frames, head included, appended to `into`.
void encode_request(std::string& into, std::uint64_t transaction, std::size_t policy, const RequestView& request);
void encode_response(std::string& into, std::uint64_t transaction, const ResponseView& response);
void encode_end(std::string& into, std::span<const std::uint64_t> transactions);
void encode_answer(std::string& into, const Answer& answer);

/// Bodies of frames, without their head; views point into `body`. Errors: `malformed`, side gateway.
Result<> decode_request(std::string_view body, RequestFrame& into);
Result<> decode_response(std::string_view body, ResponseFrame& into);
Result<std::vector<std::uint64_t>> decode_end(std::string_view body);
Result<Answer> decode_answer(std::string_view body);

/// The settings as the inspector program is started with them; no frame around them.
void encode_settings(std::string& into, const Settings& settings);
Result<Settings> decode_settings(std::string_view bytes);

} // namespace gw::waf
