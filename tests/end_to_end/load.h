#pragma once

#include "tests/end_to_end/scene.h"

#include <array>
#include <atomic>
#include <thread>

namespace gw::lab {

/// A site that tells requests which came through the gateway from those that did not: the gateway adds a field of its
/// own, clients never do.
class CountingSite {
public:
    CountingSite(const Namespace& where, std::string_view at)
        : origin_(where, at, [this](Origin::Connection& connection) {
              const auto head = connection.receives_within(Milliseconds{3'000});
              if (head.empty()) return;
              ++(head.find("x-inspected: yes") != std::string::npos ? inspected_ : uninspected_);
              connection.sends(answer(200, "fine", "connection: close\r\n"));
          })
    {}
    int inspected() const { return inspected_; }
    int uninspected() const { return uninspected_; }
    /// The route that marks what it inspects.
    static constexpr std::string_view marking =
        "routes: [{to: original, request_headers: {set: {x-inspected: \"yes\"}}}]\n";

private:
    std::atomic<int> inspected_{0}, uninspected_{0};
    Origin origin_;
};

/// How long such a client waits for its connection; for an answer twice that.
inline constexpr Milliseconds impatient{300};

/// Somebody who asks again and again, with a connection for each request.
class Asker {
public:
    Asker(const Network& network, std::string client, std::string to, Milliseconds limit = impatient)
        : thread_([this, &network, client = std::move(client), to = std::move(to), limit] {
              const auto from = network.client(client);
              while (!stop_) {
                  ++(asks(from, to, limit) ? good_ : bad_);
                  std::this_thread::sleep_for(Milliseconds{5}); // a light load
              }
          })
    {}
    ~Asker() { end(); }
    void end()
    {
        stop_ = true;
        if (thread_.joinable()) thread_.join();
    }
    int good() const { return good_; }
    int bad() const { return bad_; }

private:
    static bool asks(const Client& from, const std::string& to, Milliseconds limit)
    {
        auto socket = from.dials(to, 0, limit);
        if (!socket.connected() || !socket.sends(request("GET", "/", "site.example"))) return false;
        return socket.receives_within(2 * limit).starts_with("HTTP/1.1 200");
    }

    std::atomic<bool> stop_{false};
    std::atomic<int> good_{0}, bad_{0};
    std::thread thread_;
};

/// A site of both families, and a client of each that asks it all the time.
struct BothFamilies {
    explicit BothFamilies(const Network& network, Milliseconds limit = impatient)
        : sites{CountingSite{network.servers(), "10.0.2.11:80"}, CountingSite{network.servers(), "[fd00:2::11]:80"}},
          askers{Asker{network, "10.0.1.2", "10.0.2.11:80", limit},
                 Asker{network, "fd00:1::2", "[fd00:2::11]:80", limit}}
    {}
    ~BothFamilies() { end(); }
    void end()
    {
        for (auto& asker : askers) asker.end();
    }
    /// Waits until both families got `more` of what `count` counts. False when that does not come.
    template <class Count> bool get(int more, Count count, Milliseconds limit = patience) const
    {
        const std::array before{count(0), count(1)};
        return eventually([&] { return count(0) >= before[0] + more && count(1) >= before[1] + more; }, limit);
    }
    bool are_inspected(int more, Milliseconds limit = patience) const
    {
        return get(
            more, [this](int family) { return sites[static_cast<std::size_t>(family)].inspected(); }, limit);
    }
    bool pass_by(int more) const
    {
        return get(more, [this](int family) { return sites[static_cast<std::size_t>(family)].uninspected(); });
    }
    bool are_refused(int more) const
    {
        return get(more, [this](int family) { return askers[static_cast<std::size_t>(family)].bad(); });
    }
    int uninspected() const { return sites[0].uninspected() + sites[1].uninspected(); }
    int failed() const { return askers[0].bad() + askers[1].bad(); }

    std::array<CountingSite, 2> sites;
    std::array<Asker, 2> askers;
};

} // namespace gw::lab
