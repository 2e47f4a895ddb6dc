#include "gateway/ctl/interrupts.h"
#include "gateway/ctl/list_views.h"
#include "gateway/ctl/online.h"
#include "gateway/ctl/reply.h"

namespace gw::ctl {

namespace {

/// The daemon holds a request that long until there is a record.
constexpr std::chrono::milliseconds poll_wait{10'000};
constexpr std::chrono::milliseconds poll_limit{15'000};
constexpr std::chrono::milliseconds try_again_after{1'000};
/// What a filter leaves nothing of comes back at once; this keeps that from becoming a busy loop.
constexpr std::chrono::milliseconds pause_when_empty{100};
constexpr int records_a_poll = 10'000;

/// The filters, evaluated by the daemon.
Query filtered(const Invocation& invocation)
{
    Query query("/v1/log");
    query.add("kind", invocation.kind).add("status", invocation.status).add("client", invocation.client);
    query.add("host", invocation.host).add("route", invocation.route).add("verdict", invocation.verdict);
    return query;
}

bool print(const Json& answer, const Invocation& invocation, Output& output)
{
    std::string text;
    const auto look = output.look(true);
    for (const auto& record : list_at(answer, "records"))
        text += invocation.json ? json_text(record, false) + '\n' : record_line(record, look);
    return output.data(text);
}

bool is_filtered(const Invocation& invocation)
{
    return !(invocation.kind.empty() && invocation.status.empty() && invocation.client.empty() &&
             invocation.host.empty() && invocation.route.empty() && invocation.verdict.empty());
}

/// Sequence numbers have no gaps, so what an unfiltered answer lacks was overwritten before it was asked for.
void say_what_was_missed(const Json& answer, std::uint64_t after, const Output& output)
{
    const auto next = count_at(answer, "next");
    const auto shown = list_at(answer, "records").size();
    if (after == 0 || next < after || next - after <= shown) return;
    output.message(counted(next - after - shown, "record was", "records were") + " missed: they came too fast");
}

/// One after the other until interrupted. The daemon may go away and come back: then from its first record on.
Exit follow(const Invocation& invocation, Client& client, const Interrupts& interrupts, std::uint64_t after,
            Output& output)
{
    bool lost = false;
    while (!interrupts.came()) {
        auto query = filtered(invocation);
        query.add("after", std::to_string(after)).add("limit", std::to_string(records_a_poll));
        query.add("wait_ms", std::to_string(poll_wait.count()));
        const auto answer = ask_json(client, query.text(), poll_limit);
        if (interrupts.came()) break;
        if (answer) {
            if (std::exchange(lost, false)) output.message("gatewayd is back");
            if (!is_filtered(invocation)) say_what_was_missed(*answer, after, output);
            if (!print(*answer, invocation, output)) return Exit::ok;
            // A smaller number: another process counts anew.
            const auto next = count_at(*answer, "next");
            after = next < after ? 0 : next;
            if (list_at(*answer, "records").empty()) interrupts.sleep(pause_when_empty);
            continue;
        }
        const auto fault = answer.error().fault;
        if (fault == Fault::denied || fault == Fault::malformed) return fail(answer.error(), output);
        if (!std::exchange(lost, true)) output.message(answer.error().what + "; waiting for it");
        if (fault == Fault::refused) after = 0; // another one will count from the start
        interrupts.sleep(try_again_after);
    }
    return Exit::interrupted;
}

} // namespace

Exit show_log(const Invocation& invocation, Output& output)
{
    std::optional<Interrupts> interrupts;
    Client client(invocation.socket);
    if (invocation.live) client.interruptible(interrupts.emplace().wait_mask());
    auto query = filtered(invocation);
    query.add("limit", std::to_string(invocation.lines));
    const auto past = ask_json(client, query.text());
    if (interrupts && interrupts->came()) return Exit::interrupted;
    if (!past) return fail(past.error(), output);
    if (!print(*past, invocation, output) || !interrupts) return Exit::ok;
    return follow(invocation, client, *interrupts, count_at(*past, "next"), output);
}

} // namespace gw::ctl
