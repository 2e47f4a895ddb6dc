// The client of the bench: asks, checks every answer, prints one line of JSON.
//   bench_load http|echo|stream|datagrams|who|who-datagrams --to ADDRESS:PORT [--connections N] [--milliseconds N]
//              [--count N] [--rate PER_SECOND] [--size BYTES] [--upload BYTES] [--target PATH] [--field 'Name: value']
//              [--status N] [--expect-source ADDRESS] [--patience SECONDS] [--close] [--hold]

#include "tests/bench/load.h"
#include "tests/bench/sockets.h"

#include <cstdio>
#include <vector>

namespace gw::bench {
namespace {

struct Asked {
    std::string what{};
    Load load{};
    Wish wish{};
};

Asked parse_arguments(const std::vector<std::string>& words)
{
    Asked asked;
    if (words.empty()) fail("say what to do; see the head of load_main.cpp");
    asked.what = words[0];
    auto& [what, load, wish] = asked;
    for (std::size_t i = 1; i < words.size(); ++i) {
        const auto& name = words[i];
        if (name == "--close")
            wish.close = true;
        else if (name == "--hold")
            load.hold = true;
        else if (i + 1 == words.size())
            fail("no value, or not known: " + name);
        else {
            const auto& value = words[++i];
            const auto number = std::strtoull(value.c_str(), nullptr, 10);
            if (name == "--to")
                load.to = endpoint_of(value);
            else if (name == "--connections")
                load.connections = number;
            else if (name == "--milliseconds")
                load.at_most = std::chrono::milliseconds{number};
            else if (name == "--count")
                load.count = number;
            else if (name == "--rate")
                load.per_second = std::strtod(value.c_str(), nullptr);
            else if (name == "--size")
                wish.size_bytes = number;
            else if (name == "--upload")
                wish.upload_bytes = number;
            else if (name == "--target")
                wish.target = value;
            else if (name == "--field")
                wish.fields += value + "\r\n";
            else if (name == "--status")
                wish.status = static_cast<int>(number);
            else if (name == "--patience")
                load.patience = std::chrono::seconds{number};
            else if (name == "--expect-source")
                wish.expect_source = value;
            else
                fail("not known: " + name);
        }
    }
    if (what == "datagrams") load.datagrams = true;
    wish.kind = what == "http" ? Kind::http : what == "stream" ? Kind::stream : Kind::echo;
    return asked;
}

// Whom the origin sees, as it says itself.
int ask_who(const Load& load, bool datagrams)
{
    const int socket = ::socket(AF_INET, (datagrams ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
    const timeval patience{2, 0};
    ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (::connect(socket, plain(load.to), sizeof load.to) != 0) fail("connect");
    if (datagrams && ::send(socket, "who?", 4, 0) != 4) fail("send");
    char text[64] = "";
    const auto count = ::recv(socket, text, sizeof text - 1, 0);
    if (count <= 0) fail("recv");
    std::printf("{\"source\": \"%s\"}\n", text);
    return 0;
}

std::string in_json(const std::string& text)
{
    std::string made;
    for (const char c : text) {
        if (c == '"' || c == '\\') made += '\\';
        made += static_cast<unsigned char>(c) < ' ' ? '?' : c;
    }
    return made;
}

int main(const std::vector<std::string>& words)
{
    const auto asked = parse_arguments(words);
    if (asked.what.starts_with("who")) return ask_who(asked.load, asked.what == "who-datagrams");
    auto outcome = run(asked.load, asked.wish);
    std::printf("{\"done\": %llu, \"failed\": %llu, \"bytes\": %llu, \"seconds\": %.6f, \"p50_us\": %.1f, "
                "\"p99_us\": %.1f, \"max_us\": %.1f, \"first_failure\": \"%s\"}\n",
                static_cast<unsigned long long>(outcome.done), static_cast<unsigned long long>(outcome.failed),
                static_cast<unsigned long long>(outcome.bytes), outcome.seconds, percentile(outcome.latencies_us, 0.5),
                percentile(outcome.latencies_us, 0.99), percentile(outcome.latencies_us, 1),
                in_json(outcome.first_failure).c_str());
    return 0;
}

} // namespace
} // namespace gw::bench

int main(int argc, char** argv) { return gw::bench::main({argv + 1, argv + argc}); }
