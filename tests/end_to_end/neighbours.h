#pragma once

#include "tests/support/lab.h"

#include <filesystem>
#include <string>

namespace gw::lab {

// Programs of others that speak the PROXY protocol, on either side of the gateway.

/// Why there is no HAProxy; empty: there is one.
inline std::string why_no_haproxy()
{
    return run({"sh", "-c", "command -v haproxy"}).exit_code == 0 ? "" : "haproxy is not installed";
}

/// Debian's HAProxy with these sections behind its defaults. Waits until it serves.
class Haproxy {
public:
    Haproxy(const Namespace& where, const std::string& sections) : where_(where)
    {
        const auto file = folder_.write("haproxy.cfg", R"(
global
    log stdout format raw local0
defaults
    mode tcp
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend ready
    bind 127.0.0.1:9
    mode http
    http-request return status 200
)" + sections);
        process_ = std::make_unique<Process>(Command{"haproxy", "-db", "-f", file}, where.place());
        const auto ready = Endpoint::parse("127.0.0.1:9").value();
        const auto from = Endpoint::parse("127.0.0.1:0").value();
        EXPECT_TRUE(eventually(
            [&] { return where_.dials(ready, from, Milliseconds{500}).connected() || !process_->running(); }));
        EXPECT_TRUE(process_->running()) << process_->err() << process_->out() << sections;
    }

private:
    const Namespace& where_;
    Folder folder_;
    std::unique_ptr<Process> process_;
};

/// Debian's nginx that wants a PROXY header at 10.0.2.12:8080 and, in front of TLS, at 10.0.2.12:8443. Answers with
/// "ADDRESS:PORT > ADDRESS:PORT", client and destination as the header has them, and the number of the connection.
class NginxBehindHeaders {
public:
    explicit NginxBehindHeaders(const Network& network)
    {
        run_well({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                  "-days", "2", "-subj", "/CN=site.example", "-keyout", folder_.path("key.pem"), "-out",
                  folder_.path("certificate.pem")});
        const auto at = folder_.path();
        const auto file =
            folder_.write("nginx.conf", "daemon off; master_process off; pid " + at + "/pid; error_log " + at +
                                            "/error.log;\nevents {}\nhttp { access_log off; client_body_temp_path " +
                                            at + "/a; proxy_temp_path " + at + "/b; fastcgi_temp_path " + at +
                                            "/c; uwsgi_temp_path " + at + "/d; scgi_temp_path " + at + R"(/e;
    server {
        listen 10.0.2.12:8080 proxy_protocol;
        listen 10.0.2.12:8443 ssl proxy_protocol;
        ssl_certificate )" + at + "/certificate.pem; ssl_certificate_key " +
                                            at + R"(/key.pem;
        default_type text/plain;
        location / {
            return 200 "$proxy_protocol_addr:$proxy_protocol_port > $proxy_protocol_server_addr:$proxy_protocol_server_port $connection\n";
        }
    }
}
)");
        process_ = std::make_unique<Process>(Command{"nginx", "-p", at, "-c", file, "-e", at + "/error.log"},
                                             network.servers().place());
        EXPECT_TRUE(eventually([&] { return std::filesystem::exists(at + "/pid") || !process_->running(); }));
        EXPECT_TRUE(process_->running()) << read_file(at + "/error.log") << process_->err();
    }

private:
    Folder folder_;
    std::unique_ptr<Process> process_;
};

} // namespace gw::lab
