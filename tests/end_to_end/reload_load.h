#pragma once

#include "tests/support/lab.h"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace gw::lab {

/// How often a test turns: `usual`, or what GATEWAY_SOAK_TURNS in the environment says.
inline int turns_wanted(int usual)
{
    const char* wanted = std::getenv("GATEWAY_SOAK_TURNS");
    return wanted != nullptr && std::atoi(wanted) > 0 ? std::atoi(wanted) : usual;
}

/// A client that asks again and again until told to end, on one connection or on a new one for each request, and counts
/// what did not come back as it should.
class SoakClient {
public:
    SoakClient(const Network& network, bool keep_alive)
        : thread_(
              [this, &network, keep_alive] { run(network.client(keep_alive ? "10.0.1.3" : "10.0.1.4"), keep_alive); })
    {}
    ~SoakClient() { ends(); }
    SoakClient(const SoakClient&) = delete;
    SoakClient& operator=(const SoakClient&) = delete;

    void ends()
    {
        stop_ = true;
        if (thread_.joinable()) thread_.join();
    }
    int good() const { return good_; }
    int bad() const { return bad_; }
    /// Once it has ended:
    double worst_ms() const { return worst_ms_; }
    const std::string& first_failure() const { return first_failure_; }

private:
    void run(const Client& client, bool keep_alive)
    {
        Socket socket;
        while (!stop_) {
            const auto began = std::chrono::steady_clock::now();
            if (!keep_alive || !socket.connected()) socket = client.dials("10.0.2.11:80");
            const bool sent = socket.connected() && socket.sends(request("GET", "/load", "a.example"));
            const auto answer = sent ? receive_message(socket) : Message{};
            const bool fine = answer.whole && answer.head.starts_with("HTTP/1.1 200");
            if (!fine && bad_ == 0)
                first_failure_ = std::string(sent ? "sent" : "not sent") + ", error " + std::to_string(socket.error()) +
                                 ", \"" + answer.first_line() + '"';
            ++(fine ? good_ : bad_);
            const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - began;
            worst_ms_ = std::max(worst_ms_, took.count());
            if (!fine || answer.header("connection") == "close") socket.closes();
        }
    }

    std::atomic<bool> stop_{false};
    std::atomic<int> good_{0}, bad_{0};
    double worst_ms_ = 0;
    std::string first_failure_;
    std::thread thread_;
};

/// Several of one kind: one, or as many as GATEWAY_SOAK_CLIENTS says.
class Crowd {
public:
    Crowd(const Network& network, bool keep_alive)
    {
        const char* wanted = std::getenv("GATEWAY_SOAK_CLIENTS");
        for (int count = wanted != nullptr ? std::atoi(wanted) : 1; count > 0; --count)
            loads_.push_back(std::make_unique<SoakClient>(network, keep_alive));
    }
    void end()
    {
        for (auto& load : loads_) load->ends();
    }
    int good() const
    {
        int all = 0;
        for (const auto& load : loads_) all += load->good();
        return all;
    }
    /// Once it has ended: ends the test badly when one request failed, and prints what there was.
    void expect_no_failure(const char* kind)
    {
        end();
        int bad = 0;
        double worst_ms = 0;
        for (const auto& load : loads_) {
            bad += load->bad();
            worst_ms = std::max(worst_ms, load->worst_ms());
            EXPECT_EQ(load->bad(), 0) << load->first_failure();
        }
        std::printf("%s: %d requests, %d failed, the slowest took %.1f ms\n", kind, good() + bad, bad, worst_ms);
    }

private:
    std::vector<std::unique_ptr<SoakClient>> loads_;
};

} // namespace gw::lab
