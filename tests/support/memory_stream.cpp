#include "tests/support/memory_stream.h"

#include <algorithm>

namespace gw::testing {

// A timer serves as the condition: whoever changes the pipe cancels the waits, and they look again.
struct MemoryStream::Pipe {
    explicit Pipe(const asio::any_io_executor& executor) : readable(executor), writable(executor) {}
    std::string bytes;
    bool ended = false;
    bool reset = false;
    asio::steady_timer readable;
    asio::steady_timer writable;
};

std::pair<std::unique_ptr<MemoryStream>, std::unique_ptr<MemoryStream>>
MemoryStream::pair(asio::any_io_executor executor, Side first, Side second, std::size_t max_read_bytes,
                   std::size_t capacity_bytes)
{
    auto there = std::make_shared<Pipe>(executor);
    auto back = std::make_shared<Pipe>(executor);
    std::unique_ptr<MemoryStream> one{new MemoryStream(executor, first, back, there, max_read_bytes, capacity_bytes)};
    std::unique_ptr<MemoryStream> two{new MemoryStream(executor, second, there, back, max_read_bytes, capacity_bytes)};
    return {std::move(one), std::move(two)};
}

MemoryStream::MemoryStream(asio::any_io_executor, Side side, std::shared_ptr<Pipe> in, std::shared_ptr<Pipe> out,
                           std::size_t max_read_bytes, std::size_t capacity_bytes)
    : side_(side), in_(std::move(in)), out_(std::move(out)), max_read_(max_read_bytes), capacity_(capacity_bytes)
{}

MemoryStream::~MemoryStream() { close(); }

Task<Result<std::size_t>> MemoryStream::read_some(asio::mutable_buffer into)
{
    const auto in = in_;
    const auto cancelled = cancelled_;
    while (in->bytes.empty()) {
        if (in->reset) co_return Error{Fault::closed, side_, "read"};
        if (in->ended) co_return std::size_t{0};
        if (std::chrono::steady_clock::now() >= expires_) co_return Error{Fault::timed_out, side_, "read"};
        in->readable.expires_at(expires_);
        auto outcome = co_await in->readable.async_wait(as_outcome);
        (void)outcome;
        if (cancelled != cancelled_) co_return Error{Fault::closed, side_, "read"};
    }
    const auto count = std::min({into.size(), in->bytes.size(), max_read_});
    std::copy_n(in->bytes.begin(), count, static_cast<char*>(into.data()));
    in->bytes.erase(0, count);
    in->writable.cancel();
    co_return count;
}

Task<Result<std::size_t>> MemoryStream::write_some(std::span<const asio::const_buffer> from)
{
    const auto out = out_;
    const auto cancelled = cancelled_;
    while (out->bytes.size() >= capacity_ && !out->ended && !out->reset) {
        if (std::chrono::steady_clock::now() >= expires_) co_return Error{Fault::timed_out, side_, "write"};
        out->writable.expires_at(expires_);
        auto outcome = co_await out->writable.async_wait(as_outcome);
        (void)outcome;
        if (cancelled != cancelled_) co_return Error{Fault::closed, side_, "write"};
    }
    if (out->ended || out->reset) co_return Error{Fault::closed, side_, "write"};
    std::size_t count = 0;
    for (const auto& part : from) {
        const auto take = std::min(part.size(), capacity_ - out->bytes.size());
        out->bytes.append(static_cast<const char*>(part.data()), take);
        count += take;
        if (take < part.size()) break;
    }
    out->readable.cancel();
    co_return count;
}

void MemoryStream::end_writing() noexcept
{
    out_->ended = true;
    out_->readable.cancel();
}

void MemoryStream::close(bool reset) noexcept
{
    out_->ended = true;
    out_->reset = out_->reset || reset;
    in_->ended = true;
    for (auto* pipe : {in_.get(), out_.get()}) {
        pipe->readable.cancel();
        pipe->writable.cancel();
    }
}

void MemoryStream::cancel() noexcept
{
    ++cancelled_;
    in_->readable.cancel();
    out_->writable.cancel();
}

void MemoryStream::expire_at(std::chrono::steady_clock::time_point at)
{
    expires_ = at;
    in_->readable.cancel();
    out_->writable.cancel();
}

} // namespace gw::testing
