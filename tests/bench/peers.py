"""The programs that are compared. Each takes over the same connections by TPROXY and goes on with the client's address;
what it cannot do, it does not take part in."""

import json
import resource
import shutil
import socket
import sys
from pathlib import Path

from lab import CLIENT, ORIGIN, Broken, run, tree

MARK, TABLE = 1, 100
# A datagram is answered from the port it was taken over at: so that one is the right one.
WEB, PLAIN, DATAGRAMS = 15001, 15002, 9000
HERE = Path(__file__).resolve().parent
CRS = Path("/usr/share/modsecurity-crs/rules")
NGINX_MODULES = Path("/usr/lib/nginx/modules")

# In the way of what was not taken over: without this, a request that no rule catches would pass by the gateway, and be
# measured as its own.
GUARD = """table inet bench_guard {
    chain forward {
        type filter hook forward priority 0; policy drop;
    }
}
"""

RULES = f"""table inet bench {{
    chain prerouting {{
        type filter hook prerouting priority mangle; policy accept;
        tcp flags & (syn | ack) != syn socket transparent 1 meta mark set {MARK} accept
        iifname inside ip daddr {ORIGIN} tcp dport 80 tproxy ip to :{WEB} meta mark set {MARK} accept
        iifname inside ip daddr {ORIGIN} tcp dport 9000-9002 tproxy ip to :{PLAIN} meta mark set {MARK} accept
        iifname inside ip daddr {ORIGIN} udp dport 9000 tproxy ip to :{DATAGRAMS} meta mark set {MARK} accept
        iifname outside meta l4proto udp socket transparent 1 meta mark set {MARK} accept
    }}
}}
"""


LISTENERS = (
    f"{{name: web, intercept: {{to: [{ORIGIN}], ports: [80]}}, protocol: http}}",
    f"{{name: plain, intercept: {{to: [{ORIGIN}], ports: [9000-9002]}}, protocol: tcp}}",
    f"{{name: datagrams, intercept: {{to: [{ORIGIN}], ports: [9000], transport: udp}}}}",
)


class Peer:
    """name: on the command line. does: http, tcp, udp, waf. measured: whether it has processes of its own. only_bulk: is
    there for the rows where bytes are carried, a second form of another one. sets_aside: at its start it sets memory
    aside for every connection that it may have, which `room` says, and not when there is one."""

    name, title, does, measured, only_bulk, sets_aside = "", "", frozenset(), True, False, False

    def __init__(self, lab, log_requests=False):
        self.lab = lab
        self.log_requests = log_requests
        self.room = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self.child = None

    def takes_part(self, row):
        return row.does in self.does and (row.carries_bytes or not self.only_bulk)

    def missing(self):
        """Why it cannot take part, or nothing."""
        return ""

    def version(self):
        return ""

    def start(self, workers, inspects):
        self.steer()
        self.child = self.begin(workers, inspects)
        self.get_ready()

    def get_ready(self):
        """Waits for what follows a start and nothing else: the work is measured."""

    def stop(self):
        child, self.child = self.child, None
        if child:
            self.lab.stop(child)

    def processes(self):
        return tree(self.child.pid) if self.child else []

    def steer(self):
        """Leads connections to it. The networks are new; with them, all this goes."""
        self.nft(GUARD + RULES)
        self.lab.batch("gateway", f"rule add fwmark {MARK} lookup {TABLE}", f"route add local default dev lo table {TABLE}")

    def nft(self, text):
        self.lab.inside("gateway", ["nft", "-f", "-"], input=text)

    def write(self, name, text):
        path = self.lab.folder / name
        path.write_text(text)
        return path


class Gateway(Peer):
    name, title, does = "gateway", "this gateway", frozenset({"http", "tcp", "udp", "waf"})
    start_limit = 20

    def missing(self):
        absent = [each for each in ("gatewayd", "gatewayctl", "gateway-inspector") if not (self.lab.programs / each).exists()]
        return f"{', '.join(absent)} not in {self.lab.programs}" if absent else ""

    def version(self):
        return run(str(self.lab.programs / "gatewayd"), "--version", check=False).strip()

    def steer(self):
        self.nft(GUARD)

    def configuration(self, workers, inspects):
        return self.document(workers, inspects, LISTENERS)

    def document(self, workers, inspects, listeners, routes=()):
        """A configuration of these listeners and routes, each a line of YAML. The rest is the same for all."""
        access = f"{{format: json, to: {self.lab.folder}/gateway-access.log}}" if self.log_requests else '{format: "off"}'
        lines = [f"workers: {workers}", "listeners:", *(f"  - {each}" for each in listeners)]
        lines += ["routes:", *(f"  - {each}" for each in routes)] if routes else []
        lines += [
            f"waf: {{mode: {'block' if inspects else 'off'}}}",
            f"admin: {{socket: {self.socket()}}}",
            "timeouts: {keep_alive: 300s, upstream_idle: 300s}",
            f"logs: {{access: {access}, level: warning}}",
        ]
        return "\n".join(lines) + "\n"

    def socket(self):
        return self.lab.folder / "control.sock"

    def begin(self, workers, inspects):
        folder = self.lab.folder
        file = self.write("gateway.yaml", self.configuration(workers, inspects))
        notify = folder / "notify"
        notify.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
            ear.bind(str(notify))
            ear.setblocking(False)
            words = [self.lab.programs / "gatewayd", "--config", file, "--state-dir", folder / "state"]
            child = self.lab.start("gateway", words, "gateway", {"NOTIFY_SOCKET": str(notify)})
            self.lab.wait_until(lambda: heard(ear, b"READY=1"), f"gatewayd ({file})", child, self.start_limit)
        return child

    def get_ready(self):
        """The second data process reads and compiles everything once more, two seconds after the first."""
        self.lab.wait_until(self.has_standby, "the second data process", self.child, self.start_limit)

    def has_standby(self):
        status = run(str(self.lab.programs / "gatewayctl"), "--socket", str(self.socket()), "status", "--json", check=False)
        return status.startswith("{") and json.loads(status).get("standby_ready", False)


def heard(ear, word):
    try:
        while True:
            if word in ear.recv(4096).splitlines():
                return True
    except BlockingIOError:
        return False


class Haproxy(Peer):
    name, title, does = "haproxy", "HAProxy", frozenset({"http", "tcp"})
    splice = ""

    def missing(self):
        return "" if shutil.which("haproxy") else "haproxy is not installed"

    def version(self):
        return run("haproxy", "-v").splitlines()[0]

    def begin(self, workers, inspects):
        most = (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 1_200) // 2
        log = "log stdout format raw local0\n" if self.log_requests else ""
        file = self.write(
            "haproxy.cfg",
            f"""global
  nbthread {workers}
  maxconn {most}
  maxpipes 256
  tune.pipesize 1048576
defaults
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  maxconn {most}
  source 0.0.0.0 usesrc clientip
  {log}
listen web
  mode http
  bind 0.0.0.0:{WEB} transparent backlog 4096
  http-reuse always
  {self.splice}
  {'option httplog' if log else ''}
  server original * pool-low-conn 128 pool-purge-delay 60s
listen plain
  mode tcp
  bind 0.0.0.0:{PLAIN} transparent backlog 4096
  {self.splice}
  {'option tcplog' if log else ''}
  server original *
""",
        )
        child = self.lab.start("gateway", ["haproxy", "-db", "-f", file], self.name)
        self.lab.wait_until(lambda: listens(self.lab, WEB) and listens(self.lab, PLAIN), self.name, child)
        return child


class HaproxySplice(Haproxy):
    # Left to itself (splice-auto), it hardly ever splices here. With large pipes: its cheapest way.
    name, title, only_bulk = "haproxy-splice", "HAProxy, splicing", True
    splice = "option splice-request\n  option splice-response"


class Nginx(Peer):
    name, title, does, sets_aside = "nginx", "nginx", frozenset({"http", "tcp", "udp"}), True
    modules = ("ngx_stream_module.so",)

    def missing(self):
        if not shutil.which("nginx"):
            return "nginx is not installed"
        absent = [each for each in self.modules if not (NGINX_MODULES / each).exists()]
        return f"nginx lacks {', '.join(absent)}" if absent else ""

    def version(self):
        return run("sh", "-c", "nginx -v 2>&1").strip()

    def inspection(self):
        return ""

    def sockets(self):
        return [f"tcp:{WEB}", f"tcp:{PLAIN}", f"udp:{DATAGRAMS}"]

    def stream(self):
        passes = "proxy_bind $remote_addr transparent; proxy_pass $server_addr:$server_port"
        access = f"{self.lab.folder}/{self.name}-stream.log plain buffer=64k flush=1s" if self.log_requests else "off"
        return f"""stream {{
  log_format plain '$remote_addr [$time_iso8601] $protocol $status $bytes_sent $bytes_received $session_time $upstream_addr';
  access_log {access};
  server {{ listen 0.0.0.0:{PLAIN}; proxy_timeout 300s; {passes}; }}
  server {{ listen 0.0.0.0:{DATAGRAMS} udp; proxy_timeout 30s; {passes}; }}
}}
"""

    def begin(self, workers, inspects):
        at = self.lab.folder
        access = f"{at}/{self.name}-access.log combined buffer=64k flush=1s" if self.log_requests else "off"
        loads = "".join(f"load_module {NGINX_MODULES}/{each};\n" for each in self.modules)
        temporary = " ".join(f"{each}_temp_path {at}/{each};" for each in ("proxy", "fastcgi", "uwsgi", "scgi"))
        file = self.write(
            f"{self.name}.conf",
            f"""{loads}user root; daemon off; worker_processes {workers};
pid {at}/{self.name}.pid; error_log {at}/{self.name}.log error;
events {{ worker_connections {self.room}; }}
http {{
  access_log {access}; client_body_temp_path {at}/body; {temporary}
  keepalive_timeout 300s; keepalive_requests 1000000000; client_max_body_size 0;
  upstream origin {{ server {ORIGIN}:80; keepalive 128; keepalive_requests 1000000000; keepalive_timeout 300s; }}
  server {{
    listen 0.0.0.0:{WEB};
    {self.inspection()}
    location / {{
      proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
      proxy_bind $remote_addr transparent; proxy_max_temp_file_size 0; proxy_request_buffering off;
    }}
  }}
}}
{self.stream()}""",
        )
        pid = at / f"{self.name}.pid"
        pid.unlink(missing_ok=True)
        words = [sys.executable, "-B", HERE / "transparent.py", *self.sockets(), "--", "nginx", "-e", "stderr", "-c", file]
        child = self.lab.start("gateway", words, self.name)
        self.lab.wait_until(lambda: pid.exists() and pid.read_text().strip(), self.name, child, limit=60)
        # The workers come after the file.
        self.lab.wait_until(lambda: len(tree(child.pid)) > workers, self.name, child)
        return child


class NginxModsecurity(Nginx):
    name, title, does = "nginx-modsecurity", "nginx with libmodsecurity", frozenset({"waf"})
    modules = ("ngx_http_modsecurity_module.so",)

    def version(self):
        packages = run("dpkg-query", "-W", "-f=${Package} ${Version}, ", "libmodsecurity3", "modsecurity-crs", check=False)
        return f"{super().version()}, {packages}".rstrip(", ")

    def missing(self):
        return super().missing() or ("" if CRS.is_dir() else "modsecurity-crs is not installed")

    def sockets(self):
        return [f"tcp:{WEB}"]

    def stream(self):
        return ""

    def inspection(self):
        # The same limits and the same rule set as the gateway's, at the same paranoia.
        rules = self.write(
            "modsecurity.conf",
            f"""SecRuleEngine On
SecRequestBodyAccess On
SecResponseBodyAccess On
SecRequestBodyLimit 1048576
SecRequestBodyLimitAction Reject
SecRequestBodyNoFilesLimit 1048576
SecResponseBodyLimit 524288
SecResponseBodyLimitAction ProcessPartial
SecResponseBodyMimeType text/plain text/html text/xml application/json
SecAuditEngine Off
SecDebugLogLevel 0
Include /etc/modsecurity/crs/crs-setup.conf
Include {CRS}/*.conf
""",
        )
        return f"modsecurity on; modsecurity_rules_file {rules};"


class Direct(Peer):
    name, title, does, measured = "direct", "routed, no gateway", frozenset({"http", "tcp", "udp"}), False

    def steer(self):
        pass

    def begin(self, workers, inspects):
        return None


PEERS = (Gateway, Haproxy, HaproxySplice, Nginx, NginxModsecurity, Direct)


def listens(lab, port):
    wanted = f":{port:04X}"
    table = lab.inside("gateway", ["cat", "/proc/net/tcp"])
    return any(line.split()[1].endswith(wanted) and line.split()[3] == "0A" for line in table.splitlines()[1:])


def check_source(peer, does):
    """Whether the origin sees the client, of what is measured now. A peer that does not let the question through is broken."""
    load = [peer.lab.loads / "bench_load"]
    if does in ("tcp", "udp"):
        words = ["who", "--to", f"{ORIGIN}:9002"] if does == "tcp" else ["who-datagrams", "--to", f"{ORIGIN}:9000"]
        return CLIENT in peer.lab.inside("client", load + words, timeout=10)
    words = ["http", "--to", f"{ORIGIN}:80", "--count", "1", "--expect-source", CLIENT]
    said = peer.lab.inside("client", load + words, timeout=10)
    if '"failed": 0' not in said and "the origin saw" not in said:
        raise Broken(f"{peer.title}: {said.strip()}")
    return '"failed": 0' in said
