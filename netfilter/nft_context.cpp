#include "netfilter/nft_context.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <linux/netlink.h>
#include <nftables/libnftables.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace gw::netfilter {
namespace {

bool is_netfilter_socket(int descriptor)
{
    int domain = 0;
    int protocol = 0;
    socklen_t size = sizeof domain;
    if (::getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_NETLINK) return false;
    size = sizeof protocol;
    return ::getsockopt(descriptor, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 && protocol == NETLINK_NETFILTER;
}

std::vector<int> netfilter_sockets()
{
    std::vector<int> sockets;
    std::error_code failed;
    for (std::filesystem::directory_iterator at("/proc/self/fd", failed), end; !failed && at != end;
         at.increment(failed)) {
        const std::string name = at->path().filename();
        int descriptor = -1;
        std::from_chars(name.data(), name.data() + name.size(), descriptor);
        if (is_netfilter_socket(descriptor)) sockets.push_back(descriptor);
    }
    std::sort(sockets.begin(), sockets.end());
    return sockets;
}

/// "file:1:2-3: Error: Could not process rule: Operation not permitted" -> "Operation not permitted".
std::string first_complaint(std::string_view said)
{
    said = said.substr(0, said.find('\n'));
    for (const std::string_view lead : {"Error: ", "Could not process rule: "})
        if (const auto at = said.find(lead); at != std::string_view::npos) said.remove_prefix(at + lead.size());
    return said.empty() ? "nft says nothing" : std::string(said);
}

Error error_of(nft_ctx* context)
{
    const char* said = nft_ctx_get_error_buffer(context);
    std::string what = first_complaint(said == nullptr ? "" : said);
    const bool denied = what.find("Operation not permitted") != std::string::npos;
    return Error{denied ? Fault::denied : Fault::system, Side::gateway, "nft: " + std::move(what)};
}

} // namespace

void NftContext::Free::operator()(nft_ctx* context) const noexcept { nft_ctx_free(context); }

Result<NftContext> NftContext::open()
{
    // Without it libnftables ends the process.
    if (const Descriptor tried(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER)); !tried.is_open())
        return system_error("netfilter's netlink (module nfnetlink)");
    const auto before = netfilter_sockets();
    NftContext opened;
    opened.context_.reset(nft_ctx_new(NFT_CTX_DEFAULT));
    if (!opened.context_) return system_error("opening libnftables");
    nft_ctx* context = opened.context_.get();
    if (nft_ctx_buffer_error(context) != 0 || nft_ctx_buffer_output(context) != 0)
        return system_error("buffers of libnftables");
    nft_ctx_output_set_flags(context, NFT_CTX_OUTPUT_STATELESS);

    // libnftables opens its socket without close-on-exec and does not tell its number. A child that kept it would keep
    // our table alive after our death.
    for (const int descriptor : netfilter_sockets()) {
        if (std::binary_search(before.begin(), before.end(), descriptor)) continue;
        if (::fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0) return system_error("close-on-exec of libnftables' socket");
        opened.socket_ = descriptor;
    }
    if (opened.socket_ < 0)
        return Error{Fault::system, Side::gateway, "libnftables' socket not found in /proc/self/fd: is /proc mounted?"};
    return opened;
}

Result<> NftContext::run(const std::string& text)
{
    if (nft_run_cmd_from_buffer(context_.get(), text.c_str()) != 0) return error_of(context_.get());
    return {};
}

Result<> NftContext::try_out(const std::string& text)
{
    nft_ctx_set_dry_run(context_.get(), true);
    auto tried = run(text);
    nft_ctx_set_dry_run(context_.get(), false);
    return tried;
}

Result<> NftContext::use_socket(const Descriptor& socket)
{
    if (!is_netfilter_socket(socket.number()))
        return Error{Fault::refused, Side::gateway, "not a netlink socket of netfilter"};
    // libnftables keeps the number of its socket and never binds it, so another one may stand under that number.
    if (::dup3(socket.number(), socket_, O_CLOEXEC) < 0) return system_error("taking over the socket of the rules");
    return {};
}

Result<std::string> NftContext::list_table(std::string_view name)
{
    nft_ctx* context = context_.get();
    if (nft_run_cmd_from_buffer(context, ("list table inet " + std::string(name)).c_str()) == 0) {
        const char* text = nft_ctx_get_output_buffer(context);
        return std::string(text == nullptr ? "" : text);
    }
    auto error = error_of(context);
    if (error.what.find("No such file or directory") != std::string::npos) return std::string();
    return error;
}

Result<std::string> NftContext::list(const std::string& what, Form form)
{
    nft_ctx* context = context_.get();
    const auto flags = nft_ctx_output_get_flags(context);
    nft_ctx_output_set_flags(context, flags | NFT_CTX_OUTPUT_TERSE |
                                          (form == Form::json ? NFT_CTX_OUTPUT_JSON : NFT_CTX_OUTPUT_HANDLE));
    const bool listed = nft_run_cmd_from_buffer(context, ("list " + what).c_str()) == 0;
    nft_ctx_output_set_flags(context, flags);
    if (!listed) return error_of(context);
    const char* text = nft_ctx_get_output_buffer(context);
    return std::string(text == nullptr ? "" : text);
}

} // namespace gw::netfilter
