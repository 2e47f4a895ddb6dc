#pragma once

#include "gateway/base/frames.h"
#include "gateway/base/result.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/this_coro.hpp>

namespace gw {

namespace asio = boost::asio;

/// A coroutine that is awaited, or spawned in session/worker.cpp, control/ and keeper/ only.
template <class T = void> using Task = asio::awaitable<T>;

/// Errors as values, and no coroutine frame of its own: `auto outcome = co_await socket.async_x(..., as_outcome);`
/// then `auto& [failed, value] = outcome;`. Take it apart by reference (see the README's architecture notes).
inline constexpr auto as_outcome = asio::as_tuple(asio::deferred);

} // namespace gw
