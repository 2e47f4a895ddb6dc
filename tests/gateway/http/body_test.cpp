#include "gateway/http/body.h"

#include <gtest/gtest.h>

#include <random>
#include <regex>

namespace gw::http {
namespace {

/// What a reader makes of some bytes.
struct Outcome {
    enum class Kind { ended, more, malformed, too_large };
    Kind kind = Kind::more;
    std::string content;
    std::string trailers;
    std::size_t consumed = 0; ///< by the body, when it ended

    friend bool operator==(const Outcome& a, const Outcome& b)
    {
        // Content before an error depends on the cut; nobody uses it.
        if (a.kind != b.kind) return false;
        if (a.kind == Kind::malformed || a.kind == Kind::too_large) return true;
        return a.content == b.content && a.trailers == b.trailers && (a.kind == Kind::more || a.consumed == b.consumed);
    }
    friend void PrintTo(const Outcome& outcome, std::ostream* out)
    {
        *out << static_cast<int>(outcome.kind) << ' ' << ::testing::PrintToString(outcome.content) << " after "
             << outcome.consumed;
    }
};

/// Shows the reader the bytes as a connection would: a buffer that grows by what arrives and shrinks by what it takes.
Outcome read_pieces(const std::vector<std::string_view>& pieces, Framing framing, std::size_t trailer_limit = 8 * 1024)
{
    BodyReader reader{Side::client, trailer_limit};
    reader.restart(framing);
    Outcome outcome;
    std::string buffer;
    for (const auto piece : pieces) {
        buffer += piece;
        while (!reader.ended()) {
            const auto step = reader.next(buffer);
            if (!step) {
                outcome.kind =
                    step.error().fault == Fault::too_large ? Outcome::Kind::too_large : Outcome::Kind::malformed;
                EXPECT_EQ(step.error().side, Side::client);
                return outcome;
            }
            const auto all = step->skip_bytes + step->content_bytes + step->after_bytes;
            EXPECT_LE(all, buffer.size());
            EXPECT_EQ(step->ended, reader.ended());
            outcome.content.append(buffer, step->skip_bytes, step->content_bytes);
            outcome.consumed += all;
            buffer.erase(0, all);
            if (all == 0) break;
        }
    }
    EXPECT_EQ(reader.content_bytes(), outcome.content.size());
    outcome.trailers = reader.trailers();
    if (reader.ended()) outcome.kind = Outcome::Kind::ended;
    return outcome;
}

constexpr Framing chunked{Framing::Kind::chunked, 0};

Outcome read_whole(std::string_view bytes, Framing framing = chunked, std::size_t trailer_limit = 8 * 1024)
{
    return read_pieces({bytes}, framing, trailer_limit);
}

std::vector<std::string_view> in_steps(std::string_view bytes, std::size_t step)
{
    std::vector<std::string_view> pieces;
    for (std::size_t at = 0; at < bytes.size(); at += step) pieces.push_back(bytes.substr(at, step));
    return pieces;
}

/// The same outcome for the whole, for each cut in two, and in small steps.
Outcome read_every_way(std::string_view bytes, std::size_t trailer_limit = 8 * 1024)
{
    const auto whole = read_whole(bytes, chunked, trailer_limit);
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut)
        EXPECT_EQ(read_pieces({bytes.substr(0, cut), bytes.substr(cut)}, chunked, trailer_limit), whole)
            << "cut at " << cut << " of " << ::testing::PrintToString(bytes);
    for (const std::size_t step : {1, 2, 3})
        EXPECT_EQ(read_pieces(in_steps(bytes, step), chunked, trailer_limit), whole)
            << "steps of " << step << " of " << ::testing::PrintToString(bytes);
    return whole;
}

TEST(BodyReader, EndsAtOnceWithoutABody)
{
    BodyReader reader{Side::client};
    reader.restart({});
    EXPECT_TRUE(reader.ended());
    EXPECT_TRUE(reader.next("GET / HTTP/1.1")->ended);
    EXPECT_EQ(reader.next("GET / HTTP/1.1")->content_bytes, 0u);
    EXPECT_TRUE(reader.at_end_of_stream());
    reader.restart({Framing::Kind::length, 0});
    EXPECT_TRUE(reader.ended());
}

TEST(BodyReader, TakesExactlyTheLength)
{
    const Framing five{Framing::Kind::length, 5};
    for (std::size_t step = 1; step < 8; ++step) {
        const auto outcome = read_pieces(in_steps("helloGET", step), five);
        EXPECT_EQ(outcome.kind, Outcome::Kind::ended);
        EXPECT_EQ(outcome.content, "hello");
        EXPECT_EQ(outcome.consumed, 5u);
    }
    BodyReader reader{Side::upstream};
    reader.restart(five);
    EXPECT_EQ(reader.next("hell")->content_bytes, 4u);
    ASSERT_FALSE(reader.at_end_of_stream());
    EXPECT_EQ(reader.at_end_of_stream().error().fault, Fault::closed);
    EXPECT_EQ(reader.at_end_of_stream().error().side, Side::upstream);
}

TEST(BodyReader, GoesOnUntilTheStreamEnds)
{
    BodyReader reader{Side::upstream};
    reader.restart({Framing::Kind::until_close, 0});
    EXPECT_EQ(reader.next("anything")->content_bytes, 8u);
    EXPECT_FALSE(reader.ended());
    EXPECT_TRUE(reader.at_end_of_stream());
    EXPECT_EQ(reader.content_bytes(), 8u);
}

TEST(BodyReader, TakesAWholeSmallBodyInOneStep)
{
    BodyReader reader{Side::client};
    reader.restart(chunked);
    const auto piece = reader.next("5\r\nhello\r\n0\r\n\r\nGET");
    ASSERT_TRUE(piece);
    EXPECT_EQ(piece->skip_bytes, 3u);
    EXPECT_EQ(piece->content_bytes, 5u);
    EXPECT_EQ(piece->after_bytes, 7u);
    EXPECT_TRUE(piece->ended);
}

TEST(BodyReader, IsReadyForTheNextMessage)
{
    BodyReader reader{Side::client};
    reader.restart(chunked);
    ASSERT_TRUE(reader.next("5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n")->ended);
    EXPECT_EQ(reader.trailers(), "X: y\r\n");
    reader.restart(chunked);
    EXPECT_EQ(reader.trailers(), "");
    EXPECT_EQ(reader.content_bytes(), 0u);
    EXPECT_FALSE(reader.ended());
    ASSERT_FALSE(reader.at_end_of_stream());
}

using Kind = Outcome::Kind;

TEST(A2Chunks, AreTakenOrRefusedTheSameForEverySplit)
{
    struct Row {
        std::string bytes;
        Kind kind;
        std::string content = {};
    };
    const std::vector<Row> rows{
        {"0\r\n\r\n", Kind::ended},
        {"5\r\nhello\r\n0\r\n\r\n", Kind::ended, "hello"},
        {"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nGET", Kind::ended, "hello world"},
        {"a\r\n0123456789\r\nA\r\n0123456789\r\n00\r\n\r\n", Kind::ended, "01234567890123456789"},
        {"0005\r\nhello\r\n000\r\n\r\n", Kind::ended, "hello"},
        {"0000000000000005\r\nhello\r\n0\r\n\r\n", Kind::ended, "hello"},
        {"00000000000000005\r\nhello\r\n0\r\n\r\n", Kind::malformed},
        {"5;a\r\nhello\r\n0;b=c;d=\"e;\\\"f\"\r\n\r\n", Kind::ended, "hello"},
        {"5; a = b ;c\r\nhello\r\n0\r\n\r\n", Kind::ended, "hello"},
        {"5;\r\nhello\r\n0\r\n\r\n", Kind::malformed},
        {"5;a=\r\nhello\r\n0\r\n\r\n", Kind::malformed},
        {"5;a=\"b\r\nhello\r\n0\r\n\r\n", Kind::malformed},
        {"5;a \r\nhello\r\n0\r\n\r\n", Kind::malformed},
        {"5;a b\r\nhello\r\n0\r\n\r\n", Kind::malformed},
        {"5;=b\r\nhello\r\n0\r\n\r\n", Kind::malformed},
        {"5;a=b=c\r\nhello\r\n0\r\n\r\n", Kind::malformed},
        {"5 ;a\r\nhello\r\n0\r\n\r\n", Kind::malformed},
        {"5 \r\nhello\r\n0\r\n\r\n", Kind::malformed},
        {" 5\r\nhello\r\n0\r\n\r\n", Kind::malformed},
        {"\r\n5\r\nhello\r\n0\r\n\r\n", Kind::malformed},
        {"+5\r\nhello\r\n0\r\n\r\n", Kind::malformed},
        {"-5\r\nhello\r\n0\r\n\r\n", Kind::malformed},
        {"0x5\r\nhello\r\n0\r\n\r\n", Kind::malformed},
        {"5_0\r\nhello\r\n0\r\n\r\n", Kind::malformed},
        {"5.\r\nhello\r\n0\r\n\r\n", Kind::malformed},
        {"g\r\nhello\r\n0\r\n\r\n", Kind::malformed},
        {";a\r\nhello\r\n0\r\n\r\n", Kind::malformed},
        {"5\nhello\r\n0\r\n\r\n", Kind::malformed},
        {"5\rhello\r\n0\r\n\r\n", Kind::malformed},
        {"5\r\nhello\n0\r\n\r\n", Kind::malformed},
        {"5\r\nhello0\r\n\r\n", Kind::malformed},
        {"5\r\nhello\r0\r\n\r\n", Kind::malformed},
        {"5\r\nhello!\r\n0\r\n\r\n", Kind::malformed},
        {"6\r\nhello\r\n0\r\n\r\n", Kind::malformed},
        {"5;a\nb\r\nhello\r\n0\r\n\r\n", Kind::malformed},
        {"5;a\rb\r\nhello\r\n0\r\n\r\n", Kind::malformed},
        {std::string{"5;a=\"\0\"\r\nhello\r\n0\r\n\r\n", 21}, Kind::malformed},
        {"0\r\n\n", Kind::malformed},
        {"0\n\r\n", Kind::malformed},
        {"0\r\n\rX", Kind::malformed},
        {"7fffffffffffffff\r\nhello", Kind::more, "hello"},
        {"8000000000000000\r\nhello", Kind::malformed},
        {"ffffffffffffffff\r\nhello", Kind::malformed},
        {"10000000000000005\r\nhello\r\n0\r\n\r\n", Kind::malformed},
        {"5\r\nhello\r\n7ffffffffffffffa\r\nx", Kind::more, "hellox"},
        {"5\r\nhello\r\n7ffffffffffffffb\r\nx", Kind::malformed},
        {"", Kind::more},
        {"5\r\nhello\r\n0\r\n", Kind::more, "hello"},
        {"5\r\nhello\r\n0\r\n\r", Kind::more, "hello"},
        {"5\r\nhello\r\n0\r\nX: y\r\n", Kind::more, "hello"},
    };
    for (const auto& row : rows) {
        const auto outcome = read_every_way(row.bytes);
        EXPECT_EQ(outcome.kind, row.kind) << ::testing::PrintToString(row.bytes);
        if (outcome.kind == Kind::ended || outcome.kind == Kind::more) {
            EXPECT_EQ(outcome.content, row.content) << ::testing::PrintToString(row.bytes);
        }
    }
}

/// The grammar of RFC 9112 section 7.1 once more, over the whole body at once and by other means.
Outcome reference(std::string_view bytes)
{
    const std::string token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
    static const std::regex size_line{"^([0-9A-Fa-f]{1,16})(|;[ \\t]*" + token + "([ \\t]*=[ \\t]*(" + token +
                                      "|\"([^\"\\\\]|\\\\.)*\"))?([ \\t]*;[ \\t]*" + token + "([ \\t]*=[ \\t]*(" +
                                      token + "|\"([^\"\\\\]|\\\\.)*\"))?)*)$"};
    static const std::regex field_line{"^" + token + ":.*$"};
    const auto controls = [](std::string_view line) {
        return std::any_of(line.begin(), line.end(),
                           [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7f; });
    };
    Outcome outcome;
    std::size_t at = 0;
    const auto next_line = [&](std::string& line) {
        const auto end = bytes.find("\r\n", at);
        const auto part = bytes.substr(at, end == std::string_view::npos ? end : end - at);
        line = std::string{part};
        at = end == std::string_view::npos ? bytes.size() : end + 2;
        return end != std::string_view::npos;
    };
    std::string line;
    for (;;) {
        std::smatch match;
        if (!next_line(line)) return outcome; // not complete: the generator below makes whole bodies only
        if (controls(line) || !std::regex_match(line, match, size_line)) return {Kind::malformed, {}, {}, 0};
        const auto size = std::stoull(match[1], nullptr, 16);
        if (size >= (1ULL << 63)) return {Kind::malformed, {}, {}, 0};
        if (size == 0) break;
        if (size > bytes.size() - at) return outcome;
        outcome.content += bytes.substr(at, size);
        at += size;
        if (bytes.size() - at < 2)
            return bytes.substr(at) == "\r" || at == bytes.size() ? outcome : Outcome{Kind::malformed, {}, {}, 0};
        if (bytes.substr(at, 2) != "\r\n") return {Kind::malformed, {}, {}, 0};
        at += 2;
    }
    while (next_line(line)) {
        if (line.empty()) {
            outcome.kind = Kind::ended;
            outcome.consumed = at;
            return outcome;
        }
        if (controls(line) || !std::regex_match(line, field_line)) return {Kind::malformed, {}, {}, 0};
    }
    return outcome;
}

std::string random_body(std::mt19937& random)
{
    const auto below = [&random](std::size_t limit) { return random() % limit; };
    static const std::vector<std::string> extensions{"",     "",           "",        ";a",
                                                     ";a=b", ";a=\"b;c\"", "; a = b", ";a ;b=\"\\\"\""};
    static const std::vector<std::string> trailers{"", "", "", "X: y\r\n", "Content-Length: 3\r\nY:\r\n"};
    std::string body;
    for (auto chunks = below(4); chunks > 0; --chunks) {
        const auto size = 1 + below(20);
        char hex[20];
        std::snprintf(hex, sizeof hex, below(2) ? "%zx" : "%03zX", size);
        body += hex + extensions[below(extensions.size())] + "\r\n";
        for (std::size_t i = 0; i < size; ++i) body += "\r\n0aG;:"[below(7)];
        body += "\r\n";
    }
    return body + std::string(1 + below(2), '0') + extensions[below(extensions.size())] + "\r\n" +
           trailers[below(trailers.size())] + "\r\n";
}

void mutate(std::string& body, std::mt19937& random)
{
    constexpr std::string_view bytes{"\r\n\t \0;=:\"\\0aFg+-x\x7f\x80", 20};
    const auto at = random() % body.size();
    const char byte = bytes[random() % bytes.size()];
    switch (random() % 4) {
    case 0: body[at] = byte; break;
    case 1: body.insert(at, 1, byte); break;
    case 2: body.erase(at, 1); break;
    default: body.insert(at, body.substr(at, 1 + random() % 5)); break;
    }
}

TEST(A2Chunks, AgreeWithAReferenceUnderOneMutationAndEverySplit)
{
    std::mt19937 random{20261121};
    int taken = 0, refused = 0;
    for (int round = 0; round < 3'000 && !::testing::Test::HasFailure(); ++round) {
        auto body = random_body(random);
        if (round % 4 != 0) mutate(body, random);
        // Marked, so that a body that swallows too much or too little is seen.
        const auto marked = body + "GET /marker";
        const auto outcome = read_every_way(marked);
        const auto expected = reference(marked);
        const bool good = outcome.kind == Kind::ended;
        (good ? taken : refused) += 1;
        EXPECT_EQ(good, expected.kind == Kind::ended) << ::testing::PrintToString(body);
        if (good) {
            EXPECT_EQ(outcome.content, expected.content) << ::testing::PrintToString(body);
            EXPECT_EQ(outcome.consumed, expected.consumed) << ::testing::PrintToString(body);
        }
        if (outcome.kind == Kind::more) {
            EXPECT_EQ(expected.kind, Kind::more) << ::testing::PrintToString(body);
        }
    }
    EXPECT_GT(taken, 500);
    EXPECT_GT(refused, 500);
}

TEST(A2Chunks, HaveASizeLineOfBoundedLength)
{
    const auto of = [](std::size_t line) { return "5;" + std::string(line - 4, 'a') + "\r\nhello\r\n0\r\n\r\n"; };
    EXPECT_EQ(read_every_way(of(256)).kind, Kind::ended);
    EXPECT_EQ(read_every_way(of(257)).kind, Kind::too_large);
    EXPECT_EQ(read_whole("5;" + std::string(254, 'a')).kind, Kind::too_large) << "sure before the line is complete";
}

TEST(A2Chunks, HaveExtensionsOfBoundedSum)
{
    const std::string extension = ";" + std::string(127, 'a');
    const auto of = [&extension](std::size_t chunks) {
        std::string body;
        for (std::size_t i = 0; i < chunks; ++i) body += "1" + extension + "\r\nx\r\n";
        return body + "0\r\n\r\n";
    };
    EXPECT_EQ(read_whole(of(128)).kind, Kind::ended);
    EXPECT_EQ(read_whole(of(129)).kind, Kind::too_large);
    EXPECT_EQ(read_pieces(in_steps(of(128), 1), chunked).kind, Kind::ended);
    EXPECT_EQ(read_pieces(in_steps(of(129), 1), chunked).kind, Kind::too_large);
    EXPECT_EQ(read_whole("5;" + std::string(64 * 1024, 'a')).kind, Kind::too_large);
}

TEST(A2Trailers, AreCollectedAndForwardedOnlyWhenHarmless)
{
    const auto outcome = read_every_way("0\r\nGrpc-Status:0\r\ncontent-length: 5\r\nTransfer-Encoding: chunked\r\n"
                                        "Host: b\r\nAuthorization: x\r\nSet-Cookie: a\r\nContent-Encoding: gzip\r\n"
                                        "Content-Type: a/b\r\nContent-Range: x\r\nTrailer: x\r\nConnection: close\r\n"
                                        "X-Forwarded-For: 1.2.3.4\r\nIf-Match: x\r\nCookie: a=b\r\nTE: trailers\r\n"
                                        "Checksum: \t abc \r\n\r\n");
    EXPECT_EQ(outcome.kind, Kind::ended);
    EXPECT_EQ(outcome.trailers, "Grpc-Status: 0\r\nChecksum: abc\r\n");
}

TEST(A2Trailers, AreFieldLinesAndNothingElse)
{
    for (const std::string bad : {"X\r\n", ": a\r\n", "X : a\r\n", " X: a\r\n", "X: a\r\n b\r\n", "X: a\n",
                                  "X: a\rb\r\n", "X: \x01\r\n", "\xc3: a\r\n", "GET / HTTP/1.1\r\n"})
        EXPECT_EQ(read_every_way("0\r\n" + bad + "\r\n").kind, Kind::malformed) << bad;
}

TEST(A2Trailers, AreBounded)
{
    const auto of = [](std::size_t size) { return "0\r\nX: " + std::string(size - 5, 'a') + "\r\n\r\n"; };
    EXPECT_EQ(read_every_way(of(100), 100).kind, Kind::ended);
    EXPECT_EQ(read_every_way(of(101), 100).kind, Kind::too_large);
    EXPECT_EQ(read_every_way("0\r\nX: " + std::string(100, 'a'), 100).kind, Kind::too_large);
    EXPECT_EQ(read_every_way("0\r\n\r\n", 0).kind, Kind::ended);
    EXPECT_EQ(read_every_way("0\r\nX:\r\n\r\n", 0).kind, Kind::too_large);
    std::string many = "0\r\n";
    for (int i = 0; i < 20; ++i) many += "A: b\r\n";
    EXPECT_EQ(read_every_way(many + "\r\n", 120).kind, Kind::ended);
    EXPECT_EQ(read_every_way(many + "\r\n", 119).kind, Kind::too_large);
}

TEST(ContentAhead, IsKnownOfALengthOnlyAndMayPassUnseen)
{
    BodyReader reader{Side::client};
    reader.restart({Framing::Kind::length, 1000});
    EXPECT_EQ(reader.content_ahead(), 1000u);
    EXPECT_EQ(reader.next(std::string(300, 'a'))->content_bytes, 300u);
    EXPECT_EQ(reader.content_ahead(), 700u);
    reader.pass_content(600);
    EXPECT_EQ(reader.content_bytes(), 900u);
    EXPECT_EQ(reader.at_end_of_stream().error().fault, Fault::closed);
    EXPECT_EQ(reader.next(std::string(300, 'a'))->content_bytes, 100u);
    EXPECT_TRUE(reader.ended());

    reader.restart({Framing::Kind::length, 10});
    reader.pass_content(10);
    EXPECT_TRUE(reader.ended());
    EXPECT_EQ(reader.content_ahead(), 0u);

    reader.restart({Framing::Kind::chunked, 0});
    EXPECT_TRUE(reader.next("400\r\nabc"));
    EXPECT_EQ(reader.content_ahead(), 0u);
    reader.restart({Framing::Kind::until_close, 0});
    EXPECT_EQ(reader.content_ahead(), 0u);
}

TEST(ChunkSize, IsWrittenInHex)
{
    char room[18];
    EXPECT_EQ(encode_chunk_size(0, room), "0\r\n");
    EXPECT_EQ(encode_chunk_size(500, room), "1f4\r\n");
    EXPECT_EQ(encode_chunk_size(UINT64_MAX, room), "ffffffffffffffff\r\n");
}

} // namespace
} // namespace gw::http
