#pragma once

#include <boost/asio/detail/thread_info_base.hpp>
#include <boost/version.hpp>
#include <cstddef>

namespace gw {

/// Memory of coroutine frames, kept by each thread for the next one of about that size. Asio keeps the last few
/// whatever their size, so that where a call is a dozen frames deep nearly each of them came from the allocator.
void* take_frame(std::size_t size_bytes);
void give_back_frame(void* frame, std::size_t size_bytes) noexcept;

} // namespace gw

// Asio has no setting for this. Every file that has a coroutine includes this one, by way of task.h, before Asio's own.
static_assert(BOOST_VERSION / 100 == 1081, "look whether Asio still asks for its frames like this");

namespace boost::asio::detail {

template <>
inline void* thread_info_base::allocate(awaitable_frame_tag /*purpose*/, thread_info_base* /*thread*/, std::size_t size,
                                        std::size_t /*align*/)
{
    return gw::take_frame(size);
}
template <>
inline void thread_info_base::deallocate(awaitable_frame_tag /*purpose*/, thread_info_base* /*thread*/, void* pointer,
                                         std::size_t size)
{
    gw::give_back_frame(pointer, size);
}

} // namespace boost::asio::detail
