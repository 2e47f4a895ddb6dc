#include "gateway/base/slab.h"

#include <cassert>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <sys/mman.h>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace gw {

namespace {

constexpr std::size_t block_bytes = 64 * 1024; // and aligned so: a thing's address tells its block
constexpr std::size_t alignment = alignof(std::max_align_t);

constexpr std::size_t rounded(std::size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

#if defined(__SANITIZE_ADDRESS__)
// What is used after its end is found as ever, and what is pointed to from here is no leak.
void* map_block()
{
    void* block = std::aligned_alloc(block_bytes, block_bytes);
    if (block == nullptr) throw std::bad_alloc{};
    return block;
}
void unmap_block(void* block) noexcept { std::free(block); }
void forbid(void* from, std::size_t bytes) noexcept { __asan_poison_memory_region(from, bytes); }
void allow(void* from, std::size_t bytes) noexcept { __asan_unpoison_memory_region(from, bytes); }
#else
void* map_block()
{
    constexpr int protection = PROT_READ | PROT_WRITE;
    constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS;
    auto* mapped = ::mmap(nullptr, 2 * block_bytes, protection, flags, -1, 0);
    if (mapped == MAP_FAILED) throw std::bad_alloc{};
    const auto begin = reinterpret_cast<std::uintptr_t>(mapped);
    const auto aligned = (begin + block_bytes - 1) / block_bytes * block_bytes;
    if (aligned > begin) ::munmap(mapped, aligned - begin);
    auto* end = reinterpret_cast<void*>(aligned + block_bytes);
    if (aligned < begin + block_bytes) ::munmap(end, begin + block_bytes - aligned);
    return reinterpret_cast<void*>(aligned);
}
void unmap_block(void* block) noexcept { ::munmap(block, block_bytes); }
void forbid(void* /*from*/, std::size_t /*bytes*/) noexcept {}
void allow(void* /*from*/, std::size_t /*bytes*/) noexcept {}
#endif

} // namespace

struct Slab::Free {
    Free* next;
};

struct alignas(std::max_align_t) Slab::Block {
    Free* free = nullptr;  // given back
    std::size_t untouched; // offset of what was never taken
    std::size_t in_use = 0;
    Block* next = nullptr;  // of those with room
    Block** link = nullptr; // who points at this one; null: it has no room
};

Slab::Slab(std::size_t size_bytes) : size_(rounded(size_bytes)) { assert(size_bytes > 0 && size_bytes <= 8 * 1024); }

Slab::~Slab()
{
    if (spare_ != nullptr) release(*spare_);
    assert(blocks_ == 0);
}

std::size_t Slab::held_bytes() const noexcept { return blocks_ * block_bytes; }

Slab::Block& Slab::block_of(void* thing) noexcept
{
    return *reinterpret_cast<Block*>(reinterpret_cast<std::uintptr_t>(thing) & ~(block_bytes - 1));
}

void Slab::link(Block& block) noexcept
{
    block.next = with_room_;
    block.link = &with_room_;
    if (with_room_ != nullptr) with_room_->link = &block.next;
    with_room_ = &block;
}

void Slab::unlink(Block& block) noexcept
{
    *block.link = block.next;
    if (block.next != nullptr) block.next->link = block.link;
    block.link = nullptr;
}

Slab::Block& Slab::fresh()
{
    auto* block = std::exchange(spare_, nullptr);
    if (block == nullptr) {
        block = new (map_block()) Block;
        block->untouched = sizeof(Block);
        forbid(block + 1, block_bytes - sizeof(Block));
        ++blocks_;
    }
    link(*block);
    return *block;
}

void Slab::release(Block& block) noexcept
{
    allow(&block, block_bytes);
    unmap_block(&block);
    --blocks_;
}

void* Slab::take()
{
    auto& block = with_room_ != nullptr ? *with_room_ : fresh();
    void* thing = block.free;
    if (thing != nullptr)
        block.free = block.free->next;
    else
        thing = reinterpret_cast<char*>(&block) + std::exchange(block.untouched, block.untouched + size_);
    allow(thing, size_);
    ++block.in_use;
    if (block.free == nullptr && block.untouched + size_ > block_bytes) unlink(block);
    return thing;
}

void Slab::give_back(void* thing) noexcept
{
    auto& block = block_of(thing);
    block.free = new (thing) Free{block.free};
    forbid(block.free + 1, size_ - sizeof(Free));
    if (block.link == nullptr) link(block);
    if (--block.in_use > 0) return;
    unlink(block);
    if (spare_ == nullptr) {
        spare_ = &block;
        return;
    }
    release(block);
}

} // namespace gw
