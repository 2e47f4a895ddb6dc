#pragma once

#include "gateway/base/descriptor.h"
#include "gateway/base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gw::waf {

/// The link between the data process and the template: a SOCK_SEQPACKET pair, so several threads may send on it.
///
/// start-up:  data -> template   the settings: a message of 8 bytes (length), then pieces of at most 32 KiB
///            template -> data   `report_ok` and the description of the rules, or `report_failed` and the error's text
/// commands:  data -> template   spawn (with the socket the new inspector is to serve): a `Note`
///            inspector -> data  spawned (with its process id): a `Note`, the only thing it ever says here
///            template -> data   spawned (with process id 0: it could not be made): a `Note`
struct Note {
    enum class What : std::uint32_t { spawn = 1, spawned = 2 };
    What what{};
    std::int32_t process_id = 0;
    std::uint64_t inspector = 0; ///< number the data process gave it
};

inline constexpr std::string_view report_ok = "ok ";
inline constexpr std::string_view report_failed = "no ";
inline constexpr std::size_t max_report_bytes = 16 * 1024;

/// Sends without waiting. `socket`: -1 or a descriptor that goes along. Errors: `system`, `closed`.
Result<> send_note(int link, const Note& note, int socket = -1);
struct Received {
    Note note;
    Descriptor socket; ///< of `spawn`
};
/// Waits for a note. Errors: `closed` at the end of the link, `malformed`, `system` (with EINTR when a signal came).
Result<Received> receive_note(int link);

/// Both wait. Errors: `system`, `closed`, `too_large`.
Result<> send_long(int link, std::string_view text);
Result<std::string> receive_long(int link);

} // namespace gw::waf
