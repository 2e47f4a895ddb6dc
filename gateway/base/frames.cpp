#include "gateway/base/frames.h"

#include <array>
#include <cstdint>
#include <new>

namespace gw {

namespace {

constexpr std::size_t step_bytes = 64;
constexpr std::size_t sizes = 64; // up to 4 KiB
constexpr std::uint8_t most_spare = 64;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool keeps = false; // so that a frame used after its end is found
#else
constexpr bool keeps = true;
#endif

struct Spare {
    Spare* next;
};

class SpareFrames {
public:
    ~SpareFrames()
    {
        for (std::size_t size = 0; size < sizes; ++size)
            while (void* frame = take(size)) ::operator delete(frame);
        ended_ = true;
    }
    void* take(std::size_t size) noexcept
    {
        auto* spare = first_[size];
        if (spare == nullptr) return nullptr;
        first_[size] = spare->next;
        --count_[size];
        return spare;
    }
    bool keep(void* frame, std::size_t size) noexcept
    {
        if (ended_ || count_[size] >= most_spare) return false;
        first_[size] = new (frame) Spare{first_[size]};
        ++count_[size];
        return true;
    }

private:
    std::array<Spare*, sizes> first_{};
    std::array<std::uint8_t, sizes> count_{};
    bool ended_ = false; // a frame may outlive what the thread keeps
};

thread_local SpareFrames spare_frames;

} // namespace

void* take_frame(std::size_t size_bytes)
{
    const auto size = size_bytes / step_bytes;
    if (!keeps || size >= sizes) return ::operator new(size_bytes);
    if (auto* frame = spare_frames.take(size)) return frame;
    return ::operator new((size + 1) * step_bytes);
}

void give_back_frame(void* frame, std::size_t size_bytes) noexcept
{
    const auto size = size_bytes / step_bytes;
    if (!keeps || size >= sizes || !spare_frames.keep(frame, size)) ::operator delete(frame);
}

} // namespace gw
