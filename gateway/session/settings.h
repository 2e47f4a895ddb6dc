#pragma once

#include <cstddef>
#include <string>

namespace gw::session {

struct AccessLog {
    enum class Format { json, human, off };
    Format format = Format::json;
    std::string to = "stdout"; ///< "stdout" (the journal, under systemd) or an absolute file name
};

struct Settings {
    std::size_t connections = 100'000; ///< at once, all workers together
    AccessLog access;
};

} // namespace gw::session
