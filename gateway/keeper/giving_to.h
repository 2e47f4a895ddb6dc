#pragma once

#include <sys/fsuid.h>

namespace gw::keeper {

/// While it lives, files of our own can be given to this group: as root that takes CAP_SETGID then, not the power to
/// give any file to anybody (CAP_CHOWN). Without either it changes nothing.
class GivingTo {
public:
    explicit GivingTo(gid_t group) : before_(static_cast<gid_t>(::setfsgid(group))) {}
    ~GivingTo() { ::setfsgid(before_); }
    GivingTo(const GivingTo&) = delete;
    GivingTo& operator=(const GivingTo&) = delete;

private:
    gid_t before_;
};

} // namespace gw::keeper
