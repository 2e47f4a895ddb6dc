#include "gateway/keeper/access_log.h"

#include "gateway/base/log.h"

#include <fcntl.h>
#include <sys/stat.h>

namespace gw::keeper {

namespace {

Descriptor copy_of(const Descriptor& file) { return Descriptor{::fcntl(file.number(), F_DUPFD_CLOEXEC, 0)}; }

Error refused(const std::string& path, const std::string& why)
{
    return Error{Fault::refused, Side::gateway, "access log " + path + " " + why, {}};
}

/// Without waiting: the open of a FIFO lasts until somebody reads it.
Result<Descriptor> open_file(const std::string& path)
{
    constexpr int how = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    Descriptor file{::open(path.c_str(), how, 0640)};
    const Error failed = system_error("access log " + path);
    struct stat found {};
    const bool known = file.is_open() ? ::fstat(file.number(), &found) == 0 : ::stat(path.c_str(), &found) == 0;
    if (known && (S_ISFIFO(found.st_mode) || S_ISSOCK(found.st_mode)))
        return refused(path, "is a pipe or a socket, whose reader could hold the gateway up: name a file, or stdout");
    if (!file.is_open()) return Error{Fault::system, Side::gateway, describe(failed), {}};
    const int flags = ::fcntl(file.number(), F_GETFL);
    if (flags < 0 || ::fcntl(file.number(), F_SETFL, flags & ~O_NONBLOCK) != 0)
        return system_error("access log " + path);
    return file;
}

} // namespace

Result<Descriptor> AccessLogFile::open(const session::AccessLog& access)
{
    Descriptor file;
    if (access.format != session::AccessLog::Format::off && access.to != "stdout") {
        auto opened = open_file(access.to);
        if (!opened) return opened.error();
        file = std::move(*opened);
    }
    path_ = access.to;
    last_ = file.is_open() ? copy_of(file) : Descriptor{};
    problem_.clear();
    return file;
}

Descriptor AccessLogFile::open_or_go_on(const session::AccessLog& access)
{
    auto opened = open(access);
    if (opened) return std::move(*opened);
    const bool has_last = last_.is_open() && path_ == access.to;
    problem_ = opened.error().what +
               (has_last ? "; lines go on to the file that was open" : "; lines go to standard output") +
               " until a reload can open it";
    log::error(problem_);
    return has_last ? copy_of(last_) : Descriptor{};
}

} // namespace gw::keeper
