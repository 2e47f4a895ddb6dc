// fuzz-sources: gateway/ctl/url.cpp gateway/http/message.cpp gateway/http/path.cpp gateway/http/url.cpp
#include "gateway/ctl/url.h"

#include <cstdlib>
#include <vector>

namespace {

void require(bool holds)
{
    if (!holds) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::vector<char> exact(data, data + size);
    const auto url = gw::ctl::parse_url({exact.data(), exact.size()});
    if (!url) {
        require(!url.error().what.empty());
        return 0;
    }
    require(url->port != 0 && !url->host.empty() && url->path.starts_with('/'));
    const auto again = gw::ctl::parse_url(url->text());
    require(again.has_value() && again->text() == url->text());
    return 0;
}
