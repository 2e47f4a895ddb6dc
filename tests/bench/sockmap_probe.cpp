// Whether relaying through a BPF sockmap would be worth it on this kernel: docs/bench.md, "What was tried". Root, on
// loopback, one way, one connection at a time. Prints what it costs all that take part, kernel threads included, and
// how much a relay takes from its sender when the receiver does not read. Not a test.
//   sockmap_probe [mebibytes]

#include "tests/bench/sockets.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <linux/bpf.h>
#include <linux/sockios.h>
#include <poll.h>
#include <string_view>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <vector>

namespace {

using namespace gw::bench;

constexpr std::size_t mebibyte = 1024 * 1024;

// --- the map and the program

int bpf(int command, bpf_attr& attributes)
{
    const auto made = ::syscall(SYS_bpf, command, &attributes, sizeof attributes);
    if (made < 0) fail("bpf, command " + std::to_string(command));
    return static_cast<int>(made);
}

std::uint64_t pointer_to(const void* what) { return reinterpret_cast<std::uint64_t>(what); }

int make_map()
{
    bpf_attr wanted{};
    wanted.map_type = BPF_MAP_TYPE_SOCKHASH;
    wanted.key_size = wanted.value_size = sizeof(std::uint64_t);
    wanted.max_entries = 16;
    return bpf(BPF_MAP_CREATE, wanted);
}

void put(int map, std::uint64_t key, int socket)
{
    const auto value = static_cast<std::uint64_t>(socket);
    bpf_attr entry{};
    entry.map_fd = static_cast<std::uint32_t>(map);
    entry.key = pointer_to(&key);
    entry.value = pointer_to(&value);
    bpf(BPF_MAP_UPDATE_ELEM, entry);
}

bpf_insn op(int code, int to, int from, int offset, int value)
{
    bpf_insn made{};
    made.code = static_cast<std::uint8_t>(code);
    made.dst_reg = static_cast<std::uint8_t>(to & 15);
    made.src_reg = static_cast<std::uint8_t>(from & 15);
    made.off = static_cast<std::int16_t>(offset);
    made.imm = value;
    return made;
}

/// What came for a socket goes to the one that `targets` has under its cookie. What has no bytes, a FIN alone, does
/// not: redirected, it would break the target with EPIPE.
int load_program(int targets)
{
    constexpr int move = BPF_ALU64 | BPF_MOV | BPF_X, set = BPF_ALU64 | BPF_MOV | BPF_K;
    constexpr int call = BPF_JMP | BPF_CALL, leave = BPF_JMP | BPF_EXIT;
    const std::array program{
        op(move, 6, 1, 0, 0),
        op(BPF_LDX | BPF_MEM | BPF_W, 0, 1, 0, 0), // the length
        op(BPF_JMP | BPF_JNE | BPF_K, 0, 0, 2, 0),
        op(set, 0, 0, 0, SK_DROP),
        op(leave, 0, 0, 0, 0),
        op(call, 0, 0, 0, BPF_FUNC_get_socket_cookie),
        op(BPF_STX | BPF_MEM | BPF_DW, 10, 0, -8, 0),
        op(move, 1, 6, 0, 0),
        op(BPF_LD | BPF_DW | BPF_IMM, 2, BPF_PSEUDO_MAP_FD, 0, targets),
        op(0, 0, 0, 0, 0),
        op(move, 3, 10, 0, 0),
        op(BPF_ALU64 | BPF_ADD | BPF_K, 3, 0, 0, -8),
        op(set, 4, 0, 0, 0),
        op(call, 0, 0, 0, BPF_FUNC_sk_redirect_hash),
        op(leave, 0, 0, 0, 0),
    };
    bpf_attr wanted{};
    wanted.prog_type = BPF_PROG_TYPE_SK_SKB;
    wanted.insns = pointer_to(program.data());
    wanted.insn_cnt = program.size();
    wanted.license = pointer_to("GPL");
    return bpf(BPF_PROG_LOAD, wanted);
}

// --- the relays: from one socket to the other, until the end

void relay_by_copy(int from, int to)
{
    std::vector<char> piece(64 * 1024);
    for (ssize_t count = 0; (count = ::recv(from, piece.data(), piece.size(), 0)) > 0;)
        if (::send(to, piece.data(), static_cast<std::size_t>(count), MSG_NOSIGNAL) != count) return;
}

void relay_by_splice(int from, int to)
{
    int ends[2];
    if (::pipe(ends) != 0 || ::fcntl(ends[0], F_SETPIPE_SZ, mebibyte) < 0) fail("pipe");
    for (ssize_t count = 0; (count = ::splice(from, nullptr, ends[1], nullptr, mebibyte, SPLICE_F_MOVE)) > 0;)
        while (count > 0) {
            const auto gone = ::splice(ends[0], nullptr, to, nullptr, static_cast<std::size_t>(count), SPLICE_F_MOVE);
            if (gone <= 0) return;
            count -= gone;
        }
}

/// tcp_info as the kernel has it; the C library's ends before these.
struct TcpInfo {
    tcp_info beginning;
    std::uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
};

TcpInfo info_of(int socket)
{
    TcpInfo info{};
    socklen_t size = sizeof info;
    ::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size);
    return info;
}

/// Never too much: what is acknowledged between the two questions is missed.
std::uint64_t bytes_put_into(int socket)
{
    const auto acknowledged = info_of(socket).bytes_acked;
    int queued = 0;
    ::ioctl(socket, SIOCOUTQ, &queued);
    return acknowledged + static_cast<std::uint64_t>(queued);
}

void relay_by_sockmap(int from, int to)
{
    // Two maps: a socket whose target is not there yet would lose what comes.
    const int targets = make_map(), senders = make_map();
    bpf_attr attach{};
    attach.target_fd = static_cast<std::uint32_t>(senders);
    attach.attach_bpf_fd = static_cast<std::uint32_t>(load_program(targets));
    attach.attach_type = BPF_SK_SKB_STREAM_VERDICT;
    bpf(BPF_PROG_ATTACH, attach);
    std::uint64_t cookie = 0;
    socklen_t size = sizeof cookie;
    ::getsockopt(from, SOL_SOCKET, SO_COOKIE, &cookie, &size);
    const auto before = bytes_put_into(to);
    put(targets, cookie, to);
    put(senders, cookie, from);
    switch_on(from, SOL_SOCKET, SO_RCVLOWAT); // the kernel looks again at what is queued already
    pollfd end{from, POLLRDHUP, 0};
    ::poll(&end, 1, -1);
    const auto received = info_of(from).bytes_received - 1; // without the FIN
    while (bytes_put_into(to) - before < received) ::usleep(1'000);
}

// --- the ends, and what is measured

struct Way {
    const char* name;
    void (*relay)(int from, int to);
};
constexpr Way ways[]{
    {"direct", nullptr}, {"copy", relay_by_copy}, {"splice", relay_by_splice}, {"sockmap", relay_by_sockmap}};

int listening(sockaddr_in& at)
{
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    at = address_of("127.0.0.1", 0);
    socklen_t size = sizeof at;
    if (::bind(socket, plain(at), size) != 0 || ::listen(socket, 1) != 0) fail("listen");
    ::getsockname(socket, reinterpret_cast<sockaddr*>(&at), &size);
    return socket;
}

int dialled(const sockaddr_in& to)
{
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    if (::connect(socket, plain(to), sizeof to) != 0) fail("connect");
    return socket;
}

pid_t in_child(const std::function<void()>& work)
{
    const auto child = ::fork();
    if (child != 0) return child;
    work();
    ::_exit(0);
}

/// The CPU time of the kernel's own threads, in seconds: what is redirected is sent by one of them.
double kernel_seconds()
{
    double total = 0;
    for (const auto& entry : std::filesystem::directory_iterator{"/proc"}) {
        std::string name;
        std::ifstream{entry.path() / "comm"} >> name;
        if (!name.starts_with("kworker") && !name.starts_with("ksoftirqd")) continue;
        double nanoseconds = 0;
        std::ifstream{entry.path() / "schedstat"} >> nanoseconds;
        total += nanoseconds / 1e9;
    }
    return total;
}

double seconds_of(pid_t child)
{
    rusage used{};
    ::wait4(child, nullptr, 0, &used);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

void measure(const Way& way, std::size_t mebibytes)
{
    sockaddr_in in{}, out{};
    const int for_client = listening(in), for_upstream = listening(out);
    const auto kernel = kernel_seconds();
    std::vector<pid_t> all{in_child([&] {
                               const std::vector<char> piece(mebibyte);
                               const int socket = dialled(way.relay == nullptr ? out : in);
                               for (std::size_t i = 0; i < mebibytes; ++i)
                                   ::send(socket, piece.data(), piece.size(), MSG_NOSIGNAL);
                           }),
                           in_child([&] {
                               std::vector<char> piece(mebibyte);
                               const int socket = ::accept(for_upstream, nullptr, nullptr);
                               std::size_t total = 0;
                               for (ssize_t count = 0; (count = ::recv(socket, piece.data(), piece.size(), 0)) > 0;)
                                   total += static_cast<std::size_t>(count);
                               if (total != mebibytes * mebibyte)
                                   std::printf("%s: %zu bytes arrived\n", way.name, total);
                           })};
    if (way.relay != nullptr)
        all.push_back(in_child([&] { way.relay(::accept(for_client, nullptr, nullptr), dialled(out)); }));
    double cpu = 0;
    for (const auto child : all) cpu += seconds_of(child);
    cpu += kernel_seconds() - kernel;
    std::printf("%-8s %6.3f CPU s/GB\n", way.name, cpu * 1e9 / static_cast<double>(mebibytes * mebibyte));
    ::close(for_client), ::close(for_upstream);
}

void stop_reading(const Way& way)
{
    sockaddr_in in{}, out{};
    const int for_client = listening(in), for_upstream = listening(out);
    const auto relay = in_child([&] { way.relay(::accept(for_client, nullptr, nullptr), dialled(out)); });
    const int sender = dialled(in), receiver = ::accept(for_upstream, nullptr, nullptr);
    const std::vector<char> piece(mebibyte);
    const std::size_t enough = 2048 * mebibyte;
    std::size_t taken = 0;
    for (pollfd room{sender, POLLOUT, 0}; taken<enough&& ::poll(&room, 1, 1'000)> 0;)
        if (const auto count = ::send(sender, piece.data(), piece.size(), MSG_DONTWAIT); count > 0)
            taken += static_cast<std::size_t>(count);
    std::printf("%-8s takes %zu MiB for a receiver that does not read%s\n", way.name, taken / mebibyte,
                taken < enough ? "" : ", and would take more");
    ::kill(relay, SIGKILL);
    seconds_of(relay);
    for (const int socket : {for_client, for_upstream, sender, receiver}) ::close(socket);
}

} // namespace

int main(int argc, char** argv)
{
    std::setvbuf(stdout, nullptr, _IONBF, 0);
    const auto mebibytes = static_cast<std::size_t>(argc > 1 ? std::atol(argv[1]) : 1024);
    for (int round = 0; round < 5; ++round)
        for (const auto& way : ways) measure(way, mebibytes);
    for (const auto& way : ways)
        if (way.relay != nullptr) stop_reading(way);
    return 0;
}
