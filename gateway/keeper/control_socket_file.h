#pragma once

#include "gateway/base/descriptor.h"
#include "gateway/base/result.h"

#include <optional>
#include <string>
#include <sys/types.h>

namespace gw::keeper {

/// The file of the control socket. Of several daemons that want the same one, even in the same instant, one gets it;
/// it stays that one's until it is removed by it, or nobody listens there any more.
class ControlSocketFile {
public:
    /// A socket that listens there: mode 0660, owned by us and the group; without one, ours only. A file that nobody
    /// serves is replaced. Errors: `refused` when another daemon has it, or others may write to the folder; `system`.
    static Result<Descriptor> open(const std::string& path, std::optional<gid_t> group);

    /// That of a socket of ours.
    static ControlSocketFile of(const std::string& path);
    /// Unless there is another's by now.
    void remove() const;

private:
    std::string path_;
    dev_t device_ = 0;
    ino_t number_ = 0;
};

} // namespace gw::keeper
