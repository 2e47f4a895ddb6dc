#include "gateway/keeper/staged_file.h"

#include "gateway/base/descriptor.h"
#include "gateway/keeper/giving_to.h"

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

namespace gw::keeper {

namespace {

Error file_error(const std::string& path)
{
    const int cause = errno;
    const bool denied = cause == EACCES || cause == EPERM || cause == EROFS;
    return {denied ? Fault::denied : Fault::system,
            Side::gateway,
            "writing " + path + ": " + std::generic_category().message(cause),
            {}};
}

Result<> write_all_of(int file, std::string_view text)
{
    while (!text.empty()) {
        const auto count = ::write(file, text.data(), text.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return system_error("write");
        text.remove_prefix(static_cast<std::size_t>(count));
    }
    return {};
}

std::string folder_of(const std::string& path)
{
    const auto folder = std::filesystem::path{path}.parent_path().string();
    return folder.empty() ? "." : folder;
}

/// Hidden, so that no `include: "*.yaml"` takes it.
std::string staged_name(const std::string& path)
{
    const std::filesystem::path whole{path};
    return (whole.parent_path() / ("." + whole.filename().string() + ".new")).string();
}

std::string behind_links(const std::string& path)
{
    const std::unique_ptr<char, decltype(&std::free)> real{::realpath(path.c_str(), nullptr), &std::free};
    return real ? real.get() : path;
}

/// As the file it replaces: who may read it must not change by our writing it.
bool made_like(int file, const struct stat& old)
{
    const GivingTo giving{old.st_gid};
    if (::fchown(file, old.st_uid, old.st_gid) != 0 && ::fchown(file, static_cast<uid_t>(-1), old.st_gid) != 0)
        return ::fchmod(file, old.st_mode & 0700) == 0; // the group is not ours to give: then it gets no rights
    return ::fchmod(file, old.st_mode & 07777) == 0;
}

} // namespace

StagedFile::StagedFile(StagedFile&& other) noexcept
    : path_(std::move(other.path_)), staged_(std::exchange(other.staged_, {}))
{}

StagedFile& StagedFile::operator=(StagedFile&& other) noexcept
{
    std::swap(path_, other.path_);
    std::swap(staged_, other.staged_);
    return *this;
}

StagedFile::~StagedFile()
{
    if (!staged_.empty()) ::unlink(staged_.c_str());
}

Result<StagedFile> StagedFile::write(std::string path, std::string_view text)
{
    auto staged = staged_name(path);
    ::unlink(staged.c_str()); // left over from a process that was killed
    const Descriptor file{::open(staged.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (!file.is_open()) return file_error(path);
    StagedFile made{std::move(path), std::move(staged)};
    if (!write_all_of(file.number(), text) || ::fsync(file.number()) != 0) return file_error(made.path_);
    return made;
}

Result<StagedFile> StagedFile::write_over(std::string path, std::string_view text)
{
    path = behind_links(path);
    struct stat old {};
    const bool is_there = ::stat(path.c_str(), &old) == 0;
    auto made = write(path, text);
    if (!made || !is_there) return made;
    const Descriptor file{::open(made->staged_.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW)};
    if (!file.is_open() || !made_like(file.number(), old) || ::fsync(file.number()) != 0) return file_error(path);
    return made;
}

Result<> StagedFile::publish()
{
    if (staged_.empty()) return {};
    if (::rename(staged_.c_str(), path_.c_str()) != 0) return file_error(path_);
    staged_.clear();
    return sync_folder(folder_of(path_));
}

Result<std::string> read_whole(const std::string& path, std::size_t limit_bytes)
{
    const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    struct stat about {};
    if (!file.is_open() || ::fstat(file.number(), &about) != 0) return system_error("reading " + path);
    if (!S_ISREG(about.st_mode) || about.st_size < 0 || static_cast<std::size_t>(about.st_size) > limit_bytes)
        return Error{Fault::too_large, Side::gateway, path + " is no regular file, or too large", {}};
    std::string text;
    char block[64 * 1024];
    for (ssize_t count = 0; (count = ::read(file.number(), block, sizeof block)) != 0;) {
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return system_error("reading " + path);
        text.append(block, static_cast<std::size_t>(count));
        if (text.size() > limit_bytes) return Error{Fault::too_large, Side::gateway, path + " is too large", {}};
    }
    return text;
}

Result<> sync_folder(const std::string& folder)
{
    const Descriptor opened{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!opened.is_open() || ::fsync(opened.number()) != 0) return file_error(folder);
    return {};
}

} // namespace gw::keeper
