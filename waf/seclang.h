#pragma once

#include "waf/settings.h"

#include <span>
#include <string>
#include <string_view>

namespace gw::waf {

/// Where the packaged rule set keeps its files.
inline constexpr std::string_view crs_setup_file = "/etc/modsecurity/crs/crs-setup.conf";
inline constexpr std::string_view crs_before_file = "/etc/modsecurity/crs/REQUEST-900-EXCLUSION-RULES-BEFORE-CRS.conf";
inline constexpr std::string_view crs_rules_folder = "/usr/share/modsecurity-crs/rules";
inline constexpr std::string_view crs_rules_glob = "/usr/share/modsecurity-crs/rules/*.conf";
inline constexpr std::string_view crs_after_file = "/etc/modsecurity/crs/RESPONSE-999-EXCLUSION-RULES-AFTER-CRS.conf";

/// Content types of responses whose bodies are looked at.
std::span<const std::string_view> response_types();

/// Which of the files are there that a host may have or not.
struct CrsFiles {
    bool setup = true;
    bool before = false;
    bool after = false;
};

/// The whole rule set of one policy as SecLang: our settings, which body is read how, the CRS with its setup (or the
/// files of `settings`), what the policy takes out, and at the end again what no rule file may change. Pure: files are
/// only named (`Include`). Rules of ours have ids from 77000001 on.
std::string seclang_of(const Settings& settings, const Policy& policy, const CrsFiles& present);

} // namespace gw::waf
