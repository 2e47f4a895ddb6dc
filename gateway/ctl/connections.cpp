#include "gateway/ctl/interrupts.h"
#include "gateway/ctl/list_views.h"
#include "gateway/ctl/online.h"
#include "gateway/ctl/reply.h"

#include <map>

namespace gw::ctl {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds watch_interval{1'000};
constexpr std::chrono::milliseconds watch_limit{5'000};
constexpr std::size_t lines_around_the_rows = 3; // titles, what is not shown, and the cursor's

/// The filters, evaluated by the daemon.
std::string target_of(const Invocation& invocation)
{
    Query query("/v1/connections");
    query.add("listener", invocation.listener).add("client", invocation.client).add("upstream", invocation.upstream);
    query.add("limit", invocation.limit == 0 ? "" : std::to_string(invocation.limit));
    return query.text();
}

ConnectionOrder order_of(const Invocation& invocation)
{
    ConnectionOrder order;
    order.by = order_named(invocation.by.empty() && invocation.top ? "rate" : invocation.by);
    return order;
}

/// Bytes a second of each connection, from one look to the next.
class Rates {
public:
    void look(const Json& answer, Clock::time_point now)
    {
        const auto seconds = std::chrono::duration<double>(now - at_).count();
        std::map<std::string, std::uint64_t> bytes;
        rates_.clear();
        for (const auto& connection : list_at(answer, "connections")) {
            const auto id = text_at(connection, "id");
            const auto count = count_at(connection, "from_client_bytes") + count_at(connection, "to_client_bytes");
            bytes[id] = count;
            // One that is new moved all of it since the last look.
            const auto before = bytes_.find(id);
            const auto moved = before == bytes_.end() ? count : count - std::min(count, before->second);
            if (looks_ != 0 && seconds > 0) rates_[id] = static_cast<double>(moved) / seconds;
        }
        bytes_ = std::move(bytes);
        at_ = now;
        ++looks_;
    }
    const std::map<std::string, double>* of_last() const { return looks_ > 1 ? &rates_ : nullptr; }

private:
    std::map<std::string, std::uint64_t> bytes_;
    std::map<std::string, double> rates_;
    Clock::time_point at_{};
    std::size_t looks_ = 0;
};

/// What every look needs; an interrupt ends its waits.
struct Looking {
    explicit Looking(const Invocation& invocation) : client(invocation.socket), order(order_of(invocation))
    {
        client.interruptible(interrupts.wait_mask());
    }

    const Interrupts interrupts;
    Client client;
    ConnectionOrder order;
    Rates rates;
};

Exit show_once(const Invocation& invocation, Output& output)
{
    Looking looking(invocation);
    auto& [interrupts, client, order, rates] = looking;
    auto answer = ask_json(client, target_of(invocation));
    if (answer && order.by == ConnectionOrder::By::rate && !invocation.json) {
        rates.look(*answer, Clock::now());
        interrupts.sleep(watch_interval);
        if (!interrupts.came()) answer = ask_json(client, target_of(invocation));
        if (answer) rates.look(*answer, Clock::now());
    }
    if (interrupts.came()) return Exit::interrupted;
    if (!answer) return fail(answer.error(), output);
    order.rates = rates.of_last();
    output.data(invocation.json ? json_text(*answer, output.on_terminal()) + '\n'
                                : connections_view(*answer, order, output.look(invocation.wide)));
    return Exit::ok;
}

/// On a terminal one picture that changes, as many rows as fit; else one after the other.
Exit watch(const Invocation& invocation, Output& output)
{
    Looking looking(invocation);
    auto& [interrupts, client, order, rates] = looking;
    std::optional<Screen> screen;
    if (output.on_terminal() && !invocation.json) screen.emplace(output);
    bool open = true;
    while (open && !interrupts.came()) {
        const auto answer = ask_json(client, target_of(invocation), watch_limit);
        if (interrupts.came()) break;
        if (!answer && !screen) output.message(answer.error().what);
        if (!answer && screen) open = screen->draw("gatewayctl: " + harmless(answer.error().what) + '\n');
        if (answer && invocation.json) open = output.data(json_text(*answer, false) + '\n');
        if (answer && !invocation.json) {
            rates.look(*answer, Clock::now());
            order.rates = rates.of_last();
            const auto height = output.height();
            order.most = screen && height > lines_around_the_rows ? height - lines_around_the_rows : 0;
            const auto picture = connections_view(*answer, order, output.look(invocation.wide));
            open = screen ? screen->draw(picture) : output.data(picture + '\n');
        }
        if (open) interrupts.sleep(watch_interval);
    }
    return interrupts.came() ? Exit::interrupted : Exit::ok;
}

} // namespace

Exit show_connections(const Invocation& invocation, Output& output)
{
    return invocation.live ? watch(invocation, output) : show_once(invocation, output);
}

} // namespace gw::ctl
