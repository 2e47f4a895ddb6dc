#pragma once

#include <cstddef>
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
    AccessLog access;
};

} // namespace gw::session
