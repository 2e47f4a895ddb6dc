#pragma once

#include "gateway/base/task.h"
#include "gateway/base/thread.h"
#include "gateway/keeper/history.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <optional>
#include <string>
#include <utility>

namespace gw::keeper {

/// The history, if there is one, and a thread for what takes long: its disk, and large configurations to be parsed. The
/// keeper's own has a heartbeat to keep.
class Archive {
public:
    /// `folder`: the state directory; empty: none is kept.
    explicit Archive(std::string folder)
    {
        asio::post(thread_, [] { keep_only_descriptors({}); });
        if (folder.empty()) return;
        auto opened = History::open(std::move(folder));
        if (opened)
            history_ = std::move(*opened);
        else
            why_not_ = opened.error().what;
    }

    const History* history() const { return history_ ? &*history_ : nullptr; }
    /// Why there is none although one is wanted.
    const std::string& why_not() const { return why_not_; }

    /// Runs `work` on the other thread, one after the other. It must own what it uses; no descriptor
    /// goes from one to the other.
    template <class Work> Task<std::invoke_result_t<Work>> aside(Work work)
    {
        auto working = run(std::move(work));
        auto outcome = co_await asio::co_spawn(thread_.get_executor(), std::move(working), as_outcome);
        auto& [bug, result] = outcome;
        if (bug) std::rethrow_exception(bug);
        co_return std::move(result);
    }

private:
    template <class Work> static Task<std::invoke_result_t<Work>> run(Work work) { co_return work(); }

    std::optional<History> history_;
    std::string why_not_;
    asio::thread_pool thread_{1};
};

} // namespace gw::keeper
