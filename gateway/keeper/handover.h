#pragma once

#include "gateway/keeper/data_side.h"

#include <string>
#include <string_view>
#include <vector>

namespace gw::keeper {

/// What keepers of different versions must agree on to succeed each other. Raised when a text below changes so that an
/// older or newer one would misread it.
inline constexpr unsigned handover_protocol = 1;

// How one keeper takes the place of another, over a link (gateway/link) whose orders are:
//
//   ask       "who are you"             -> done: a Greeting
//   prepare   a Handover, descriptors   -> done: its own data process serves, beside the old one
//   commit    descriptors               -> done: it answers for everything; the old one only drains
//
// Anything but `done`, an answer that does not come, or an end of the process leaves everything to the old one.
//
// The link stays: when its other end is closed, nobody serves any more, and the old one ends with what it still
// carries. So that it outlives further upgrades, a `commit` brings the links of those before, which still drain. A
// successor that stops sends `drain`: connections that are idle end then. One that knows neither does as little harm as
// it can: those before end with the one that started it, or when it ends.

/// The answer to who it is.
struct Greeting {
    unsigned protocol = handover_protocol;
    std::string version;
};
std::string encode(const Greeting& greeting);
/// Errors: `malformed`.
Result<Greeting> decode_greeting(std::string_view text);

/// Everything a successor needs. The descriptors that come with it, in this order: the listening sockets, the control
/// socket, the metrics socket if there is one, those of the rules.
struct Handover {
    struct Socket {
        link::SocketName name;
        Endpoint asked;
        bool intercepting = false;
        bool datagrams = false;
        netfilter::Mode mode = netfilter::Mode::tproxy; ///< of the interception
    };
    std::string config_file;
    config::Sources sources; ///< of the configuration in force
    std::uint64_t generation = 0;
    std::size_t workers = 1;
    std::optional<log::Level> level;
    std::vector<Socket> sockets;
    bool metrics = false;
    std::string rules; ///< state of `netfilter::Handover`; empty: none are installed
};
std::string encode(const Handover& handover);
/// Errors: `malformed`.
Result<Handover> decode_handover(std::string_view text);

} // namespace gw::keeper
