#pragma once

#include "netfilter/doctor/doctor.h"

#include <set>

// What the parts of the diagnosis share; private to the room.

namespace gw::doctor {

/// Collects findings, and what was looked at. The same thing found twice is one finding.
class Report {
public:
    /// The check was made; it is well unless something is added.
    void looked_at(std::string_view id) { looked_at_.emplace(id); }
    void add(Finding finding);
    /// All, with an `ok` for each check that was made and found nothing.
    std::vector<Finding> finished() const;

private:
    std::set<std::string, std::less<>> looked_at_;
    std::vector<Finding> findings_;
};

void diagnose_kernel(const Facts& facts, const Subject& subject, Report& report);
void diagnose_sysctls(const Facts& facts, const Subject& subject, Report& report);
void diagnose_limits(const Facts& facts, const Subject& subject, Report& report);
void diagnose_descriptors(const Facts& facts, const Subject& subject, Report& report);
void diagnose_marks(const Facts& facts, const Subject& subject, Report& report);
void diagnose_chains(const Facts& facts, const Subject& subject, Report& report);
void diagnose_routes(const Facts& facts, const Subject& subject, Report& report);
void diagnose_installed(const Facts& facts, const Subject& subject, Report& report);
void diagnose_services(const Facts& facts, const Subject& subject, Report& report);

/// "0x01000000/0x03000000"
std::string mark_text(std::uint32_t mark, std::uint32_t mask);
/// "IPv6" or "IPv4".
std::string family_text(bool v6);
/// Names of interfaces that packets for routing can arrive on.
std::vector<std::string> arrival_interfaces(const Facts& facts);

} // namespace gw::doctor
