#pragma once

#include "gateway/base/result.h"

#include <string>
#include <string_view>
#include <sys/types.h>

namespace gw::keeper {

/// A file's next content, whole and on the disk under a name of its own beside it, until it is published or dropped.
/// What can go wrong (no permission, no room) goes wrong before that.
class StagedFile {
public:
    /// A file of ours: mode 0600. Errors: `system`, `denied`.
    static Result<StagedFile> write(std::string path, std::string_view text);
    /// Takes the place of a file that may be somebody else's: its mode and group stay, and its owner where we may give
    /// files away; behind a symbolic link the file it leads to is replaced. Errors: `system`, `denied`.
    static Result<StagedFile> write_over(std::string path, std::string_view text);

    StagedFile() = default; ///< nothing
    StagedFile(StagedFile&& other) noexcept;
    StagedFile& operator=(StagedFile&& other) noexcept;
    ~StagedFile();

    /// The file has the new content, or the old one: nothing between, also when the power goes. Errors: `system`.
    Result<> publish();

private:
    StagedFile(std::string path, std::string staged) : path_(std::move(path)), staged_(std::move(staged)) {}

    std::string path_;
    std::string staged_; // empty: published, or moved away
};

/// The content of a regular file of at most `limit_bytes`. Errors: `system`; `too_large`.
Result<std::string> read_whole(const std::string& path, std::size_t limit_bytes);
/// Makes the names in a folder as they are now last. Errors: `system`.
Result<> sync_folder(const std::string& folder);

} // namespace gw::keeper
