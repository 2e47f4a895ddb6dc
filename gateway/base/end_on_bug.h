#pragma once

#include <exception>

namespace gw {

/// For `asio::co_spawn`: errors are values, so what is thrown is a bug, and ends the process where it stands.
inline constexpr auto end_on_bug = [](std::exception_ptr bug) {
    if (bug) std::rethrow_exception(bug);
};

} // namespace gw
