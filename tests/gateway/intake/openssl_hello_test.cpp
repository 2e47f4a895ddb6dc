#include "gateway/base/descriptor.h"
#include "gateway/intake/classify.h"

#include <arpa/inet.h>
#include <array>
#include <csignal>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <spawn.h>
#include <string>
#include <sys/socket.h>
#include <sys/wait.h>
#include <vector>

namespace gw::intake {
namespace {

constexpr std::size_t limit = 16 * 1024;

/// A program under test's control; ended with it.
class Child {
public:
    explicit Child(std::vector<std::string> words)
    {
        std::vector<char*> arguments;
        for (auto& word : words) arguments.push_back(word.data());
        arguments.push_back(nullptr);
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
        if (::posix_spawnp(&pid_, arguments.front(), &actions, nullptr, arguments.data(), environ) != 0) pid_ = -1;
        posix_spawn_file_actions_destroy(&actions);
    }
    ~Child()
    {
        if (pid_ < 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    bool started() const { return pid_ > 0; }

private:
    pid_t pid_ = -1;
};

bool readable(const Descriptor& socket)
{
    pollfd wait{socket.number(), POLLIN, 0};
    return ::poll(&wait, 1, 20'000) == 1;
}

/// The first bytes `openssl s_client` sends until `classify` is content; empty when it cannot be run.
std::string hello_of_openssl(std::vector<std::string> options)
{
    const Descriptor listener{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in name{};
    socklen_t size = sizeof name;
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* address = reinterpret_cast<sockaddr*>(&name);
    if (::bind(listener.number(), address, size) != 0 || ::listen(listener.number(), 1) != 0) return {};
    ::getsockname(listener.number(), address, &size);
    std::vector<std::string> words{"openssl", "s_client", "-connect",
                                   "127.0.0.1:" + std::to_string(ntohs(name.sin_port))};
    words.insert(words.end(), options.begin(), options.end());
    const Child client{words};
    if (!client.started() || !readable(listener)) return {};
    const Descriptor accepted{::accept4(listener.number(), nullptr, nullptr, SOCK_CLOEXEC)};
    std::string received;
    std::array<char, 4096> piece{};
    for (;;) {
        const auto answer = classify(received, limit);
        if (!answer || std::holds_alternative<Hello>(*answer)) return received;
        const auto count = readable(accepted) ? ::recv(accepted.number(), piece.data(), piece.size(), 0) : -1;
        if (count <= 0) return received;
        received.append(piece.data(), static_cast<std::size_t>(count));
    }
}

bool openssl_is_there() { return Child{{"openssl", "version"}}.started(); }

struct Case {
    std::vector<std::string> options;
    std::string server_name;
    std::vector<std::string> alpn;
};

TEST(OpensslHello, IsUnderstoodInEveryForm)
{
    if (!openssl_is_there()) GTEST_SKIP() << "the program openssl is not installed";
    const std::vector<Case> cases{
        {{"-servername", "Shop.example"}, "shop.example", {}},
        {{"-servername", "a.example", "-alpn", "h2,http/1.1"}, "a.example", {"h2", "http/1.1"}},
        {{"-noservername"}, "", {}},
        {{"-servername", "old.example", "-tls1_2"}, "old.example", {}},
        {{"-servername", "many.example", "-groups", "P-256:X25519:P-384:P-521:X448"}, "many.example", {}},
        {{"-servername", "pieces.example", "-split_send_frag", "512", "-max_send_frag", "512"}, "pieces.example", {}},
    };
    for (const auto& row : cases) {
        const auto bytes = hello_of_openssl(row.options);
        const auto answer = classify(bytes, limit);
        ASSERT_TRUE(answer && std::holds_alternative<Hello>(*answer)) << row.options.back() << ", " << bytes.size();
        const auto& hello = std::get<Hello>(*answer);
        EXPECT_EQ(hello.kind, Hello::Kind::tls) << row.options.back();
        EXPECT_EQ(hello.server_name, row.server_name);
        EXPECT_EQ(hello.alpn, row.alpn);
        for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
            const auto part = classify(std::string_view{bytes}.substr(0, cut), limit);
            ASSERT_TRUE(part && std::holds_alternative<NeedMore>(*part)) << row.options.back() << ", cut at " << cut;
        }
    }
}

} // namespace
} // namespace gw::intake
