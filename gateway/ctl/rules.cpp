#include "gateway/ctl/rules.h"

#include "gateway/ctl/configuration.h"
#include "netfilter/install.h"

#include <unistd.h>

namespace gw::ctl {

namespace {

Exit fail(const Error& error, Output& output)
{
    if (error.fault == Fault::denied && ::geteuid() != 0) {
        output.message("this changes the kernel's rules, which only root may");
        return Exit::not_allowed;
    }
    output.message(error.fault == Fault::denied
                       ? "gatewayd is running and looks after its rules itself: stop it first, with systemctl stop "
                         "gateway (" +
                             describe(error) + ')'
                       : describe(error));
    return Exit::failed;
}

netfilter::Plan plan_of(const config::Settings& settings)
{
    std::vector<netfilter::Capture> captures;
    for (const auto& listener : settings.listeners)
        if (listener.intercept) captures.push_back({listener.name, *listener.intercept, 0, 0});
    return netfilter::make_plan(settings.netfilter, std::move(captures), {});
}

} // namespace

Exit install_guard(const Invocation& invocation, Output& output)
{
    const auto file = file_or_default(invocation.file);
    const auto loaded = load(file);
    if (const auto* rejected = std::get_if<Rejected>(&loaded)) {
        output.message("the configuration is wrong; nothing was changed\n" + problems_text(*rejected));
        return Exit::wrong;
    }
    const auto plan = plan_of(std::get<Configuration>(loaded).settings);
    const auto opened = netfilter::Installer::open(plan.settings);
    if (!opened) return fail(opened.error(), output);
    const auto closed = (*opened)->guard(plan);
    if (!closed) return fail(closed.error(), output);
    return Exit::ok;
}

Exit remove_rules(const Invocation& invocation, Output& output)
{
    netfilter::Plan nothing;
    const auto loaded = load(file_or_default(invocation.file));
    if (const auto* configuration = std::get_if<Configuration>(&loaded))
        nothing.settings = configuration->settings.netfilter;
    else
        output.message(file_or_default(invocation.file) +
                       " cannot be read or is wrong: the usual names and numbers are meant");
    const auto opened = netfilter::Installer::open(nothing.settings);
    if (!opened) return fail(opened.error(), output);
    auto removed = (*opened)->sweep();
    if (removed) removed = (*opened)->install(nothing);
    if (!removed) return fail(removed.error(), output);
    return Exit::ok;
}

} // namespace gw::ctl
