#include "waf/wire.h"

#include "waf/wire_bytes.h"

#include <array>

namespace gw::waf {

namespace {

// A field takes at least its two lengths, a hit its three numbers and two lengths: no count can exceed what bytes are
// left.
constexpr std::size_t least_field_bytes = 8;
constexpr std::size_t least_hit_bytes = 16;

Error broken(const char* what) { return Error{Fault::malformed, Side::gateway, what}; }

std::size_t begin_frame(std::string& into, Kind kind)
{
    const auto at = into.size();
    put32(into, 0);
    put8(into, static_cast<std::uint8_t>(kind));
    return at;
}

void finish_frame(std::string& into, std::size_t at)
{
    const auto body_bytes = into.size() - at - frame_head_bytes;
    for (std::size_t i = 0; i < 4; ++i) into[at + i] = static_cast<char>(body_bytes >> (8 * i));
}

void put_endpoint(std::string& into, const Endpoint& endpoint)
{
    put8(into, endpoint.address.is_v6() ? 1 : 0);
    into.append(reinterpret_cast<const char*>(endpoint.address.data()), endpoint.address.size());
    put16(into, endpoint.port);
}

template <std::size_t Size> std::array<std::uint8_t, Size> address_bytes(Reader& from)
{
    std::array<std::uint8_t, Size> bytes{};
    for (auto& byte : bytes) byte = from.u8();
    return bytes;
}

Endpoint endpoint_of(Reader& from)
{
    Endpoint endpoint;
    endpoint.address = from.flag() ? Address::v6(address_bytes<16>(from)) : Address::v4(address_bytes<4>(from));
    endpoint.port = from.u16();
    return endpoint;
}

void put_fields(std::string& into, std::span<const http::Field> fields)
{
    put32(into, fields.size());
    for (const auto& field : fields) {
        put_text(into, field.name);
        put_text(into, field.value);
    }
}

void fields_of(Reader& from, std::vector<http::Field>& fields)
{
    fields.clear();
    const auto count = from.count(least_field_bytes);
    fields.reserve(count);
    for (std::size_t i = 0; i < count && !from.broken(); ++i) {
        const auto name = from.text();
        fields.push_back({name, from.text()});
    }
}

Hit hit_of(Reader& from)
{
    Hit hit;
    hit.id = from.u32();
    hit.severity = static_cast<int>(from.u32());
    hit.message = from.text();
    hit.matched = from.text();
    return hit;
}

} // namespace

Result<std::variant<NeedMore, FrameHead>> parse_frame_head(std::string_view received, std::size_t most_body_bytes)
{
    using Found = std::variant<NeedMore, FrameHead>;
    if (received.size() < frame_head_bytes) return Found{NeedMore{}};
    Reader reader{received.substr(0, frame_head_bytes)};
    const std::size_t body_bytes = reader.u32();
    const auto kind = reader.u8();
    if (kind < static_cast<std::uint8_t>(Kind::request) || kind > static_cast<std::uint8_t>(Kind::answer))
        return broken("unknown kind of frame");
    if (body_bytes > most_body_bytes) return Error{Fault::too_large, Side::gateway, "frame too long"};
    return Found{FrameHead{body_bytes, static_cast<Kind>(kind)}};
}

void encode_request(std::string& into, std::uint64_t transaction, std::size_t policy, const RequestView& request)
{
    const auto at = begin_frame(into, Kind::request);
    put64(into, transaction);
    put32(into, policy);
    put_endpoint(into, request.client);
    put_endpoint(into, request.destination);
    put_text(into, request.method);
    put_text(into, request.target);
    put8(into, request.minor_version == 0 ? 0 : 1);
    put_fields(into, request.fields);
    put_text(into, request.body);
    finish_frame(into, at);
}

Result<> decode_request(std::string_view body, RequestFrame& into)
{
    Reader from{body};
    into.transaction = from.u64();
    into.policy = from.u32();
    into.request.client = endpoint_of(from);
    into.request.destination = endpoint_of(from);
    into.request.method = from.text();
    into.request.target = from.text();
    into.request.minor_version = from.flag() ? 1 : 0;
    fields_of(from, into.fields);
    into.request.body = from.text();
    into.request.fields = into.fields;
    if (!from.whole()) return broken("request frame");
    return {};
}

void encode_response(std::string& into, std::uint64_t transaction, const ResponseView& response)
{
    const auto at = begin_frame(into, Kind::response);
    put64(into, transaction);
    put32(into, static_cast<std::uint32_t>(response.status));
    put8(into, response.minor_version == 0 ? 0 : 1);
    put_fields(into, response.fields);
    put_text(into, response.body);
    finish_frame(into, at);
}

Result<> decode_response(std::string_view body, ResponseFrame& into)
{
    Reader from{body};
    into.transaction = from.u64();
    into.response.status = static_cast<int>(from.u32());
    into.response.minor_version = from.flag() ? 1 : 0;
    fields_of(from, into.fields);
    into.response.body = from.text();
    into.response.fields = into.fields;
    if (!from.whole()) return broken("response frame");
    return {};
}

void encode_end(std::string& into, std::span<const std::uint64_t> transactions)
{
    const auto at = begin_frame(into, Kind::end);
    put32(into, transactions.size());
    for (const auto transaction : transactions) put64(into, transaction);
    finish_frame(into, at);
}

Result<std::vector<std::uint64_t>> decode_end(std::string_view body)
{
    Reader from{body};
    std::vector<std::uint64_t> transactions(from.count(sizeof(std::uint64_t)));
    for (auto& transaction : transactions) transaction = from.u64();
    if (!from.whole()) return broken("end frame");
    return transactions;
}

void encode_answer(std::string& into, const Answer& answer)
{
    const auto at = begin_frame(into, Kind::answer);
    put8(into, answer.unknown ? 1 : 0);
    put8(into, answer.leaving ? 1 : 0);
    put8(into, answer.blocked ? 1 : 0);
    put32(into, static_cast<std::uint32_t>(answer.score));
    put_text(into, answer.limit);
    put32(into, answer.hits.size());
    for (const auto& hit : answer.hits) {
        put32(into, hit.id);
        put32(into, static_cast<std::uint32_t>(hit.severity));
        put_text(into, hit.message);
        put_text(into, hit.matched);
    }
    finish_frame(into, at);
}

Result<Answer> decode_answer(std::string_view body)
{
    Reader from{body};
    Answer answer;
    answer.unknown = from.flag();
    answer.leaving = from.flag();
    answer.blocked = from.flag();
    answer.score = static_cast<int>(from.u32());
    answer.limit = from.text();
    const auto count = from.count(least_hit_bytes);
    for (std::size_t i = 0; i < count && !from.broken(); ++i) answer.hits.push_back(hit_of(from));
    if (!from.whole()) return broken("answer frame");
    return answer;
}

} // namespace gw::waf
