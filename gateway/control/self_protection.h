#pragma once

#include "gateway/base/descriptor.h"
#include "gateway/base/task.h"
#include "gateway/session/gate.h"
#include "gateway/session/refusals.h"
#include "gateway/session/settings.h"
#include "gateway/session/worker.h"

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace gw::control {

/// The most connections that so many open files allow, with a reserve for everything else: two for each (client and
/// upstream), and what the listening sockets, the log, the inspectors and the control link take.
std::size_t connections_for(std::size_t open_files, std::size_t listening_sockets);

/// Raises the limit of open files as far as it may be raised; what it is then.
std::size_t raise_open_files();

/// Makes the kernel's table of descriptors large enough for so many, 65,536 at most, which take 0.5 MiB. Call it before
/// there is a second thread: with more of them, each time the table doubles, whoever opens the descriptor that it has
/// no room for waits until all processors have passed a quiet state, 8 ms and more, and so do its worker's connections.
/// What does not go now is done later.
void make_room_for_descriptors(std::size_t open_files);

/// How short memory is. Begins at 92 % and 95 % of the budget, and ends below 90 % and 93 %, so that it does not
/// flutter.
enum class Shortage {
    none,
    shed,  ///< nothing new is begun, what is idle ends
    reset, ///< and those who hold most are reset
};
Shortage shortage_at(Shortage before, std::uint64_t used_bytes, std::uint64_t budget_bytes);

/// The budget when the configuration names none: three quarters of what the control group may use. `limit`: text of its
/// memory.max; "max" and nonsense: 0, none.
std::uint64_t budget_of_group(std::string_view limit);

/// Keeps the data process from what would end it: too many files, too much memory.
class SelfProtection {
public:
    SelfProtection(asio::io_context& io, session::Gate& gate, session::Refusals& refusals,
                   const std::vector<std::unique_ptr<session::Worker>>& workers);

    /// The limits of a configuration that comes into force. Says so when fewer connections fit than it wants.
    void apply(const session::Settings& settings, std::size_t listening_sockets);
    /// Looks ten times a second, and does what is to be done. Does not end.
    Task<void> watch();

    Shortage shortage() const { return shortage_; }
    std::uint64_t budget_bytes() const { return budget_bytes_; }
    std::uint64_t used_bytes() const { return used_bytes_; }
    /// Bodies that could not be held for inspection because of the budget.
    std::uint64_t bodies_refused() const { return bodies_refused_; }
    /// What an operator should know, one text each.
    std::vector<std::string> problems() const;

private:
    std::uint64_t resident_bytes() const;
    void look();
    void tell();
    std::string shortage_text() const;

    asio::io_context& io_;
    session::Gate& gate_;
    session::Refusals& refusals_;
    const std::vector<std::unique_ptr<session::Worker>>& workers_;
    std::size_t open_files_;
    std::uint64_t group_budget_bytes_;
    Descriptor statm_;
    std::uint64_t budget_bytes_ = 0;
    std::uint64_t used_bytes_ = 0;
    std::size_t wanted_ = 0;
    Shortage shortage_ = Shortage::none;
    int looks_ = 0;
    std::uint64_t bodies_refused_ = 0;
    std::chrono::steady_clock::time_point refusing_until_{};
    bool is_short_ = false;
};

} // namespace gw::control
