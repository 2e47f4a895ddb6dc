#pragma once

#include <boost/asio/buffer.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

namespace gw {

/// Received bytes: written at the end, consumed at the front, never past `limit_bytes`, below 4 GiB. Views into it stay
/// valid until `prepare` is called.
class Buffer {
public:
    explicit Buffer(std::size_t limit_bytes = 64 * 1024) : limit_(static_cast<Count>(limit_bytes)) {}
    ~Buffer() { give_up_block(); }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;

    std::string_view view() const { return {data_.get() + begin_, end_ - begin_}; }
    std::size_t size() const { return end_ - begin_; }
    bool empty() const { return begin_ == end_; }
    bool full() const { return size() >= limit_; }
    std::size_t limit() const { return limit_; }

    /// Room for at least one byte and up to `want_bytes`, unless full (then a buffer of size 0). Moves or grows.
    boost::asio::mutable_buffer prepare(std::size_t want_bytes = 16 * 1024);
    /// `count` bytes were written into what `prepare` gave.
    void commit(std::size_t count) { end_ += static_cast<Count>(count); }
    /// The first `count` bytes are done with.
    void consume(std::size_t count)
    {
        begin_ += static_cast<Count>(count);
        if (begin_ == end_) begin_ = end_ = 0;
    }
    void append(std::string_view bytes);
    /// Gives the memory back when nothing is in it; an idle connection then costs no buffer.
    void release_if_empty()
    {
        if (empty()) give_up_block();
    }

private:
    using Count = std::uint32_t; // each connection has two of these

    void grow(std::size_t capacity);
    void give_up_block();

    std::unique_ptr<char[]> data_;
    Count capacity_ = 0;
    Count begin_ = 0;
    Count end_ = 0;
    Count limit_;
};

} // namespace gw
