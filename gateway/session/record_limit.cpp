#include "gateway/session/record_limit.h"

#include "gateway/session/record_json.h"

#include <algorithm>
#include <utility>

namespace gw::session {

namespace {

constexpr auto token_interval =
    std::chrono::duration_cast<RecordLimit::Clock::duration>(std::chrono::seconds{1}) / RecordLimit::per_second;
constexpr auto full_bucket = token_interval * RecordLimit::at_once;

bool any_rule_matched(const std::optional<waf::Verdict>& verdict)
{
    return verdict && (!verdict->hits.empty() || verdict->action == waf::Verdict::Action::block);
}

} // namespace

bool is_exempt(const proxy::ExchangeRecord& record)
{
    return record.served || any_rule_matched(record.request_verdict) || any_rule_matched(record.response_verdict);
}

bool is_exempt(const ConnectionRecord& record)
{
    return record.has_exempt_request || record.relayed.from_client_bytes + record.relayed.to_client_bytes > 0;
}

bool is_exempt(const datagram::Flow& flow) { return flow.answered; }

bool RecordLimit::admits(RecordKind kind, Clock::time_point now)
{
    spent_until_ = std::max(spent_until_, now - full_bucket);
    if (spent_until_ + token_interval <= now) {
        spent_until_ += token_interval;
        return true;
    }
    if (untold_.sum() == 0) untold_.since = std::chrono::system_clock::now();
    const auto index = static_cast<std::size_t>(kind);
    ++untold_.counts[index];
    ++total_[index];
    return false;
}

std::optional<Suppressed> RecordLimit::take()
{
    if (untold_.sum() == 0) return std::nullopt;
    return std::exchange(untold_, {});
}

void append_json_line(std::string& into, const Suppressed& suppressed, std::size_t worker)
{
    JsonObject object{into};
    object.text("time", time_text(std::chrono::system_clock::now()));
    object.text("kind", "suppressed");
    object.number("worker", worker);
    object.text("since", time_text(suppressed.since));
    object.number("suppressed", suppressed.sum());
    object.number("connections", suppressed.counts[0]);
    object.number("requests", suppressed.counts[1]);
    object.number("flows", suppressed.counts[2]);
    object.end();
}

void append_human_line(std::string& into, const Suppressed& suppressed, std::size_t worker)
{
    into.append(time_text(std::chrono::system_clock::now())).append(" suppressed ");
    into.append(std::to_string(suppressed.sum())).append(" records since ").append(time_text(suppressed.since));
    for (std::size_t i = 0; i < record_kinds.size(); ++i)
        into.append(i == 0 ? ": " : ", ")
            .append(std::to_string(suppressed.counts[i]))
            .append(" ")
            .append(record_kinds[i])
            .append("s");
    into.append(" (worker ").append(std::to_string(worker)).append(")");
}

} // namespace gw::session
