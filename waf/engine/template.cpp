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
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace gw::waf {

namespace {

struct Loaded {
    Settings settings;
    std::unique_ptr<Engine> engine;
};

class Template {
public:
    Template(int link, Loaded loaded) : link_(link), loaded_(std::move(loaded)) {}

    int run();

private:
    void spawn(std::uint64_t number, Descriptor socket);
    [[noreturn]] void become_inspector(std::uint64_t number, Descriptor socket);

    int link_;
    Loaded loaded_;
};

// The kernel ends this process, stopped or not, with the thread of the data process that is its parent.
void end_with_parent() { ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); }

// A fork whose child is the data process's own, as this process is: it can be reaped and killed there without us, and
// lives on when we do not. The C library's fork has no way to say so; what else that does is for threads, and there are
// none.
pid_t fork_sibling() { return static_cast<pid_t>(::syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0)); }

// One request waits for it, and all the others for the workers. Niceness, man 7 sched.
constexpr int behind_workers = 5;

// It tells of itself: whoever hears of it can count on its end.
void Template::become_inspector(std::uint64_t number, Descriptor socket)
{
    end_with_parent();
    send_note(link_, {Note::What::spawned, ::getpid(), number});
    ::close(link_);
    static_cast<void>(::nice(behind_workers)); // without it the rest holds all the same
    if (!restrict_inspector()) ::_exit(4);
    serve_inspections(socket.number(), *loaded_.engine, loaded_.settings);
    ::_exit(0);
}

// When there is no process, the socket closes here: whoever waits at the other end sees it.
void Template::spawn(std::uint64_t number, Descriptor socket)
{
    const pid_t child = fork_sibling();
    if (child == 0) become_inspector(number, std::move(socket));
    if (child > 0) return;
    log::error("inspector: fork failed");
    send_note(link_, {Note::What::spawned, 0, number});
}

int Template::run()
{
    for (;;) {
        auto received = receive_note(link_);
        if (!received && received.error().cause.value() == EINTR) continue;
        if (!received) return 0;
        if (received->note.what == Note::What::spawn && received->socket.is_open())
            spawn(received->note.inspector, std::move(received->socket));
    }
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
    if (auto dropped = drop_privileges(link); !dropped) return dropped;
    end_with_parent(); // again: the change of identity forgot it
    return restrict_template();
}

} // namespace

int run_template(int link_fd)
{
    ::signal(SIGPIPE, SIG_IGN);
    end_with_parent();
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
