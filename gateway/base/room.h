#pragma once

#include <array>
#include <cassert>
#include <cstddef>

namespace gw {

/// Memory for one thing of a few bytes at a time, where whoever has this lies, with an allocator for it: what waits as
/// long as its owner then does not lie among what others free.
template <std::size_t size_bytes> class Room {
public:
    Room() = default;
    Room(const Room&) = delete;
    Room& operator=(const Room&) = delete;

    template <class T> class Allocator {
    public:
        using value_type = T;
        template <class Other> struct rebind {
            using other = Allocator<Other>;
        };

        explicit Allocator(Room& room) noexcept : room_(&room) {}
        template <class Other> Allocator(const Allocator<Other>& other) noexcept : room_(other.room_) {}

        T* allocate(std::size_t count)
        {
            static_assert(sizeof(T) <= size_bytes && alignof(T) <= alignof(std::max_align_t));
            assert(count == 1);
            (void)count;
            return reinterpret_cast<T*>(room_->bytes_.data());
        }
        /// Touches nothing: the thing may have been the last owner of where it lay.
        void deallocate(T* /*thing*/, std::size_t /*count*/) noexcept {}
        friend bool operator==(const Allocator&, const Allocator&) = default;

    private:
        template <class> friend class Allocator;
        Room* room_;
    };
    Allocator<void*> allocator() noexcept { return Allocator<void*>{*this}; }

private:
    alignas(std::max_align_t) std::array<std::byte, size_bytes> bytes_;
};

} // namespace gw
