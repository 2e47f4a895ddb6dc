#pragma once

#include "netfilter/doctor/facts.h"
#include "netfilter/doctor/subject.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gw::doctor {

enum class Severity { ok, note, warning, error };
/// "ok", "note", "warning", "error".
std::string_view name_of(Severity severity);

/// One thing that was looked at, and how it is.
struct Finding {
    std::string id; ///< stable, of `checks()`
    Severity severity = Severity::ok;
    std::string found;    ///< what is so, for people
    std::string evidence; ///< where to see it: a file and its value, a chain and its rule, an interface, a listener
    std::string breaks;   ///< what does not work because of it
    std::string mend;     ///< the command that mends it; empty: there is none
};

/// Everything that can be found.
struct Check {
    std::string_view id;
    std::string_view asks; ///< what holds when all is well
};
std::span<const Check> checks();

/// What would break interception, the worst first, and for each other check that could be made one `ok`. Pure.
std::vector<Finding> diagnose(const Facts& facts, const Subject& subject);

/// The worst of all; ok when there are none.
Severity worst_of(const std::vector<Finding>& findings);
/// The worst first, else in the order of `checks()`.
void sort_findings(std::vector<Finding>& findings);

} // namespace gw::doctor
