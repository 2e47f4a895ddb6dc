#pragma once

#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>
#include <string>
#include <string_view>

namespace gw {

/// What went wrong, as far as code must decide on it.
enum class Fault { malformed, too_large, refused, denied, timed_out, closed, system };

/// Whose doing it was.
enum class Side { client, upstream, gateway };

/// A failure the network, a file or the kernel can cause. What only a bug can cause is an assert.
struct Error {
    Fault fault{};                     ///< what the code decides on
    Side side{};                       ///< whose doing it was
    std::string what;                  ///< for the log, never for the client
    boost::system::error_code cause{}; ///< set when a system call or library said no
};

template <class T = void> using Result = boost::system::result<T, Error>;

/// Stable words for logs, metrics and JSON: "malformed", "timed_out", "client" and so on.
std::string_view name_of(Fault fault);
std::string_view name_of(Side side);

/// One line for people: "upstream refused: connect 192.0.2.1:80: Connection refused".
std::string describe(const Error& error);

/// An error made from `errno` as it is now, side gateway unless said otherwise, fault system.
Error system_error(std::string what, Side side = Side::gateway);

/// Called by boost::system::result when a value is taken out of a failure: a bug, so it ends in a throw.
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& where);

} // namespace gw
