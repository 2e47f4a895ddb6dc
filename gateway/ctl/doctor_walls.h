#pragma once

#include "gateway/base/result.h"
#include "netfilter/nft_context.h"

#include <optional>
#include <string>
#include <vector>

namespace gw::ctl {

/// One end of the pair of interfaces that `doctor --probe` makes, and the networks of its addresses.
struct Enclosure {
    std::string interface;
    std::vector<std::string> networks_v4, networks_v6;
};

/// What keeps the probe's packets on this host: nothing that came by the interface is forwarded, and nothing with an
/// address of its networks leaves by another one. Held by what holds gatewayd's own rules, so that this host has it.
/// It goes with this object, and with the process, however that ends: a table of nft's has an owner; rules of iptables'
/// have a process that waits for the end of this one to take them away.
class Walls {
public:
    Walls() = default;
    ~Walls();
    Walls(const Walls&) = delete;
    Walls& operator=(const Walls&) = delete;

    /// `backend` as gatewayd names it: "nft", "iptables (legacy)". Errors: `system`.
    Result<> build(const Enclosure& enclosure, const std::string& backend);

private:
    Result<> build_of_nft(const Enclosure& enclosure);
    Result<> build_of_iptables(const Enclosure& enclosure, const std::string& backend);

    std::optional<netfilter::NftContext> table_;
    Descriptor alive_; ///< its other end is the waiting process's: closed, that takes the rules away
    int waiting_ = 0;
};

/// The walls of one family for iptables-restore. Pure.
std::string wall_text(const Enclosure& enclosure, bool v6);
/// What takes away all there is of walls in a table that iptables-save has written. Empty: nothing. Pure.
std::string end_of_walls(std::string_view saved);

} // namespace gw::ctl
