#pragma once

#include "gateway/base/result.h"
#include "netfilter/network_sets.h"

#include <optional>
#include <string>

namespace gw::netfilter {

/// The program `ipset`, which reads and writes sets of networks. They are one and the same for every variant of
/// iptables.
class Ipset {
public:
    /// None: there is no such program.
    static std::optional<Ipset> find();
    /// Takes away every set of ours that no rule asks. Errors are nobody's business: most hosts have none.
    static void sweep(const Settings& settings);

    /// Errors: `system` with the program's own words, `timed_out`.
    Result<std::vector<FoundSet>> found(const Settings& settings) const;
    /// One change after another. Errors: as of `found`; what came before the one that failed is done.
    Result<> restore(const std::string& text) const;

private:
    explicit Ipset(std::string file) : file_(std::move(file)) {}
    std::string file_;
};

} // namespace gw::netfilter
