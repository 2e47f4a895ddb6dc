#include "gateway/keeper/upgrade.h"

#include "gateway/keeper/handover.h"

#include <boost/asio/co_spawn.hpp>
#include <filesystem>
#include <unistd.h>

namespace gw::keeper {

namespace {

Error failure(const std::string& program, const std::string& what)
{
    return Error{Fault::refused, Side::gateway, program + ": " + what + "; this process goes on as before", {}};
}

Result<Greeting> check_greeting(const Result<std::string>& answer, const std::string& program)
{
    if (!answer) {
        const bool silent = answer.error().fault == Fault::timed_out;
        return failure(program, silent ? "does not answer" : "ended before it said a word");
    }
    auto greeting = decode_greeting(*answer);
    if (!greeting) return failure(program, "is no gatewayd that can succeed this one");
    if (greeting->protocol != handover_protocol)
        return failure(program, "is version " + greeting->version + " with handover protocol " +
                                    std::to_string(greeting->protocol) + ", this one has " +
                                    std::to_string(handover_protocol) + ": restart the service instead");
    return greeting;
}

struct Parcel {
    std::string text;
    std::vector<Descriptor> descriptors;
};

Result<Parcel> pack(Estate& estate)
{
    const auto& in_force = estate.in_force;
    Handover handover;
    handover.config_file = estate.config_file;
    handover.sources = in_force.loaded->sources;
    handover.generation = in_force.generation;
    handover.workers = in_force.workers;
    handover.level = in_force.level;
    Parcel parcel;
    for (const auto& held : in_force.held) {
        handover.sockets.push_back({held.name, held.asked, held.intercepting, held.datagrams, held.mode});
        parcel.descriptors.emplace_back(::dup(held.socket.number()));
    }
    auto listeners = estate.server.listeners();
    parcel.descriptors.push_back(std::move(listeners.control));
    handover.metrics = listeners.metrics.is_open();
    if (handover.metrics) parcel.descriptors.push_back(std::move(listeners.metrics));
    if (estate.rules.installed()) {
        auto rules = estate.rules.hand_over();
        if (!rules) return rules.error();
        handover.rules = std::move(rules->state);
        for (auto& descriptor : rules->descriptors) parcel.descriptors.push_back(std::move(descriptor));
    }
    parcel.text = encode(handover);
    return parcel;
}

} // namespace

std::string own_program()
{
    std::error_code failed;
    auto path = std::filesystem::read_symlink("/proc/self/exe", failed).string();
    constexpr std::string_view deleted = " (deleted)";
    if (path.ends_with(deleted)) path.resize(path.size() - deleted.size());
    return path;
}

Task<Result<Successor>> hand_over_to(asio::io_context& io, const std::string& program, Estate estate,
                                     const Settings& settings)
{
    if (::access(program.c_str(), X_OK) != 0) co_return failure(program, "cannot be executed");
    ::unsetenv("WATCHDOG_PID"); // it is the next one's, whose number is not known yet
    auto started = DataLink::start(io, program.c_str(), "successor");
    if (!started) co_return failure(program, started.error().what);
    const auto process = std::move(*started); // dies with this, unless it is let go
    auto keep = [process](std::exception_ptr bug) {
        if (bug) std::rethrow_exception(bug);
    };
    asio::co_spawn(io, process->follow(), std::move(keep));

    std::string question{"who are you"};
    const auto answer = co_await process->ask(link::Kind::ask, std::move(question), {}, settings.greeting_limit);
    const auto greeting = check_greeting(answer, program);
    if (!greeting) {
        process->kill();
        co_return greeting.error();
    }
    auto parcel = pack(estate);
    Result<std::string> served = std::string{};
    if (!parcel)
        served = parcel.error();
    else
        served = co_await process->ask(link::Kind::prepare, std::move(parcel->text), std::move(parcel->descriptors),
                                       settings.prepare_limit);
    if (served) {
        auto earlier = estate.predecessors.copies();
        served = co_await process->ask(link::Kind::commit, {}, std::move(earlier), settings.commit_limit);
    }
    if (!served) {
        process->kill();
        estate.rules.take_back();
        co_return failure(program, "version " + greeting->version + ": " + served.error().what);
    }
    Successor successor{process, greeting->version};
    co_return successor;
}

} // namespace gw::keeper
