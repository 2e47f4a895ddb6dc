#pragma once

#include "gateway/base/result.h"
#include "gateway/http/message.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace gw::http {

/// Takes a body apart as its bytes arrive. Copies nothing: `next` says how much of the input is framing and how much is
/// content, and the caller moves the content on. One object a message; `restart` for the next.
class BodyReader {
public:
    /// `trailer_limit_bytes` bounds the trailer fields' lines; a chunk's size line is bounded to 256 bytes, chunk
    /// extensions included, and their sum over a body to 16 KiB. A size has at most 16 digits, a body at most 2^63-1
    /// bytes.
    explicit BodyReader(Side side, std::size_t trailer_limit_bytes = 8 * 1024)
        : side_(side), trailer_limit_(trailer_limit_bytes)
    {}

    void restart(Framing framing);

    struct Piece {
        std::size_t skip_bytes = 0;    ///< framing before the content: consume it
        std::size_t content_bytes = 0; ///< content right after it; 0: more input is needed, or the end
        std::size_t after_bytes = 0;   ///< framing after the content: consume it with the content
        bool ended = false;            ///< the body is complete after this piece
    };
    /// Looks at the start of `received`: what was read and not yet consumed. What the piece names must be consumed
    /// before the next call; to take less content, show less of the input. A line of framing is consumed when it is
    /// complete, so the caller's buffer must hold the longest: 256 bytes, or the trailer limit. Errors: `malformed` or
    /// `too_large` with the side it was made with; the verdict is the same for every cut. RFC 9112 section 7.1.
    /// Stricter where leniency is ambiguity: CRLF only, no blank right behind the size.
    Result<Piece> next(std::string_view received);

    /// The stream ended. An error unless the body may end there (`until_close`). Errors: `closed`.
    Result<> at_end_of_stream() const;

    /// How much of what comes next is content for certain, with no framing to be looked at; 0: that is not known.
    std::uint64_t content_ahead() const { return state_ == State::length ? left_ : 0; }
    /// `bytes` of `content_ahead` were moved on without being looked at here.
    void pass_content(std::uint64_t bytes);

    Side side() const { return side_; } ///< whose body it is
    bool ended() const { return state_ == State::done; }
    std::uint64_t content_bytes() const { return content_; } ///< so far
    /// The trailer section's fields as they are forwarded: "name: value\r\n" each, framing and hop-by-hop names left
    /// out.
    const std::string& trailers() const { return trailers_; }

private:
    enum class State { length, until_close, chunk_size, chunk_data, chunk_end, trailer, done };
    Result<Piece> next_of_length(std::string_view received);
    Result<Piece> next_of_chunks(std::string_view received);
    Result<std::size_t> read_framing(std::string_view received);
    Result<std::size_t> read_size_line(std::string_view received);
    Result<std::size_t> read_chunk_end(std::string_view received);
    Result<std::size_t> read_trailer_line(std::string_view received);
    Error wrong(Fault fault, const char* what) const { return {fault, side_, what}; }

    Side side_;
    std::size_t trailer_limit_;
    State state_ = State::done;
    std::uint64_t left_ = 0; // of the length, or of the chunk
    std::uint64_t content_ = 0;
    std::size_t extension_ = 0; // bytes of chunk extensions so far
    std::string trailers_;
    std::size_t trailer_read_ = 0;
};

/// "1f4\r\n" into `into`; returns the view. A chunk's data is followed by "\r\n".
std::string_view encode_chunk_size(std::uint64_t size_bytes, std::span<char, 18> into);

} // namespace gw::http
