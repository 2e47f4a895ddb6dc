#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gw::bench {

enum class Kind {
    http,   ///< a request and its answer, whose body is the pattern
    echo,   ///< a message comes back as it is
    stream, ///< ask for a number of bytes of the pattern, and get them
};

/// What is asked, again and again, and what has to come back.
struct Wish {
    Kind kind = Kind::http;
    std::uint64_t size_bytes = 64; ///< of the answer's body, of the message, of the stream
    std::uint64_t upload_bytes = 0;
    std::string host = "site.example";
    std::string target{};        ///< empty: the origin's path for so many bytes
    std::string fields{};        ///< more header lines, each with its end
    std::string expect_source{}; ///< what the origin has to have seen as the client; empty: not checked
    int status = 200;
    bool close = false; ///< a connection of its own for each request
};

/// One question and the check of its answer, byte by byte. Pure.
class Exchange {
public:
    enum class State { more, complete, wrong };

    Exchange() = default;
    Exchange(const Wish& wish, std::uint64_t number);

    /// What is sent first; then `upload_bytes` of the pattern.
    [[nodiscard]] std::string_view request() const { return request_; }

    /// The next received bytes. After `complete` or `wrong` there must be no more.
    State take(std::string_view bytes);

    /// The other side has ended.
    State end();

    [[nodiscard]] const std::string& why() const { return why_; }
    [[nodiscard]] std::uint64_t received_bytes() const { return offset_; }

private:
    State wrong(std::string why);
    State take_head(std::string_view bytes);
    State take_body(std::string_view bytes);

    const Wish* wish_ = nullptr;
    std::string request_{};
    std::string head_{};
    std::string why_{};
    std::uint64_t offset_ = 0;
    std::uint64_t body_bytes_ = 0;
    bool in_body_ = false;
};

/// The value of a header field in a head, empty if it is not there. Names in any case.
std::string field_of(std::string_view head, std::string_view name);

} // namespace gw::bench
