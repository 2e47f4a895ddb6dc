#pragma once

#include "gateway/base/descriptor.h"
#include "gateway/base/result.h"

#include <memory>
#include <string>
#include <string_view>

struct nft_ctx;

namespace gw::netfilter {

/// One libnftables context and its netlink socket, which is close-on-exec: a table that belongs to it goes the moment
/// this is destroyed or the process dies, whatever children it has. A process that forks without exec must close
/// `socket` in the child.
class NftContext {
public:
    /// Errors: `system`.
    static Result<NftContext> open();

    /// Runs one transaction. Errors: `denied` when the kernel says that the table or the privilege is not ours, else
    /// `system`; `what` is the first line nft says.
    Result<> run(const std::string& text);
    /// The kernel checks the transaction and drops it. Errors: as for `run`.
    Result<> try_out(const std::string& text);
    /// `table inet NAME` without counters; empty when there is none. Errors: as for `run`.
    Result<std::string> list_table(std::string_view name);
    /// What `list ...` prints, without what sets hold. As text each rule has its handle behind it. Not as JSON: tables
    /// with one flag, as ours have; libnftables 1.0.6 then reads memory it has freed. Errors: as for `run`.
    enum class Form { json, text };
    Result<std::string> list(const std::string& what, Form form);
    /// The netlink socket.
    int socket() const { return socket_; }
    /// From now on this one, in place of its own: the same as another context's, perhaps of another process. Both may
    /// be used, but not at the same time. Errors: `refused` when it is no socket of netfilter's netlink; `system`.
    Result<> use_socket(const Descriptor& socket);

private:
    struct Free {
        void operator()(nft_ctx* context) const noexcept;
    };
    std::unique_ptr<nft_ctx, Free> context_;
    int socket_ = -1; // owned by the context
};

} // namespace gw::netfilter
