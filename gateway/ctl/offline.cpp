#include "gateway/ctl/offline.h"

#include "gateway/ctl/configuration.h"
#include "gateway/ctl/explain.h"
#include "gateway/ctl/reply.h"
#include "gateway/http/url.h"
#include "netfilter/local_addresses.h"
#include "netfilter/plan.h"

#include <algorithm>
#include <netdb.h>

namespace gw::ctl {

namespace {

constexpr std::uint16_t first_example_port = 40'001;

Json json_of(const Rejected& rejected)
{
    auto problems = Json::array();
    for (const auto& problem : rejected.problems)
        problems.push_back({{"where", problem.where.text()},
                            {"path", problem.path},
                            {"what", problem.what},
                            {"text", config::describe(problem, rejected.sources)}});
    return problems;
}

/// With a word in front that tells them from mistakes.
std::string warnings_text(Rejected warnings)
{
    for (auto& warning : warnings.problems) warning.what = "warning: " + warning.what;
    return problems_text(warnings);
}

Exit reject(const Rejected& rejected, Output& output)
{
    output.message("the configuration is wrong; nothing can be said about it\n" + problems_text(rejected));
    return Exit::wrong;
}

// --- explain

/// The host's addresses as this machine sees them, in the resolver's order.
std::vector<Address> resolve(const std::string& host)
{
    std::vector<Address> found;
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    if (::getaddrinfo(host.c_str(), nullptr, &hints, &list) != 0) return found;
    for (const auto* one = list; one; one = one->ai_next) {
        sockaddr_storage storage{};
        std::copy_n(reinterpret_cast<const char*>(one->ai_addr), one->ai_addrlen, reinterpret_cast<char*>(&storage));
        found.push_back(from_sockaddr(storage).address);
    }
    ::freeaddrinfo(list);
    return found;
}

/// Of several addresses the first that somebody takes.
Address most_telling(const std::vector<Address>& addresses, const Packet& packet,
                     const std::vector<intake::ListenerSettings>& listeners)
{
    const auto taken = std::find_if(addresses.begin(), addresses.end(), [&](const Address& address) {
        auto there = packet;
        there.destination = address;
        return std::any_of(listeners.begin(), listeners.end(),
                           [&](const auto& listener) { return fit_of(listener, there).answer == Fit::Answer::yes; });
    });
    return taken == addresses.end() ? addresses.front() : *taken;
}

/// --to ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT.
Result<> take_destination(const std::string& text, Packet& packet)
{
    if (const auto address = Address::parse(text)) {
        packet.destination = *address;
        return {};
    }
    const auto endpoint = Endpoint::parse(text);
    if (!endpoint) return Error{Fault::malformed, Side::client, "--to: no address: " + text, {}};
    packet.destination = endpoint->address;
    packet.port = endpoint->port;
    return {};
}

void find_destination(const Configuration& configuration, Question& question)
{
    auto& packet = question.packet;
    if (const auto address = Address::parse(question.url.host)) {
        packet.destination = *address;
        question.destination_from = "the URL";
        return;
    }
    const auto addresses = resolve(question.url.host);
    if (addresses.empty()) return;
    packet.destination = most_telling(addresses, packet, configuration.settings.listeners);
    question.destination_from = "as " + question.url.host + " resolves here";
    if (addresses.size() > 1) question.destination_from += ", one of " + std::to_string(addresses.size());
}

Result<> take_headers(const std::vector<std::string>& lines, Question& question)
{
    for (const auto& line : lines) {
        const auto colon = line.find(':');
        if (colon == std::string::npos || colon == 0)
            return Error{Fault::malformed, Side::client, "--header: write it as 'Name: value'", {}};
        const auto value = std::min(line.find_first_not_of(" \t", colon + 1), line.size());
        question.headers.emplace_back(line.substr(0, colon), line.substr(value));
    }
    return {};
}

Result<Question> question_of(const Invocation& invocation)
{
    const auto url = parse_url(invocation.url);
    if (!url) return url.error();
    Question question;
    question.url = *url;
    question.method = invocation.method;
    question.listener = invocation.listener;
    question.packet.port = url->port;
    if (!invocation.client.empty()) {
        const auto client = Address::parse(invocation.client);
        if (!client) return Error{Fault::malformed, Side::client, "--client: no address: " + invocation.client, {}};
        question.packet.client = *client;
    }
    if (!invocation.to.empty()) {
        if (const auto taken = take_destination(invocation.to, question.packet); !taken) return taken.error();
        question.destination_from = "--to";
    }
    if (const auto taken = take_headers(invocation.headers, question); !taken) return taken.error();
    return question;
}

Exit refuse(const Error& error, Output& output)
{
    output.message(error.what);
    return error.fault == Fault::denied ? Exit::wrong : Exit::usage;
}

// --- rules

/// As the keeper would make it, but for the ports, which the kernel chooses when the sockets are opened.
netfilter::Plan plan_of(const config::Settings& settings, std::vector<std::string> present)
{
    std::vector<netfilter::Capture> captures;
    auto port = first_example_port;
    for (const auto& listener : settings.listeners) {
        if (!listener.intercept || !listener.intercept->needs_rules()) continue;
        captures.push_back({listener.name, *listener.intercept, port, static_cast<std::uint16_t>(port + 1)});
        port = static_cast<std::uint16_t>(port + 2);
    }
    auto plan = netfilter::make_plan(settings.netfilter, std::move(captures), std::move(present));
    plan.heartbeat_port = plan.heartbeat_port_v6 = port;
    return plan;
}

} // namespace

Exit check_file(const Invocation& invocation, Output& output)
{
    const auto file = file_or_default(invocation.file);
    const auto loaded = load(file);
    const auto* rejected = std::get_if<Rejected>(&loaded);
    const auto* accepted = std::get_if<Configuration>(&loaded);
    const auto warnings = accepted ? Rejected{accepted->sources, accepted->settings.warnings} : Rejected{};
    if (invocation.json) {
        Json answer{{"ok", rejected == nullptr}, {"file", file}, {"problems", Json::array()}};
        if (rejected) answer["problems"] = json_of(*rejected);
        answer["warnings"] = json_of(warnings);
        print(answer, output);
    } else if (rejected) {
        output.data(harmless(problems_text(*rejected)));
        output.message(file + ": " + counted(rejected->problems.size(), "problem", "problems"));
    } else {
        const auto& settings = std::get<Configuration>(loaded).settings;
        if (!warnings.problems.empty()) output.data(harmless(warnings_text(warnings)));
        output.data(harmless(file) + ": ok, " + counted(settings.listeners.size(), "listener", "listeners") + ", " +
                    counted(settings.routes.size(), "route", "routes") +
                    (settings.pools.empty() ? "" : ", " + counted(settings.pools.size(), "pool", "pools")) +
                    (warnings.problems.empty() ? "" : ", " + counted(warnings.problems.size(), "warning", "warnings")) +
                    '\n');
    }
    return rejected ? Exit::wrong : Exit::ok;
}

Exit explain_url(const Invocation& invocation, Output& output)
{
    auto question = question_of(invocation);
    if (!question) return refuse(question.error(), output);
    const auto loaded = load(file_or_default(invocation.file));
    if (const auto* rejected = std::get_if<Rejected>(&loaded)) return reject(*rejected, output);
    const auto& configuration = std::get<Configuration>(loaded);
    if (!question->packet.destination) find_destination(configuration, *question);
    const auto explanation = explain(*question, configuration);
    if (!explanation) return refuse(explanation.error(), output);
    if (invocation.json)
        print(explanation_json(*question, *explanation, configuration), output);
    else
        output.data(explanation_text(*question, *explanation, configuration, invocation.all, output.look(false)));
    return Exit::ok;
}

Exit show_rules_of_file(const Invocation& invocation, Output& output)
{
    const auto loaded = load(file_or_default(invocation.file));
    if (const auto* rejected = std::get_if<Rejected>(&loaded)) return reject(*rejected, output);
    auto present = netfilter::present_interfaces();
    if (!present) {
        output.message(describe(present.error()));
        return Exit::failed;
    }
    const auto plan = plan_of(std::get<Configuration>(loaded).settings, std::move(*present));
    const std::string note = "the listeners' ports (" + std::to_string(first_example_port) +
                             " and up) are examples: the kernel chooses them when gatewayd starts";
    if (invocation.json) {
        print({{"installed", false},
               {"note", note},
               {plan.settings.backend == netfilter::Backend::iptables ? "iptables" : "nft",
                netfilter::text_of_backend(plan)},
               {"ip", netfilter::ip_text(plan)}},
              output);
        return Exit::ok;
    }
    output.data("# " + note + '\n' + harmless(netfilter::text_of_backend(plan)) + '\n' +
                harmless(netfilter::ip_text(plan)));
    return Exit::ok;
}

} // namespace gw::ctl
