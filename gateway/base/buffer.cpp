#include "gateway/base/buffer.h"

#include <algorithm>
#include <vector>

namespace gw {

namespace {

// Connections that wait hold no buffer, and those that work take one for each message: so the usual size changes hands
// without the allocator. Bounded a thread.
constexpr std::size_t block_bytes = 16 * 1024;
constexpr std::size_t most_spare_blocks = 64;
thread_local std::vector<std::unique_ptr<char[]>> spare_blocks;

} // namespace

void Buffer::grow(std::size_t capacity)
{
    std::unique_ptr<char[]> larger;
    if (capacity == block_bytes && !spare_blocks.empty()) {
        larger = std::move(spare_blocks.back());
        spare_blocks.pop_back();
    } else {
        larger.reset(new char[capacity]); // not zeroed: it is written before it is read
    }
    if (size() > 0) std::memcpy(larger.get(), data_.get() + begin_, size());
    give_up_block();
    data_ = std::move(larger);
    capacity_ = static_cast<Count>(capacity);
}

void Buffer::give_up_block()
{
    if (capacity_ == block_bytes && spare_blocks.size() < most_spare_blocks) spare_blocks.push_back(std::move(data_));
    data_.reset();
    capacity_ = 0;
}

boost::asio::mutable_buffer Buffer::prepare(std::size_t want_bytes)
{
    const auto room = limit() - std::min(limit(), size());
    const auto want = std::min(std::max<std::size_t>(want_bytes, 1), room);
    if (want == 0) return {};
    if (capacity_ - end_ >= want) return {data_.get() + end_, std::min<std::size_t>(capacity_ - end_, room)};
    if (capacity_ >= size() + want) {
        std::memmove(data_.get(), data_.get() + begin_, size());
    } else {
        grow(std::min(limit(), std::max(size() + want, std::size_t{2} * capacity_)));
    }
    end_ -= begin_;
    begin_ = 0;
    return {data_.get() + end_, std::min<std::size_t>(capacity_ - end_, room)};
}

void Buffer::append(std::string_view bytes)
{
    while (!bytes.empty()) {
        const auto into = prepare(bytes.size());
        const auto count = std::min(into.size(), bytes.size());
        if (count == 0) return;
        std::memcpy(into.data(), bytes.data(), count);
        commit(count);
        bytes.remove_prefix(count);
    }
}

} // namespace gw
