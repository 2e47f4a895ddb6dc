#include "gateway/keeper/descriptor_store.h"

#include "gateway/base/log.h"
#include "gateway/keeper/descriptor_facts.h"
#include "netfilter/reply_socket.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <memory>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <utility>

namespace gw::keeper {

namespace {

constexpr std::uint64_t barrier_limit_us = 1'000'000;

std::string name_of(const HeldSocket& socket)
{
    return encode(DescriptorName{socket.name.listener, socket.intercepting, socket.mode, socket.datagrams,
                                 socket.asked.port == 0, socket.name.worker, socket.name.bound});
}

HeldSocket held_as(const DescriptorName& name, Descriptor socket)
{
    return {{name.listener, name.bound, name.worker},
            name.asked(),
            name.intercepting,
            name.datagrams,
            std::move(socket),
            name.mode};
}

/// Beside the listening sockets of its listener: the answers leave through it.
bool only_answers(const HeldSocket& socket)
{
    const auto& address = socket.name.bound.address;
    return socket.datagrams && address == netfilter::reply_address(address.is_v6());
}

bool of_one_address(const HeldSocket& a, const HeldSocket& b)
{
    return a.name.listener == b.name.listener && a.asked == b.asked && a.name.bound == b.name.bound;
}

/// Whether it is as `open_listener` would make it now.
std::string flaw_of_options(const HeldSocket& socket, const intake::ListenerSettings& listener, std::uint32_t own_mark)
{
    const auto facts = facts_of(socket.socket.number());
    if (!facts) return describe(facts.error());
    const auto mark = only_answers(socket) ? 0 : own_mark;
    const bool privileged = socket.intercepting && socket.mode != netfilter::Mode::redirect;
    if (facts->mark != mark && (privileged || facts->mark != 0)) return "carries another mark";
    const bool only_v6 = socket.asked.address.is_v6() && !listener.serves_both_families(socket.asked);
    if (!socket.datagrams && facts->only_v6 != only_v6) return "serves other families";
    return {};
}

/// The reason for which the sockets of one address are of no use together.
std::string flaw_of_address(const HeldSockets& held, const std::vector<std::string>& flaws, std::size_t index,
                            std::size_t workers)
{
    const auto& socket = held[index];
    std::set<std::size_t> served;
    for (std::size_t i = 0; i < held.size(); ++i) {
        const auto& other = held[i];
        if (!flaws[i].empty() || only_answers(other)) continue;
        if (of_one_address(other, socket)) served.insert(other.name.worker);
        // One listener waits at one port of each family; of several, left by changes, the first it is.
        else if (i < index && other.name.listener == socket.name.listener && other.asked == socket.asked)
            return "another one takes its place";
    }
    for (std::size_t worker = 0; worker < workers; ++worker)
        if (!served.contains(worker)) return "there are more workers now";
    return {};
}

/// Whether a listening socket is left whose answers leave through `held[index]`.
bool is_of_use(const HeldSockets& held, const std::vector<std::string>& flaws, std::size_t index)
{
    for (std::size_t i = 0; i < held.size(); ++i)
        if (flaws[i].empty() && !only_answers(held[i]) && held[i].name.listener == held[index].name.listener &&
            held[i].asked.address.is_v6() == held[index].asked.address.is_v6())
            return true;
    return false;
}

using Names = std::unique_ptr<char*, decltype([](char** names) {
                                  for (char** name = names; name != nullptr && *name != nullptr; ++name) ::free(*name);
                                  ::free(names);
                              })>;

/// As it may stand in the log.
std::string plain(std::string_view text)
{
    std::string into;
    log::append_plain(into, text);
    return into;
}

Result<HeldSocket> recognised(std::string_view text, Descriptor& descriptor)
{
    const auto name = decode_descriptor_name(text);
    if (!name) return name.error();
    const auto facts = facts_of(descriptor.number());
    if (!facts) return facts.error();
    if (auto wrong = difference(*name, *facts); !wrong.empty())
        return Error{Fault::malformed, Side::gateway, std::move(wrong), {}};
    // Who kept it may have changed that; it holds for all copies.
    const int flags = ::fcntl(descriptor.number(), F_GETFL);
    if (flags < 0 || ::fcntl(descriptor.number(), F_SETFL, flags | O_NONBLOCK) != 0) return system_error("fcntl");
    // The one before may have died while it was about to close it (leaving.h).
    static_cast<void>(intake::let_begin(descriptor.number(), true)); // fails where it was not
    return held_as(*name, std::move(descriptor));
}

} // namespace

std::vector<std::string> flaws_of(const HeldSockets& held, const config::Settings& settings, std::size_t workers)
{
    std::vector<std::string> flaws(held.size());
    const auto& listeners = settings.listeners;
    for (std::size_t i = 0; i < held.size(); ++i) {
        const auto found = std::find_if(listeners.begin(), listeners.end(),
                                        [&](const auto& listener) { return serves(held[i], listener); });
        flaws[i] = found == listeners.end() ? "no listener of the configuration needs it"
                                            : flaw_of_options(held[i], *found, settings.netfilter.own_mark);
    }
    const auto alone = flaws;
    for (std::size_t i = 0; i < held.size(); ++i)
        if (alone[i].empty() && !only_answers(held[i])) flaws[i] = flaw_of_address(held, alone, i, workers);
    for (std::size_t i = 0; i < held.size(); ++i)
        if (flaws[i].empty() && only_answers(held[i]) && !is_of_use(held, flaws, i))
            flaws[i] = "nothing is left that it could answer for";
    return flaws;
}

HeldSockets DescriptorStore::inherited()
{
    char** given = nullptr;
    const int count = ::sd_listen_fds_with_names(1, &given);
    const Names names{given};
    if (count < 0) log::warning("descriptors of the service manager are not understood, and not used");
    HeldSockets held;
    std::set<std::string> refused;
    for (int i = 0; i < count; ++i) {
        Descriptor descriptor{SD_LISTEN_FDS_START + i};
        const std::string name = names.get()[i];
        auto socket = recognised(name, descriptor);
        if (socket) {
            kept_.insert(name);
            held.push_back(std::move(*socket));
            continue;
        }
        log::warning("descriptor " + std::to_string(SD_LISTEN_FDS_START + i) + " (\"" + plain(name) +
                     "\") of the service manager is closed: " + socket.error().what);
        refused.insert(name);
    }
    for (const auto& name : refused) forget(name); // with what else is called so; that is then kept anew
    return held;
}

void DescriptorStore::fit(HeldSockets& held, const config::Settings& settings, std::size_t workers)
{
    const auto flaws = flaws_of(held, settings, workers);
    HeldSockets good;
    for (std::size_t i = 0; i < held.size(); ++i) {
        if (flaws[i].empty()) {
            good.push_back(std::move(held[i]));
            continue;
        }
        const auto name = name_of(held[i]);
        log::info("listening socket " + name + " is not used again: " + flaws[i]);
        give_up(held[i]);
        forget(name);
    }
    held = std::move(good);
    if (!held.empty()) log::info(std::to_string(held.size()) + " listening sockets were kept by the service manager");
    // What it has not closed yet would still get a share of what comes to an address that is opened again.
    if (std::exchange(forgot_, false)) ::sd_notify_barrier(0, barrier_limit_us);
}

void DescriptorStore::exchange(HeldSockets& held, HeldSockets now)
{
    std::set<std::string> wanted;
    for (const auto& socket : now) wanted.insert(name_of(socket));
    for (const auto& socket : held)
        if (!wanted.contains(name_of(socket))) give_up(socket);
    const auto before = kept_;
    for (const auto& name : before)
        if (!wanted.contains(name)) forget(name);
    held = std::move(now);
    for (const auto& socket : held) keep(socket);
}

void DescriptorStore::take_over(const HeldSockets& held)
{
    for (const auto& socket : held) kept_.insert(name_of(socket));
}

void DescriptorStore::keep(const HeldSocket& socket)
{
    const auto name = name_of(socket);
    if (kept_.contains(name)) return;
    if (kept_.size() >= most_stored) {
        log::warning_once("descriptor store", "more than " + std::to_string(most_stored) +
                                                  " listening sockets: the service manager does not keep them all");
        return;
    }
    const auto message = "FDSTORE=1\nFDNAME=" + name;
    const int number = socket.socket.number();
    const int sent = ::sd_pid_notify_with_fds(0, 0, message.c_str(), &number, 1);
    if (sent > 0) kept_.insert(name);
    if (sent >= 0) return;
    errno = -sent;
    log::warning_once("descriptor store", describe(system_error("listening sockets for the service manager")));
}

void DescriptorStore::forget(const std::string& name)
{
    kept_.erase(name);
    const bool harmless = std::all_of(name.begin(), name.end(), [](char c) { return c >= ' ' && c < 127; });
    if (!harmless) return; // no name that it would have taken
    forgot_ = ::sd_notify(0, ("FDSTOREREMOVE=1\nFDNAME=" + name).c_str()) > 0 || forgot_;
}

/// Whoever else has a copy: nobody is to wait in its queue any more. Datagrams wait for nobody, and answers may still
/// have to leave.
void DescriptorStore::give_up(const HeldSocket& socket)
{
    if (!socket.datagrams) ::shutdown(socket.socket.number(), SHUT_RDWR);
}

} // namespace gw::keeper
