#pragma once

#include <cstddef>

namespace gw {

/// Memory for things of one size that live long among others that do not. They lie together in blocks of their own, so
/// that what is freed around them can go back to the system, and so do their blocks once they are empty, but for one.
/// Belongs to one thread at a time.
class Slab {
public:
    /// `size_bytes`: of a thing, at most 8 KiB; it is aligned as by `operator new`.
    explicit Slab(std::size_t size_bytes);
    /// Nothing of it is in use any more.
    ~Slab();
    Slab(const Slab&) = delete;
    Slab& operator=(const Slab&) = delete;

    /// Throws std::bad_alloc.
    void* take();
    void give_back(void* thing) noexcept;
    /// Memory that it has from the system.
    std::size_t held_bytes() const noexcept;

private:
    struct Block;
    struct Free;
    static Block& block_of(void* thing) noexcept;
    Block& fresh();
    void release(Block& block) noexcept;
    void link(Block& block) noexcept;
    void unlink(Block& block) noexcept;

    std::size_t size_;
    Block* with_room_ = nullptr; // a list
    Block* spare_ = nullptr;     // an empty one, in no list
    std::size_t blocks_ = 0;
};

} // namespace gw
