#include "gateway/proxy/sender_wait.h"

#include <algorithm>

namespace gw::proxy {

namespace {

using Clock = std::chrono::steady_clock;

/// How long the sender may still keep us waiting. Not positive: it came too slowly.
Clock::duration time_left(const Pace& pace, std::uint64_t received_bytes)
{
    const auto earned =
        std::chrono::duration<double>(static_cast<double>(received_bytes) / static_cast<double>(pace.bytes_per_second));
    constexpr std::chrono::duration<double> plenty{86'400.0};
    return pace.grace + std::chrono::duration_cast<Clock::duration>(std::min(earned, plenty)) - pace.waited;
}

Error too_slow(const Pace& pace)
{
    return Error{Fault::timed_out,
                 Side::client,
                 "body slower than " + std::to_string(pace.bytes_per_second) + " bytes a second",
                 {}};
}

} // namespace

SenderWait::SenderWait(const BodySource& from)
    : from_(from), paced_(from.pace != nullptr && from.pace->bytes_per_second != 0), limit_(from.idle_limit)
{
    if (paced_) limit_ = std::min(limit_, time_left(*from.pace, from.reader.content_bytes()));
}

Result<> SenderWait::begin()
{
    if (limit_ <= Clock::duration::zero()) return too_slow(*from_.pace);
    begun_ = Clock::now();
    from_.stream.expire_at(begun_ + limit_);
    return {};
}

void SenderWait::end()
{
    if (paced_) from_.pace->waited += Clock::now() - begun_;
}

Error SenderWait::named(Error failure) const
{
    if (paced_ && limit_ < from_.idle_limit && failure.fault == Fault::timed_out) return too_slow(*from_.pace);
    return failure;
}

} // namespace gw::proxy
