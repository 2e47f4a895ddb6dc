#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gw::config {

inline constexpr std::uint64_t largest_rule_id = 2'147'483'647;

// What is wrong with a text where such a thing is wanted, and what to write instead; empty: nothing is wrong.

std::string judge_name(std::string_view text); ///< of a listener
std::string judge_interface(std::string_view text);
std::string judge_network(std::string_view text);
std::string judge_destination(std::string_view text); ///< a network that can be intercepted
std::string judge_endpoint(std::string_view text);    ///< an address of this host, and a port
std::string judge_server(std::string_view text);      ///< where a server of a pool listens
std::string judge_default(std::string_view text);     ///< `default:` of a listener, its form only
std::string judge_true(std::string_view text);        ///< `required:` of `proxy_protocol:`
std::string judge_ports(std::string_view text);
std::string judge_host(std::string_view text);
std::string judge_path(std::string_view text);
std::string judge_method(std::string_view text);
std::string judge_target(std::string_view text); ///< `to:` of a route, its form only
std::string judge_field_name(std::string_view text);
std::string judge_field_value(std::string_view text);
std::string judge_file(std::string_view text); ///< an absolute path
std::string judge_socket(std::string_view text);
std::string judge_group(std::string_view text);
std::string judge_log_target(std::string_view text);
std::string judge_rule_id(std::string_view text);
std::string judge_rule_target(std::string_view text); ///< "ARGS:html"
std::string judge_table(std::string_view text);
std::string judge_include(std::string_view text);

} // namespace gw::config
