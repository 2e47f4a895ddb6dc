#pragma once

#include "tests/end_to_end/scene.h"

#include <atomic>
#include <thread>

namespace gw::lab {

/// Requests to 10.0.2.11:80 one after another, over one kept or over new connections, until told to end; counts what
/// did not come back as it should.
class Load {
public:
    Load(const Network& network, bool kept)
        : thread_([this, &network, kept] {
              const auto client = network.client(kept ? "10.0.1.3" : "10.0.1.4");
              Socket socket;
              while (!stop_) {
                  if (!kept || !socket.connected()) socket = client.dials("10.0.2.11:80");
                  const bool sent = socket.connected() && socket.sends(request("GET", "/load", "a.example"));
                  const auto answer = sent ? receive_message(socket) : Message{};
                  ++(answer.whole && answer.head.starts_with("HTTP/1.1 200") ? good : bad);
                  if (answer.header("connection") == "close" || !answer.whole) socket.closes();
              }
          })
    {}
    ~Load() { end(); }
    void end()
    {
        stop_ = true;
        if (thread_.joinable()) thread_.join();
    }
    std::atomic<int> good{0}, bad{0};

private:
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

} // namespace gw::lab
