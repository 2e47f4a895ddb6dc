#include "netfilter/plan_installer.h"

#include <fcntl.h>
#include <utility>

namespace gw::netfilter {

std::vector<Heartbeat> PlanInstaller::copies_of(std::initializer_list<const Heartbeat*> heartbeats)
{
    std::vector<Heartbeat> copies;
    for (const Heartbeat* heartbeat : heartbeats) {
        if (heartbeat == nullptr) continue;
        if (auto same = heartbeat->copy()) copies.push_back(std::move(*same));
    }
    return copies;
}

Result<> PlanInstaller::remove()
{
    if (!in_force_) return {};
    const Plan plan = *std::exchange(in_force_, std::nullopt);
    learned_ = false;
    const Result<> taken_out = take_out(plan);
    const auto swept = policy_.remove(plan);
    return taken_out ? swept : taken_out;
}

Result<Handover> PlanInstaller::hand_over()
{
    if (!in_force_) return Error{Fault::refused, Side::gateway, "there are no rules to hand over"};
    Handover handover{state_, {}};
    for (const int socket : sockets()) {
        Descriptor copy(::fcntl(socket, F_DUPFD_CLOEXEC, 0));
        if (!copy.is_open()) return system_error("copying a descriptor");
        handover.descriptors.push_back(std::move(copy));
    }
    return handover;
}

Result<> check_handover(const Handover& handover, const std::string& state, std::size_t fewest, std::size_t most)
{
    if (handover.state != state)
        return Error{Fault::refused, Side::gateway, "the rules handed over are of other numbers or another table name"};
    const auto count = handover.descriptors.size();
    if (count >= fewest && count <= most) return {};
    return Error{Fault::refused, Side::gateway,
                 "to the rules handed over belong " + std::to_string(fewest) +
                     (most == fewest ? "" : " or " + std::to_string(most)) + " sockets, not " + std::to_string(count)};
}

} // namespace gw::netfilter
