#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace gw::session {

struct AccessLog {
    enum class Format { json, human, off };
    Format format = Format::json;
    std::string to = "stdout"; ///< "stdout" (the journal, under systemd) or an absolute file name
    bool whole_query = false;  ///< values in a target's query too, which may be secrets; else their names only
};

struct Settings {
    std::size_t connections = 100'000; ///< at once, all workers together
    std::size_t per_client = 20'000;   ///< of one client address (IPv6: one /64); 0: no limit
    std::uint64_t memory_bytes = 0; ///< of the data process; 0: a share of its control group's limit, if there is one
    AccessLog access;
};

} // namespace gw::session
