#include "gateway/session/refusals.h"

#include "gateway/base/log.h"

namespace gw::session {

namespace {

std::string_view advice(TurnedAway reason)
{
    switch (reason) {
    case TurnedAway::connections: return "limits.connections, or the limit of open files, is reached";
    case TurnedAway::per_client: return "limits.per_client is reached";
    case TurnedAway::listener_connections: return "limits.connections of the listener is reached";
    case TurnedAway::listener_per_client: return "limits.per_client of the listener is reached";
    case TurnedAway::memory: return "limits.memory is nearly used up";
    }
    return "";
}

} // namespace

Refusals::Refusals(Say say) : say_(std::move(say))
{
    if (!say_) say_ = [](const std::string& line) { log::warning(line); };
}

/// The line to be said now; by whoever took it, once others may go on.
std::string Refusals::take(Clock::time_point now)
{
    auto line = std::move(newest_);
    if (held_back_ > 1) line += "; " + std::to_string(held_back_ - 1) + " more suppressed";
    newest_.clear();
    held_back_ = 0;
    said_at_ = now;
    return line;
}

void Refusals::note(TurnedAway reason, std::string_view listener, const Endpoint& client, Clock::time_point now)
{
    std::string line;
    {
        const std::lock_guard lock{mutex_};
        ++held_back_;
        // The text of one that is held back is made once a second, not for each.
        if (newest_.empty())
            newest_.append("turned away ")
                .append(client.text())
                .append(" on listener ")
                .append(listener)
                .append(": ")
                .append(advice(reason));
        if (!said_at_ || now - *said_at_ >= interval) line = take(now);
    }
    if (!line.empty()) say_(line);
}

void Refusals::flush(Clock::time_point now)
{
    std::string line;
    {
        const std::lock_guard lock{mutex_};
        if (!newest_.empty() && said_at_ && now - *said_at_ >= interval) line = take(now);
    }
    if (!line.empty()) say_(line);
}

} // namespace gw::session
