#include "gateway/base/result.h"

#include <cerrno>
#include <stdexcept>
#include <utility>

namespace gw {

std::string_view name_of(Fault fault)
{
    switch (fault) {
    case Fault::malformed: return "malformed";
    case Fault::too_large: return "too_large";
    case Fault::refused: return "refused";
    case Fault::denied: return "denied";
    case Fault::timed_out: return "timed_out";
    case Fault::closed: return "closed";
    case Fault::system: return "system";
    }
    return "system";
}

std::string_view name_of(Side side)
{
    switch (side) {
    case Side::client: return "client";
    case Side::upstream: return "upstream";
    case Side::gateway: return "gateway";
    }
    return "gateway";
}

std::string describe(const Error& error)
{
    std::string text{name_of(error.side)};
    text += ' ';
    text += name_of(error.fault);
    if (!error.what.empty()) text += ": " + error.what;
    if (error.cause) text += ": " + error.cause.message();
    return text;
}

Error system_error(std::string what, Side side)
{
    return Error{Fault::system, side, std::move(what), {errno, boost::system::system_category()}};
}

void throw_exception_from_error(const Error& error, const boost::source_location&)
{
    throw std::logic_error("value taken from a failure: " + describe(error));
}

} // namespace gw
