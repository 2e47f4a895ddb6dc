#include "gateway/base/buffer.h"

#include <algorithm>

namespace gw {

boost::asio::mutable_buffer Buffer::prepare(std::size_t want_bytes)
{
    const auto room = limit_ - std::min(limit_, size());
    const auto want = std::min(std::max<std::size_t>(want_bytes, 1), room);
    if (want == 0) return {};
    if (capacity_ - end_ >= want) return {data_.get() + end_, std::min(capacity_ - end_, room)};
    if (capacity_ >= size() + want) {
        std::memmove(data_.get(), data_.get() + begin_, size());
    } else {
        const auto capacity = std::min(limit_, std::max(size() + want, capacity_ * 2));
        std::unique_ptr<char[]> larger{new char[capacity]}; // not zeroed: it is written before it is read
        if (size() > 0) std::memcpy(larger.get(), data_.get() + begin_, size());
        data_ = std::move(larger);
        capacity_ = capacity;
    }
    end_ -= begin_;
    begin_ = 0;
    return {data_.get() + end_, std::min(capacity_ - end_, room)};
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
