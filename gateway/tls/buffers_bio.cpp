#include "gateway/tls/buffers_bio.h"

#include "gateway/tls/tls_stream.h"

#include <algorithm>
#include <cstring>

namespace gw::tls {

namespace {

int bio_read(BIO* bio, char* into, int room) noexcept
{
    BIO_clear_retry_flags(bio);
    auto& received = static_cast<TlsStream*>(BIO_get_data(bio))->received();
    if (received.empty() || room <= 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    const auto count = std::min(received.size(), static_cast<std::size_t>(room));
    std::memcpy(into, received.view().data(), count);
    received.consume(count);
    return static_cast<int>(count);
}

int bio_write(BIO* bio, const char* from, int count) noexcept
{
    BIO_clear_retry_flags(bio);
    auto* stream = static_cast<TlsStream*>(BIO_get_data(bio));
    if (count > 0 && stream->produce({from, static_cast<std::size_t>(count)})) return count;
    BIO_set_retry_write(bio);
    return -1;
}

long bio_control(BIO*, int what, long, void*) noexcept { return what == BIO_CTRL_FLUSH ? 1 : 0; }

const BIO_METHOD* buffers_method()
{
    static const BioMethodPtr method = [] {
        BioMethodPtr made{BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "gateway buffers")};
        BIO_meth_set_read(made.get(), bio_read);
        BIO_meth_set_write(made.get(), bio_write);
        BIO_meth_set_ctrl(made.get(), bio_control);
        return made;
    }();
    return method.get();
}

} // namespace

BIO* make_buffers_bio(TlsStream& stream)
{
    auto* bio = BIO_new(buffers_method());
    if (bio == nullptr) return nullptr;
    set_buffers(bio, stream);
    BIO_set_init(bio, 1);
    return bio;
}

void set_buffers(BIO* bio, TlsStream& stream) { BIO_set_data(bio, &stream); }

} // namespace gw::tls
