#pragma once

#include "gateway/tls/openssl.h"

namespace gw::tls {

class TlsStream;

/// What OpenSSL reads from and writes to: the stream's buffers, never a socket. When they are empty or full it is told
/// to come again. The stream must outlive it. Null: out of memory.
BIO* make_buffers_bio(TlsStream& stream);
/// From now on those of another stream.
void set_buffers(BIO* bio, TlsStream& stream);

} // namespace gw::tls
