#include "gateway/keeper/control_socket_file.h"

#include "gateway/keeper/giving_to.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

namespace gw::keeper {

namespace {

using namespace std::chrono_literals;

// Another daemon holds the lock for a few system calls only, or has been frozen among them.
constexpr auto lock_pause = 10ms;
constexpr auto lock_limit = 2s;

Result<sockaddr_un> unix_name(const std::string& path)
{
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    if (path.size() >= sizeof name.sun_path)
        return Error{Fault::malformed,
                     Side::gateway,
                     "admin.socket: the path is longer than " + std::to_string(sizeof name.sun_path - 1) + " bytes",
                     {}};
    std::copy(path.begin(), path.end(), name.sun_path);
    return name;
}

/// `errno`, or, when it is that this user may not, what is wanted.
Error socket_file_error(const std::string& what)
{
    if ((errno != EACCES && errno != EPERM) || ::geteuid() == 0) return system_error("admin.socket: " + what);
    return Error{Fault::system,
                 Side::gateway,
                 "admin.socket: no permission for " + what +
                     ": start gatewayd as root or by its unit (`systemctl start gateway`), or name a socket in a "
                     "folder that this user may write to",
                 {}};
}

/// Whoever may rename files there could put another file in the socket's place while it is made, or afterwards a socket
/// of their own that takes gatewayctl's orders.
Result<> check_folder(const std::filesystem::path& folder)
{
    struct stat found {};
    if (::stat(folder.c_str(), &found) != 0) return socket_file_error(folder.string());
    if (::access(folder.c_str(), W_OK) != 0) return socket_file_error(folder.string());
    const bool ours = found.st_uid == 0 || found.st_uid == ::geteuid();
    const bool others_write = (found.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (found.st_mode & S_ISVTX) == 0;
    if (ours && !others_write) return {};
    return Error{Fault::refused,
                 Side::gateway,
                 "admin.socket: others may write to " + folder.string() +
                     ": give it to root or to the gateway's user, and take the right to write from all others",
                 {}};
}

Error in_use(const std::string& path)
{
    return Error{Fault::refused,
                 Side::gateway,
                 "another gatewayd serves " + path + ": stop it first, or give this one another admin.socket",
                 {}};
}

/// Whether this is the file that the path names now.
bool is_still(const struct stat& file, const std::string& path)
{
    struct stat found {};
    return ::lstat(path.c_str(), &found) == 0 && found.st_dev == file.st_dev && found.st_ino == file.st_ino;
}

/// A file beside the socket, locked for as long as one looks who serves there and takes its place: between the two
/// another daemon could do the same. It goes with the lock, and the lock with the process.
class Lock {
public:
    explicit Lock(std::string path) : path_(std::move(path)) {}
    ~Lock()
    {
        if (file_.is_open()) ::unlink(path_.c_str());
    }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

    /// Errors: `timed_out`, `system`.
    Result<> take()
    {
        for (const auto until = std::chrono::steady_clock::now() + lock_limit;;) {
            Descriptor file{::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
            if (!file.is_open()) return socket_file_error(path_);
            struct stat status {};
            const bool locked = ::flock(file.number(), LOCK_EX | LOCK_NB) == 0;
            if (locked && ::fstat(file.number(), &status) == 0 && is_still(status, path_)) {
                file_ = std::move(file);
                return {};
            }
            if (locked) continue; // the one before has just removed it
            if (std::chrono::steady_clock::now() >= until) return Error{Fault::timed_out, Side::gateway, path_, {}};
            std::this_thread::sleep_for(lock_pause);
        }
    }

private:
    std::string path_;
    Descriptor file_;
};

/// A socket file may be left over from a process that was killed: then nobody answers, and it can go.
Result<> clear_path(const std::string& path, const sockaddr_un& name)
{
    struct stat found {};
    if (::lstat(path.c_str(), &found) != 0) return {};
    if (!S_ISSOCK(found.st_mode))
        return Error{Fault::refused, Side::gateway, "admin.socket: " + path + " exists and is no socket", {}};
    const Descriptor probe{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    const bool taken = ::connect(probe.number(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0;
    if (taken || errno == EAGAIN) return in_use(path); // the latter: its queue is full
    if (::unlink(path.c_str()) != 0) return socket_file_error(path);
    return {};
}

} // namespace

Result<Descriptor> ControlSocketFile::open(const std::string& path, std::optional<gid_t> group)
{
    const auto name = unix_name(path);
    if (!name) return name.error();
    std::error_code failed;
    const auto folder = std::filesystem::absolute(path, failed).parent_path();
    std::filesystem::create_directories(folder, failed);
    if (failed) {
        errno = failed.value();
        return socket_file_error(folder.string());
    }
    if (const auto safe = check_folder(folder); !safe) return safe.error();
    Lock lock{path + ".lock"};
    if (const auto locked = lock.take(); !locked)
        return locked.error().fault == Fault::timed_out ? in_use(path) : locked.error();
    if (const auto cleared = clear_path(path, *name); !cleared) return cleared.error();

    Descriptor socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    // The file must never be open to more than it will be: made with no rights for others, then given its group.
    const auto mask = ::umask(0177);
    const bool bound = ::bind(socket.number(), reinterpret_cast<const sockaddr*>(&*name), sizeof *name) == 0;
    ::umask(mask);
    if (!bound || ::listen(socket.number(), 128) != 0) return socket_file_error(path);
    if (group) {
        const GivingTo giving{*group};
        if (::lchown(path.c_str(), static_cast<uid_t>(-1), *group) == 0) ::chmod(path.c_str(), 0660);
    }
    return socket;
}

ControlSocketFile ControlSocketFile::of(const std::string& path)
{
    ControlSocketFile file;
    struct stat found {};
    if (::lstat(path.c_str(), &found) != 0) return file;
    file.path_ = path;
    file.device_ = found.st_dev;
    file.number_ = found.st_ino;
    return file;
}

void ControlSocketFile::remove() const
{
    struct stat ours {};
    ours.st_dev = device_;
    ours.st_ino = number_;
    if (!path_.empty() && is_still(ours, path_)) ::unlink(path_.c_str());
}

} // namespace gw::keeper
