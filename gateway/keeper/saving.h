#pragma once

#include "gateway/keeper/history.h"

#include <vector>

namespace gw::keeper {

/// What a change puts on the disk: the next entry of the history, and configuration files. Blocking.
struct Saving {
    std::uint64_t number = 0; ///< of the entry; 0: none is kept
    std::vector<StagedFile> files;
};

/// Everything written, nothing visible yet. `history`: null when none is kept. Errors: of StagedFile.
Result<Saving> stage(const History* history, Stored entry, const config::Sources& files);
/// Makes it visible, the entry first. Errors: of StagedFile.
Result<> publish(const History* history, Saving saving);
/// Both, and sets the number of the entry. Errors: of StagedFile.
Result<> save(const History* history, Stored& entry, const config::Sources& files = {});

/// Those of `sources` whose files do not have their text.
config::Sources differing_from_disk(const config::Sources& sources);
/// What `include:` would bring beside `sources` if they were on the disk, for a person; empty: nothing.
std::string unwanted_includes(const config::Sources& sources);

} // namespace gw::keeper
