#pragma once

#include "gateway/base/descriptor.h"
#include "gateway/base/result.h"
#include "gateway/config/config.h"

#include <string>

namespace gw::keeper {

/// The file of the access log: opened here and handed over, because the data process may not write to any folder.
class AccessLogFile {
public:
    /// Opens it anew, to append. Not open when the lines go elsewhere. Errors: `system`; `refused` when it is nothing
    /// that can be written to without waiting for somebody, such as a FIFO.
    Result<Descriptor> open(const session::AccessLog& access);
    /// For a process that must serve, whatever becomes of its log: when the file cannot be opened, the one that was
    /// open last under this name, or none. `problem` says so.
    Descriptor open_or_go_on(const session::AccessLog& access);

    /// For a person; empty: there is none.
    const std::string& problem() const { return problem_; }

private:
    std::string path_;
    Descriptor last_; // open under that name
    std::string problem_;
};

} // namespace gw::keeper
