#include "tests/support/lab_gateway.h"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <poll.h>
#include <sstream>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace gw::lab {

namespace {

// An account without any rights of its own; nothing needs to exist under this number.
constexpr unsigned ordinary_user = 64'321;

std::vector<int> descendants_of(int id)
{
    std::vector<int> found{id};
    std::error_code ignored;
    for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(id) + "/task", ignored)) {
        std::ifstream children(task.path() / "children");
        for (int child = 0; children >> child;)
            for (const int each : descendants_of(child)) found.push_back(each);
    }
    return found;
}

} // namespace

Notifications::Notifications(const std::string& path)
    : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)), stop_(::eventfd(0, EFD_CLOEXEC))
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    ::unlink(path.c_str());
    EXPECT_EQ(::bind(socket_.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0) << path;
    std::filesystem::permissions(path, std::filesystem::perms::all);
    reader_ = std::thread([this] {
        std::array<pollfd, 2> waits{pollfd{socket_.number(), POLLIN, 0}, pollfd{stop_.number(), POLLIN, 0}};
        for (;;) {
            ::poll(waits.data(), waits.size(), -1);
            if (waits[1].revents != 0) return;
            read();
        }
    });
}

void Notifications::read()
{
    std::array<char, 4096> bytes;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * 16)> control;
    iovec part{bytes.data(), bytes.size()};
    msghdr head{};
    head.msg_iov = &part;
    head.msg_iovlen = 1;
    head.msg_control = control.data();
    head.msg_controllen = control.size();
    const auto count = ::recvmsg(socket_.number(), &head, MSG_CMSG_CLOEXEC);
    if (count < 0) return;
    std::vector<Descriptor> descriptors;
    for (auto* each = CMSG_FIRSTHDR(&head); each != nullptr; each = CMSG_NXTHDR(&head, each)) {
        if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SCM_RIGHTS) continue;
        for (std::size_t at = 0; CMSG_LEN(at + sizeof(int)) <= each->cmsg_len; at += sizeof(int)) {
            int number = -1;
            std::memcpy(&number, CMSG_DATA(each) + at, sizeof number);
            descriptors.emplace_back(number);
        }
    }
    take(std::string(bytes.data(), static_cast<std::size_t>(count)), std::move(descriptors));
}

void Notifications::take(const std::string& message, std::vector<Descriptor> descriptors)
{
    const auto value_of = [&message](const std::string& variable) {
        const auto at = ('\n' + message).find('\n' + variable + '=');
        if (at == std::string::npos) return std::string{};
        const auto from = at + variable.size() + 1;
        return message.substr(from, message.find('\n', from) - from);
    };
    const std::lock_guard lock(mutex_);
    said_.append(message) += '\n';
    if (value_of("FDSTORE") == "1")
        for (auto& descriptor : descriptors) kept_.emplace_back(value_of("FDNAME"), std::move(descriptor));
    if (value_of("FDSTOREREMOVE") == "1")
        std::erase_if(kept_, [name = value_of("FDNAME")](const auto& each) { return each.first == name; });
    changed_.notify_all();
}

void Notifications::begins_anew()
{
    const std::lock_guard lock(mutex_);
    said_.clear();
}

std::vector<std::pair<std::string, int>> Notifications::kept() const
{
    const std::lock_guard lock(mutex_);
    std::vector<std::pair<std::string, int>> all;
    for (const auto& [name, descriptor] : kept_) all.emplace_back(name, descriptor.number());
    return all;
}

std::vector<std::string> Notifications::kept_names() const
{
    std::vector<std::string> names;
    for (const auto& each : kept()) names.push_back(each.first);
    std::sort(names.begin(), names.end());
    return names;
}

void Notifications::keeps(std::string name, Descriptor descriptor)
{
    const std::lock_guard lock(mutex_);
    kept_.emplace_back(std::move(name), std::move(descriptor));
}

Notifications::~Notifications()
{
    const std::uint64_t one = 1;
    if (::write(stop_.number(), &one, sizeof one) != sizeof one) ADD_FAILURE() << "eventfd";
    reader_.join();
}

std::size_t Notifications::count(std::string_view word) const
{
    const std::lock_guard lock(mutex_);
    std::size_t found = 0;
    std::istringstream lines(said_);
    for (std::string line; std::getline(lines, line);) found += line == word ? 1 : 0;
    return found;
}

bool Notifications::heard(std::string_view word, std::size_t times, Milliseconds limit) const
{
    return eventually([&] { return count(word) > times; }, limit);
}

std::string Gateway::program_file(std::string_view name)
{
    if (const char* folder = std::getenv("GW_PROGRAM_DIR")) return std::string(folder) + '/' + std::string(name);
    return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / name).string();
}

Gateway::Gateway(const Network& network) : network_(network), file_(folder_.path("gateway.yaml")) {}

Gateway::~Gateway()
{
    if (process_ && process_->running()) stops();
    for (const int id : orphans()) ::kill(id, SIGKILL);
}

void Gateway::is_given(std::string_view yaml)
{
    std::string text(yaml);
    if (text.find("admin:") == std::string::npos) text += "\nadmin: {socket: " + socket_file() + "}\n";
    folder_.write("gateway.yaml", text);
}

void Gateway::knows_hosts(std::string_view lines) { hosts_file_ = folder_.write("hosts", lines); }

void Gateway::trusts(std::string_view certificate) { trusted_file_ = folder_.write("trusted.pem", certificate); }

void Gateway::starts(std::string_view yaml, unsigned user)
{
    is_given(yaml);
    starts_as_it_is(user);
}

void Gateway::runs_again()
{
    starts_as_it_is(0);
    EXPECT_TRUE(eventually([&] { return notifications_->count("READY=1") > 0 || !process_->running(); }));
    ASSERT_TRUE(process_->running()) << "gatewayd ended at once:\n" << log();
}

void Gateway::starts_as_it_is(unsigned user)
{
    if (notifications_ == nullptr || !descriptors_kept_)
        notifications_ = std::make_unique<Notifications>(folder_.path("notify"));
    notifications_->begins_anew();
    auto place = network_.gateway().place();
    if (descriptors_kept_) place.descriptors = notifications_->kept();
    place.environment = {"NOTIFY_SOCKET=" + folder_.path("notify")};
    place.user = user;
    if (user != 0) {
        place.capabilities = "net_admin,net_raw,net_bind_service";
        EXPECT_EQ(::chown(folder_.path().c_str(), user, user), 0);
    }
    if (!trusted_file_.empty()) place.environment.push_back("SSL_CERT_FILE=" + trusted_file_);
    Command command{program_file("gatewayd"), "--config", file_};
    if (std::find(more_options_.begin(), more_options_.end(), "--state-dir") == more_options_.end())
        command.insert(command.end(), {"--state-dir", state_folder()});
    command.insert(command.end(), more_options_.begin(), more_options_.end());
    // With a hosts file of its own: seen by this program only.
    if (!hosts_file_.empty())
        command.insert(command.begin(), {"unshare", "--mount", "sh", "-c",
                                         "mount --bind \"$0\" /etc/hosts && exec \"$@\"", hosts_file_});
    if (open_files_ != 0) {
        const auto count = std::to_string(open_files_);
        command.insert(command.begin(), {"prlimit", "--nofile=" + count + ':' + count});
    }
    process_ = std::make_unique<Process>(std::move(command), place);
}

void Gateway::runs_with(std::string_view yaml)
{
    starts(yaml, 0);
    EXPECT_TRUE(eventually([&] { return notifications_->count("READY=1") > 0 || !process_->running(); }));
    ASSERT_TRUE(process_->running()) << "gatewayd ended at once:\n" << log();
}

void Gateway::runs_unprivileged_with(std::string_view yaml)
{
    starts(yaml, ordinary_user);
    EXPECT_TRUE(eventually([&] { return notifications_->count("READY=1") > 0 || !process_->running(); }));
    ASSERT_TRUE(process_->running()) << "gatewayd ended at once:\n" << log();
}

Output Gateway::refuses(std::string_view yaml)
{
    starts(yaml, 0);
    auto output = process_->wait();
    EXPECT_NE(output.exit_code, 0) << "it did not refuse:\n" << yaml;
    process_.reset();
    return output;
}

void Gateway::reloads(std::string_view yaml)
{
    is_given(yaml);
    const auto answer = ctl({"reload"});
    EXPECT_EQ(answer.exit_code, 0) << answer.out << answer.err << log();
}

void Gateway::check_log() const
{
    for (const auto* complaint : {"Sanitizer", "runtime error:", "Assertion"})
        EXPECT_EQ(log().find(complaint), std::string::npos) << log();
}

void Gateway::stops()
{
    if (!process_) return;
    process_->signal(SIGTERM);
    const auto output = process_->wait(Milliseconds{45'000});
    EXPECT_EQ(output.exit_code, 0) << "gatewayd did not stop well:\n" << output.err;
    EXPECT_TRUE(eventually([] { return orphans().empty(); })) << "it left processes behind";
    check_log();
}

void Gateway::is_killed()
{
    auto ids = descendants_of(process_->id());
    for (const int id : ids) ::kill(id, SIGKILL);
    process_->wait();
    EXPECT_TRUE(eventually([] { return orphans().empty(); })) << "it left processes behind";
}

Output Gateway::program(std::string_view name, Command words) const
{
    words.insert(words.begin(), program_file(name));
    return run(std::move(words), network_.gateway().place());
}

Output Gateway::ctl(Command words) const
{
    words.insert(words.begin(), {"--socket", socket_file()});
    return program("gatewayctl", std::move(words));
}

std::vector<Json> Gateway::records() const
{
    std::vector<Json> found;
    const auto out = process_ ? process_->out() : "";
    std::istringstream lines(out.substr(0, out.rfind('\n') + 1));
    for (std::string line; std::getline(lines, line);) {
        auto json = Json::parse(line, nullptr, false);
        EXPECT_TRUE(json.is_object()) << "not a record: " << line;
        if (json.is_object()) found.push_back(std::move(json));
    }
    return found;
}

Json Gateway::record(const std::function<bool(const Json&)>& condition) const
{
    Json found;
    const bool came = eventually([&] {
        for (auto& each : records())
            if (condition(each)) return found = each, true;
        return false;
    });
    EXPECT_TRUE(came) << "no such record in:\n" << process_->out() << "service log:\n" << log();
    return came ? found : Json::object();
}

Json Gateway::request_record(std::string_view target) const
{
    return record(
        [&](const Json& each) { return each.value("kind", "") == "request" && each.value("target", "") == target; });
}

Json Gateway::connection_record(std::string_view client, std::size_t number) const
{
    std::size_t seen = 0;
    return record([&](const Json& each) {
        if (each.value("kind", "") != "connection") return false;
        const auto text = each.value("client", "");
        const auto address = Endpoint::parse(text);
        return address && address->address.text() == client && seen++ == number;
    });
}

std::vector<int> Gateway::process_ids(std::string_view name) const
{
    std::vector<int> found;
    for (const int id : descendants_of(process_->id())) {
        auto comm = read_file("/proc/" + std::to_string(id) + "/comm");
        if (!comm.empty()) comm.pop_back();
        if (name.empty() || name.substr(0, 15) == comm) found.push_back(id);
    }
    return found;
}

std::size_t Gateway::memory_kib() const
{
    std::size_t total = 0;
    for (const int id : process_ids()) {
        std::ifstream status("/proc/" + std::to_string(id) + "/status");
        for (std::string line; std::getline(status, line);)
            if (line.starts_with("VmRSS:")) total += std::strtoull(line.c_str() + 6, nullptr, 10);
    }
    return total;
}

std::string Gateway::rules() const
{
    return run({"nft", "--stateless", "list", "table", "inet", "gateway"}, network_.gateway().place()).out;
}

std::string Gateway::kernel_state() const
{
    std::string state;
    const auto place = network_.gateway().place();
    for (const Command& question : std::vector<Command>{{"nft", "--stateless", "list", "ruleset"},
                                                        {"ip", "rule"},
                                                        {"ip", "-6", "rule"},
                                                        {"ip", "route", "show", "table", "all"},
                                                        {"ip", "-6", "route", "show", "table", "all"}})
        state += run_well(question, place);
    return state;
}

} // namespace gw::lab
