#pragma once

#include "gateway/base/descriptor.h"
#include "gateway/base/endpoint.h"
#include "tests/support/lab_process.h"

#include <memory>
#include <string>
#include <string_view>

namespace gw::lab {

/// One end of a TCP connection, as a test uses it: every wait has a deadline, and running into it fails the test.
class Socket {
public:
    Socket() = default;
    Socket(Descriptor descriptor, Endpoint peer) : descriptor_(std::move(descriptor)), peer_(peer) {}
    static Socket failed(int error)
    {
        Socket socket;
        socket.error_ = error;
        return socket;
    }

    bool connected() const { return descriptor_.is_open(); }
    int error() const { return error_; } ///< errno of the connect or the last call that failed; 0: none
    int number() const { return descriptor_.number(); }
    const Endpoint& peer() const { return peer_; }
    Endpoint name() const; ///< this end's address

    /// All of it. False when the other side refuses to take it (see `error`).
    bool sends(std::string_view bytes);
    bool sends_byte_by_byte(std::string_view bytes);
    /// Sends until nothing was taken for half a second, or `limit_bytes` were; how many were.
    std::size_t sends_until_stuck(std::size_t limit_bytes);
    /// Up to and with `mark`; less when the end or a reset came first.
    std::string receives_until(std::string_view mark);
    std::string receives(std::size_t count);
    /// Until the other side ends.
    std::string receives_all();
    /// What comes within `limit`; empty when nothing does. For showing that nothing comes.
    std::string receives_within(Milliseconds limit);
    bool at_end() const { return ended_; } ///< the other side ended, or reset
    bool was_reset() const;

    void ends_writing();
    void resets(); ///< closes with a reset
    void closes() { descriptor_.reset(); }
    void is_patient_for(Milliseconds limit) { patience_ = limit; }
    void reads_at_most(int receive_buffer_bytes); ///< a small receive window

private:
    bool fill(std::size_t want, Milliseconds limit, bool failing);

    Descriptor descriptor_;
    Endpoint peer_;
    int error_ = 0;
    bool ended_ = false;
    Milliseconds patience_ = patience;
    std::string waiting_; // received, not yet given out
};

} // namespace gw::lab
