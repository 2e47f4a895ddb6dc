#pragma once

#include "netfilter/iptables_rules.h"

#include <string>
#include <string_view>
#include <vector>

namespace gw::netfilter {

/// Makes the rules of one family. Pure.
class IptablesWriter {
public:
    IptablesWriter(const Plan& plan, bool v6) : plan_(plan), v6_(v6) {}

    /// "gateway-divert".
    std::string name(std::string_view chain) const;
    void add_chain(std::string_view table, std::string_view chain);
    /// A rule of our chain.
    void add(std::string_view table, std::string_view chain, std::string_view text, std::string_view what);
    /// Leads packets of a chain of the kernel's into our chain, which it adds.
    void lead(std::string_view table, std::string_view from, std::string_view into);

    /// Leads packets that go to the ports of a capture from one of our chains into another, and there, after the
    /// exceptions, says the verdict for each destination.
    struct Branch {
        std::string_view table;
        std::string_view from;
        std::string into;
        std::string verdict;
        std::string what;
    };
    /// `interfaces` empty: any.
    void add_branch(const Branch& branch, const Capture& capture, const std::vector<std::string>& interfaces);

    std::string mark(std::uint32_t value) const;      ///< "0x01000000/0x03000000"
    std::string is_marked(std::uint32_t value) const; ///< the match
    std::string set_mark(std::uint32_t value) const;  ///< the target
    /// A match: only while beats come. Empty where the plan has no heartbeat.
    std::string alive() const;
    /// The list of `recent` that holds its one element while beats come. The port is in its name: rules that a killed
    /// process left behind do not come to life with the beats of the next one.
    std::string alive_list() const;
    /// A match: for this host, or for many hosts.
    std::string is_local() const;
    std::string loopback() const { return v6_ ? "::1" : "127.0.0.1"; }
    std::uint16_t beat_port() const { return v6_ ? plan_.heartbeat_port_v6 : plan_.heartbeat_port; }
    const char* family() const { return v6_ ? " IPv6 " : " IPv4 "; }

    const Plan& plan() const { return plan_; }
    bool v6() const { return v6_; }
    IptablesRules take() && { return std::move(rules_); }

private:
    /// One rule for each network in `where`, "-s" or "-d", or one for all of them; `then` follows.
    void add_networks(const Branch& branch, std::string_view where, const std::vector<Network>& networks,
                      const std::string& then, const std::string& what);
    const std::string& name_of_set(std::vector<std::string> networks);
    void push(std::string_view table, std::string chain, std::string text, std::string_view what);

    const Plan& plan_;
    bool v6_;
    IptablesRules rules_;
};

} // namespace gw::netfilter
