#include "waf/wire.h"

#include <gtest/gtest.h>

namespace gw::waf {

namespace {

const std::vector<http::Field> some_fields{{"Host", "a.example"}, {"X-Empty", ""}};

std::string request_body()
{
    RequestView request;
    request.client = *Endpoint::parse("[2001:db8::1]:40000");
    request.destination = *Endpoint::parse("192.0.2.1:80");
    request.method = "POST";
    request.target = "/a?b=c";
    request.minor_version = 0;
    request.fields = some_fields;
    request.body = std::string_view("x\0y", 3);
    std::string frame;
    encode_request(frame, 7, 2, request);
    return frame.substr(frame_head_bytes);
}

Answer some_answer()
{
    return {false, true, true, 5, "CPU limit reached", {{942100, "SQL", "ARGS:q", 2}, {1, "", "", 0}}};
}

Settings some_settings()
{
    Settings settings;
    Policy policy;
    policy.mode = Mode::block;
    policy.paranoia = 4;
    policy.disable_rules = {1, 2};
    policy.disable_targets = {{3, {"ARGS:a", "ARGS:b"}}};
    settings.policies = {Policy{}, policy};
    settings.crs = false;
    settings.rule_files = {"/a.conf", "/b.conf"};
    settings.over_limit = OverLimit::pass_uninspected;
    settings.on_failure = OnFailure::pass;
    return settings;
}

TEST(Wire, CarriesARequest)
{
    const auto body = request_body();
    RequestFrame frame;
    ASSERT_TRUE(decode_request(body, frame));
    EXPECT_EQ(frame.transaction, 7);
    EXPECT_EQ(frame.policy, 2);
    EXPECT_EQ(frame.request.client.text(), "[2001:db8::1]:40000");
    EXPECT_EQ(frame.request.destination.text(), "192.0.2.1:80");
    EXPECT_EQ(frame.request.method, "POST");
    EXPECT_EQ(frame.request.target, "/a?b=c");
    EXPECT_EQ(frame.request.minor_version, 0);
    ASSERT_EQ(frame.request.fields.size(), 2);
    EXPECT_EQ(frame.request.fields[0].value, "a.example");
    EXPECT_EQ(frame.request.body, std::string_view("x\0y", 3));
}

TEST(Wire, CarriesAResponse)
{
    ResponseView response{404, 1, some_fields, "gone"};
    std::string frame;
    encode_response(frame, 9, response);
    ResponseFrame decoded;
    ASSERT_TRUE(decode_response(std::string_view(frame).substr(frame_head_bytes), decoded));
    EXPECT_EQ(decoded.transaction, 9);
    EXPECT_EQ(decoded.response.status, 404);
    EXPECT_EQ(decoded.response.fields.size(), 2);
    EXPECT_EQ(decoded.response.body, "gone");
}

TEST(Wire, CarriesAnAnswerAndTheEndsOfTransactions)
{
    std::string frame;
    encode_answer(frame, some_answer());
    EXPECT_EQ(*decode_answer(std::string_view(frame).substr(frame_head_bytes)), some_answer());
    frame.clear();
    const std::vector<std::uint64_t> over{1, 1ULL << 40};
    encode_end(frame, over);
    EXPECT_EQ(*decode_end(std::string_view(frame).substr(frame_head_bytes)), over);
}

TEST(Wire, CarriesTheSettings)
{
    std::string bytes;
    encode_settings(bytes, some_settings());
    const auto decoded = decode_settings(bytes);
    ASSERT_TRUE(decoded);
    std::string again;
    encode_settings(again, *decoded);
    EXPECT_EQ(again, bytes);
    EXPECT_EQ(decoded->policies, some_settings().policies);
    EXPECT_EQ(decoded->rule_files, some_settings().rule_files);
}

TEST(Wire, RefusesEveryCutAndEveryByteTooMany)
{
    std::string answer;
    encode_answer(answer, some_answer());
    answer.erase(0, frame_head_bytes);
    std::string settings;
    encode_settings(settings, some_settings());
    const auto request = request_body();
    RequestFrame frame;
    for (std::size_t cut = 0; cut < request.size(); ++cut)
        EXPECT_FALSE(decode_request(request.substr(0, cut), frame)) << cut;
    for (std::size_t cut = 0; cut < answer.size(); ++cut) EXPECT_FALSE(decode_answer(answer.substr(0, cut))) << cut;
    for (std::size_t cut = 0; cut < settings.size(); ++cut)
        EXPECT_FALSE(decode_settings(settings.substr(0, cut))) << cut;
    EXPECT_FALSE(decode_request(request + 'x', frame));
    EXPECT_FALSE(decode_answer(answer + 'x'));
    EXPECT_FALSE(decode_settings(settings + 'x'));
}

TEST(Wire, RefusesACountThatCannotBe)
{
    EXPECT_FALSE(decode_end("\xff\xff\xff\xff")) << "no memory is taken for four thousand million numbers";
    EXPECT_FALSE(decode_settings("\xff\xff\xff\x7f"));
}

TEST(FrameHead, NeedsFiveBytesAndAKindThatExistsAndALengthThatIsAllowed)
{
    const std::string head{"\x10\0\0\0\x04", 5};
    for (std::size_t cut = 0; cut < head.size(); ++cut)
        EXPECT_TRUE(std::holds_alternative<NeedMore>(*parse_frame_head(head.substr(0, cut), 16))) << cut;
    const auto found = parse_frame_head(head, 16);
    ASSERT_TRUE(found);
    EXPECT_EQ(std::get<FrameHead>(*found).body_bytes, 16);
    EXPECT_EQ(std::get<FrameHead>(*found).kind, Kind::answer);
    EXPECT_EQ(parse_frame_head(head, 15).error().fault, Fault::too_large);
    EXPECT_EQ(parse_frame_head(std::string_view("\0\0\0\0\x05", 5), 15).error().fault, Fault::malformed);
    EXPECT_EQ(parse_frame_head(std::string_view("\0\0\0\0\0", 5), 15).error().fault, Fault::malformed);
}

} // namespace
} // namespace gw::waf
