#pragma once

#include "netfilter/doctor/descriptors.h"
#include "netfilter/doctor/ruleset.h"
#include "netfilter/doctor/subject.h"
#include "netfilter/host_tables.h"
#include "netfilter/tcp_sockets.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace gw::doctor {

/// Something of the kernel that interception uses, asked for by dry run.
struct Feature {
    std::string id;
    bool there = false;
    std::string said; ///< the kernel's words when it is not
};

/// What the kernel says about one packet's way.
struct Journey {
    enum class Purpose {
        to_server,      ///< sent from here to a destination of a listener
        captured,       ///< a captured packet, arrived where clients are
        answer_captured ///< a server's answer to a connection made with a client's address
    };
    Purpose purpose = Purpose::to_server;
    std::string listener;
    netfilter::RouteQuestion question;
    netfilter::RouteReply reply;
};

/// The host as it is, a value. What could not be read is absent, and `unread` says why.
struct Facts {
    bool privileged = false; ///< CAP_NET_ADMIN
    std::string kernel;      ///< its release
    std::vector<netfilter::HostInterface> interfaces{};
    std::vector<netfilter::HostRule> rules{};
    std::optional<std::size_t> foreign_routes{};  ///< in our routing table
    std::map<std::string, std::string> sysctls{}; ///< "net/ipv4/ip_forward" -> "1"
    std::optional<Ruleset> ruleset{};
    std::vector<std::string> legacy_tables{}; ///< of iptables-legacy, where it is in use
    std::optional<std::vector<Feature>> features{};
    bool iptables = false; ///< there is a program that could hold the rules in place of nft
    std::vector<Journey> journeys{};
    std::optional<std::vector<netfilter::ListeningSocket>> sockets{};
    std::optional<DescriptorLimit> descriptors{}; ///< of the daemon
    std::vector<std::string> services{};          ///< running, that change networks: "systemd-networkd", ...
    bool networkd_keeps_foreign_rules = false;    ///< its configuration says so
    bool docker_user_chain = false;
    std::vector<std::string> unread{};

    const netfilter::HostInterface* interface(std::string_view name) const;
    /// None: the kernel has no such number, or it cannot be read.
    std::optional<long long> sysctl(const std::string& path) const;
};

/// How much is looked at.
struct Depth {
    bool features = true; ///< dry runs
    bool ruleset = true;  ///< the rules of others
};

/// An address of the network that stands for all of it: neither its first nor its last, nor one of this host, where it
/// has others among its first fourteen. Pure.
Address address_standing_for(const Network& network, const std::vector<netfilter::HostInterface>& own);

/// Reads the host. Changes nothing. Needs CAP_NET_ADMIN for features and the rules of others; the rest is read anyhow.
Facts gather(const Subject& subject, const Depth& depth);

} // namespace gw::doctor
