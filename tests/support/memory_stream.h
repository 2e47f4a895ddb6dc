#pragma once

#include "gateway/base/stream.h"

#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <string>

namespace gw::testing {

/// Two ends of a pipe in memory: what one writes the other reads. For unit tests: no sockets, no ports. One thread.
class MemoryStream final : public Stream {
public:
    /// `max_read_bytes`: a read gives at most that many, so 1 delivers byte by byte.
    /// `capacity_bytes`: a writer waits while the other end has that much unread.
    static std::pair<std::unique_ptr<MemoryStream>, std::unique_ptr<MemoryStream>>
    pair(asio::any_io_executor executor, Side first, Side second, std::size_t max_read_bytes = SIZE_MAX,
         std::size_t capacity_bytes = SIZE_MAX);

    ~MemoryStream() override;
    Task<Result<std::size_t>> read_some(asio::mutable_buffer into) override;
    Task<Result<std::size_t>> write_some(std::span<const asio::const_buffer> from) override;
    void end_writing() noexcept override;
    void close(bool reset = false) noexcept override;
    void cancel() noexcept override;
    void expire_at(std::chrono::steady_clock::time_point at) override;

private:
    struct Pipe;
    MemoryStream(asio::any_io_executor executor, Side side, std::shared_ptr<Pipe> in, std::shared_ptr<Pipe> out,
                 std::size_t max_read_bytes, std::size_t capacity_bytes);

    Side side_;
    std::shared_ptr<Pipe> in_;
    std::shared_ptr<Pipe> out_;
    std::size_t max_read_;
    std::uint64_t cancelled_ = 0;
    std::size_t capacity_;
    std::chrono::steady_clock::time_point expires_ = std::chrono::steady_clock::time_point::max();
};

} // namespace gw::testing
