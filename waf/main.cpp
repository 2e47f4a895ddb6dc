// gateway-inspector: started by gatewayd, never by a person. The only program that holds libmodsecurity.

#include "gateway/base/log.h"
#include "waf/engine/template.h"

#include <charconv>
#include <string_view>
#include <sys/prctl.h>
#include <sys/socket.h>

namespace {

bool is_link(int fd)
{
    int type = 0;
    socklen_t size = sizeof(type);
    return ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

} // namespace

int main(int count, char** words)
{
    gw::log::set_process("inspector");
    ::prctl(PR_SET_NAME, "gateway-inspector"); // however it was started
    int link = -1;
    if (count == 3 && std::string_view(words[1]) == "--link-fd") {
        const std::string_view number{words[2]};
        std::from_chars(number.data(), number.data() + number.size(), link);
    }
    if (!is_link(link)) {
        gw::log::error("gateway-inspector is started by gatewayd, with --link-fd");
        return 2;
    }
    return gw::waf::run_template(link);
}
