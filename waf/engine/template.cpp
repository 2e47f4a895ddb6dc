#include "waf/engine/template.h"

#include "gateway/base/descriptor.h"
#include "gateway/base/log.h"
#include "waf/engine/match_guard.h"
#include "waf/engine/sandbox.h"
#include "waf/engine/serve.h"
#include "waf/link.h"
#include "waf/wire.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <map>
#include <optional>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace gw::waf {

namespace {

void wake(int) noexcept {}

struct Loaded {
    Settings settings;
    std::unique_ptr<Engine> engine;
};

class Template {
public:
    Template(int link, Loaded loaded) : link_(link), loaded_(std::move(loaded)) {}

    int run();

private:
    void watch_children();
    void reap();
    bool take_note();
    void spawn(std::uint64_t number, Descriptor socket);
    [[noreturn]] void become_inspector(Descriptor socket);
    void end(std::uint64_t number);

    int link_;
    Loaded loaded_;
    sigset_t waiting_mask_{};
    std::map<std::uint64_t, pid_t> children_;
};

// SIGCHLD is blocked but while waiting in ppoll: a child's end is never missed.
void Template::watch_children()
{
    struct sigaction action {};
    action.sa_handler = wake;
    ::sigaction(SIGCHLD, &action, nullptr);
    sigset_t blocked;
    ::sigemptyset(&blocked);
    ::sigaddset(&blocked, SIGCHLD);
    ::sigprocmask(SIG_BLOCK, &blocked, &waiting_mask_);
    ::sigdelset(&waiting_mask_, SIGCHLD);
}

void Template::reap()
{
    for (;;) {
        const pid_t gone = ::waitpid(-1, nullptr, WNOHANG);
        if (gone <= 0) return;
        for (auto child = children_.begin(); child != children_.end(); ++child) {
            if (child->second != gone) continue;
            send_note(link_, {Note::What::ended, gone, child->first});
            children_.erase(child);
            break;
        }
    }
}

void Template::become_inspector(Descriptor socket)
{
    ::close(link_);
    ::sigprocmask(SIG_SETMASK, &waiting_mask_, nullptr);
    ::signal(SIGCHLD, SIG_DFL);
    if (!restrict_inspector()) ::_exit(4);
    serve_inspections(socket.number(), *loaded_.engine, loaded_.settings);
    ::_exit(0);
}

void Template::spawn(std::uint64_t number, Descriptor socket)
{
    const pid_t child = ::fork();
    if (child == 0) become_inspector(std::move(socket));
    if (child < 0) {
        log::error("inspector: fork failed");
        return; // the socket closes here: whoever waits at the other end sees it
    }
    children_[number] = child;
    send_note(link_, {Note::What::spawned, child, number});
}

// Only a child that was not waited for: its number cannot belong to anyone else.
void Template::end(std::uint64_t number)
{
    const auto child = children_.find(number);
    if (child != children_.end()) ::kill(child->second, SIGKILL);
}

bool Template::take_note()
{
    auto received = receive_note(link_);
    if (!received) return received.error().cause.value() == EINTR;
    if (received->note.what == Note::What::spawn && received->socket.is_open())
        spawn(received->note.inspector, std::move(received->socket));
    else if (received->note.what == Note::What::end)
        end(received->note.inspector);
    return true;
}

int Template::run()
{
    watch_children();
    for (;;) {
        reap();
        pollfd link{link_, POLLIN, 0};
        const int ready = ::ppoll(&link, 1, nullptr, &waiting_mask_);
        if (ready < 0 && errno != EINTR) break;
        if (ready > 0 && !take_note()) break;
    }
    for (const auto& [number, child] : children_) ::kill(child, SIGKILL);
    while (::waitpid(-1, nullptr, 0) > 0) {
    }
    return 0;
}

Result<Loaded> load(int link)
{
    const auto text = receive_long(link);
    if (!text) return text.error();
    auto settings = decode_settings(*text);
    if (!settings) return settings.error();
    auto engine = Engine::compile(*settings);
    if (!engine) return engine.error();
    return Result<Loaded>(Loaded{std::move(*settings), std::move(*engine)});
}

// What a library reads from files at first use must be read before there are none: the time zone, the kernel's random
// numbers, the code that throws. One inspection of each kind warms all of it, and the memory it takes is then shared.
void warm_up(Loaded& loaded)
{
    ::tzset();
    sigset_t clock;
    ::sigemptyset(&clock);
    ::sigaddset(&clock, SIGPROF);
    ::sigprocmask(SIG_BLOCK, &clock, nullptr); // the first one may well take longer than a request may
    const std::array fields{http::Field{"Host", "warm.example"}, http::Field{"User-Agent", "warm"},
                            http::Field{"Content-Type", "application/x-www-form-urlencoded"}};
    RequestView request;
    request.method = "POST";
    request.target = "/?a=1";
    request.fields = fields;
    request.body = "b=2";
    ResponseView response;
    response.status = 200;
    response.fields = fields;
    for (std::size_t policy = 0; policy < loaded.settings.policies.size(); ++policy) {
        auto transaction = loaded.engine->begin(policy);
        if (!transaction) continue;
        transaction->request(request);
        transaction->response(response);
    }
    ::sigprocmask(SIG_UNBLOCK, &clock, nullptr);
}

Result<> give_up_everything(int link)
{
    // The parent is a thread that lives as long as it wants inspectors; asked for after the change of identity, which
    // forgets it.
    if (auto dropped = drop_privileges(link); !dropped) return dropped;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    return restrict_template();
}

} // namespace

int run_template(int link_fd)
{
    ::signal(SIGPIPE, SIG_IGN);
    auto loaded = load(link_fd);
    if (!loaded) {
        send_long(link_fd, std::string(report_failed) + loaded.error().what);
        return 1;
    }
    install_match_guard(leave_out_of_time);
    warm_up(*loaded);
    if (auto given_up = give_up_everything(link_fd); !given_up) {
        send_long(link_fd, std::string(report_failed) + describe(given_up.error()));
        return 1;
    }
    if (!send_long(link_fd, std::string(report_ok) + loaded->engine->description())) return 1;
    // Straight out: there is nothing to write, and what runs at exit is not made for a sandbox.
    Template runner{link_fd, std::move(*loaded)};
    ::_exit(runner.run());
}

} // namespace gw::waf
