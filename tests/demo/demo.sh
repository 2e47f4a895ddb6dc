#!/usr/bin/env bash
# The gateway at work: a client's and a server's network, made of namespaces, with the gateway between them, and what each
# of the three saw of real requests. Everything is removed at the end, or kept (--keep) to be played with (--end).
#
# usage: demo.sh FOLDER_OF_PROGRAMS [--keep | --end]
set -euo pipefail

programs=$(readlink -f "${1:?the folder of gatewayd and gatewayctl}")
wish=${2:-}
name=gwdemo-$$
folder=/tmp/$name
client=$name-client
gateway=$name-gateway
server=$name-server
site=shop.example
client4=198.51.100.7 client6=2001:db8:1::7
server4=203.0.113.10 server6=2001:db8:2::10
attack='id=1%27%20OR%20%271%27=%271%27%20--%20'

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\033[1m' dim=$'\033[2m' green=$'\033[32m' cyan=$'\033[36m' yellow=$'\033[33m' red=$'\033[31m' plain=$'\033[0m'
else
    bold='' dim='' green='' cyan='' yellow='' red='' plain=''
fi

chapter() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
shell_line() { printf '  %s$ %s%s\n' "$dim" "$*" "$plain"; }
client_saw() { printf '  %sclient saw%s   %s\n' "$cyan" "$plain" "$*"; }
server_saw() { printf '  %sserver saw%s   %s\n' "$green" "$plain" "$*"; }
gateway_did() { printf '  %sgateway did%s  %s\n' "$yellow" "$plain" "$*"; }
indented() { sed 's/^/    /'; }

fail() {
    printf '%sdemo: %s%s\n' "$red" "$*" "$plain" >&2
    for log in nginx.log gatewayd.log; do
        [ ! -s "$folder/$log" ] || { printf '%s:\n' "$log" && tail -n 20 "$folder/$log" | indented; } >&2
    done
    exit 1
}

on_client() { ip netns exec "$client" "$@"; }
on_gateway() { ip netns exec "$gateway" "$@"; }
ctl() { on_gateway "$programs/gatewayctl" --socket "$folder/control.sock" "$@"; }

# A process and all below it.
tree_of() {
    local child
    printf '%s\n' "$1"
    for child in $(ps -o pid= --ppid "$1"); do tree_of "$child"; done
}

# Ends a demo: what it started and what it made, by the names in its folder.
remove_demo() {
    local of=$1 id namespace
    while read -r id; do
        for id in $(tree_of "$id"); do kill -9 "$id" 2>/dev/null || true; done
    done < <(cat "/tmp/$of/pids" 2>/dev/null)
    for namespace in client gateway server; do
        for id in $(ip netns pids "$of-$namespace" 2>/dev/null); do kill -9 "$id" 2>/dev/null || true; done
        ip netns del "$of-$namespace" 2>/dev/null || true
    done
    rm -rf "/tmp/$of"
}

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -le "$end" ] || return 1
        sleep 0.02
    done
}

make_networks() {
    local side
    mkdir "$folder"
    chmod 755 "$folder"
    trap 'remove_demo "$name"' EXIT
    trap 'exit 130' INT TERM
    for side in "$client" "$gateway" "$server"; do
        ip netns add "$side"
        # Nobody else can have these addresses: they are usable at once.
        ip netns exec "$side" sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0
        ip -n "$side" link set lo up
    done
    ip -n "$gateway" link add inside type veth peer name eth0 netns "$client"
    ip -n "$gateway" link add outside type veth peer name eth0 netns "$server"
    on_gateway sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
    configure "$gateway" inside 198.51.100.1/24 2001:db8:1::1/64
    configure "$gateway" outside 203.0.113.1/24 2001:db8:2::1/64
    configure "$client" eth0 "$client4/24" "$client6/64" 198.51.100.1 2001:db8:1::1
    configure "$server" eth0 "$server4/24" "$server6/64" 203.0.113.1 2001:db8:2::1
}

# configure NAMESPACE INTERFACE ADDRESS4 ADDRESS6 [GATEWAY4 GATEWAY6]
configure() {
    ip -n "$1" link set "$2" up
    ip -n "$1" addr add "$3" dev "$2"
    ip -n "$1" addr add "$4" dev "$2" nodad
    [ $# = 4 ] || { ip -n "$1" route add default via "$5" && ip -n "$1" route add default via "$6"; }
}

start_server() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$site" \
        -addext "subjectAltName=DNS:$site" -keyout "$folder/key.pem" -out "$folder/certificate.pem" 2>/dev/null
    cat >"$folder/nginx.conf" <<NGINX
daemon off; master_process off; pid $folder/nginx.pid; error_log $folder/nginx.log warn;
events {}
http {
    client_body_temp_path $folder/body; proxy_temp_path $folder/proxy; fastcgi_temp_path $folder/fastcgi;
    uwsgi_temp_path $folder/uwsgi; scgi_temp_path $folder/scgi;
    log_format seen '\$remote_addr port \$remote_port: \$request';
    access_log $folder/seen.log seen;
    default_type text/plain;
    server {
        listen 80; listen [::]:80; listen 443 ssl; listen [::]:443 ssl;
        ssl_certificate $folder/certificate.pem; ssl_certificate_key $folder/key.pem;
        location / { return 200 "Hello, \$remote_addr. This is $site.\\n"; }
    }
}
NGINX
    ip netns exec "$server" nginx -p "$folder" -c "$folder/nginx.conf" -e "$folder/nginx.log" >"$folder/nginx.out" 2>&1 &
    printf '%s\n' $! >>"$folder/pids"
    disown
    wait_for 5 test -s "$folder/nginx.pid" || fail "nginx did not start"
}

configuration() {
    cat <<YAML
listeners:
  - name: web
    intercept: {to: [203.0.113.0/24, "2001:db8:2::/64"], ports: [80, 443]}
waf: {mode: $1}
admin: {socket: $folder/control.sock}
YAML
}

start_gateway() {
    configuration detect >"$folder/gateway.yaml"
    configuration detect | grep -v ^admin | indented
    ip netns exec "$gateway" "$programs/gatewayd" --config "$folder/gateway.yaml" \
        >"$folder/records.jsonl" 2>"$folder/gatewayd.log" &
    gateway_id=$!
    printf '%s\n' "$gateway_id" >>"$folder/pids"
    disown
    wait_for 10 ctl status || fail "gatewayd did not start"
}

# What the server's and the gateway's logs have had so far.
mark() {
    seen_lines=$(wc -l <"$folder/seen.log")
    record_lines=$(wc -l <"$folder/records.jsonl")
}

new_seen() { tail -n "+$((seen_lines + 1))" "$folder/seen.log"; }
new_record() { tail -n "+$((record_lines + 1))" "$folder/records.jsonl" | jq -r "$1" 2>/dev/null | grep .; }

# fetch ADDRESS URL: a request of the client's, and what it saw. Leaves the status in $status.
fetch() {
    local from=$1 url=$2 to=$server4 answer
    [[ $from != *:* ]] || to="[$server6]"
    mark
    shell_line "curl --interface $from '$url'"
    answer=$(on_client curl -sS --insecure --max-time 5 --interface "$from" --connect-to "$site::$to:" \
        --write-out '\n%{http_code}' "$url" 2>&1) || fail "curl: $answer"
    status=$(tail -n 1 <<<"$answer")
    client_saw "$status $(sed -e '$d' -e 's/<title>[^<]*//' -e 's/<[^>]*>/ /g' <<<"$answer" | tr -s '\n ' ' ' | cut -c1-110)"
}

# ask ADDRESS URL [connection]: a request, then what each of the three saw of it.
ask() {
    fetch "$1" "$2"
    tell_server
    tell_gateway "${3:-request}"
}

tell_server() {
    wait_for 3 new_seen_something || fail "nothing arrived at the server"
    server_saw "$(new_seen | tail -n 1)"
}
new_seen_something() { [ -n "$(new_seen)" ]; }

tell_gateway() {
    local -r request='select(.kind == "request") | "\(.listener): \(.method) \(.host)\(.target) to \(.destination), "
        + "answered \(.status) in \(.duration_ms) ms; WAF \(.waf.mode): \(.waf.verdict)"
        + (if (.waf.rules // []) == [] then "" else
            "\n" + ([.waf.matches[] | "               rule \(.rule): \(.message)"] | join("\n"))
            + (if .waf.incident then "\n               incident \(.waf.incident)" else "" end) end)'
    local -r connection='select(.kind == "connection") | "\(.listener): \(.protocol) for \(.server_name // "no name") to "
        + "\(.destination), passed on as it is: \(.from_client_bytes) bytes there, \(.to_client_bytes) back"'
    local filter=$request
    [ "$1" = request ] || filter=$connection
    wait_for 3 new_record "$filter" || fail "the gateway wrote no record"
    gateway_did "$(new_record "$filter" | head -n 6)"
}

show() {
    [ "$EUID" = 0 ] || fail "this needs root"
    printf '%s' "$bold"
    cat <<TEXT
  client                        gateway                       server
  $client4  ------- 198.51.100.1 | 203.0.113.1 -------  $server4
  $client6 ------- 2001:db8:1::1 | 2001:db8:2::1 ----- $server6
TEXT
    printf '%s' "$plain"
    make_networks
    start_server
    chapter 'The gateway starts. Its whole configuration:'
    start_gateway

    chapter '1. HTTP over IPv4 and IPv6: the server sees the client itself'
    ask "$client4" "http://$site/hello"
    ask "$client6" "http://$site/hello"

    chapter '2. An SQL injection, only watched: the request passes, the log names the rules'
    ask "$client4" "http://$site/item?$attack"

    chapter '3. The same after "waf: {mode: block}" and a reload'
    configuration block >"$folder/gateway.yaml"
    shell_line 'gatewayctl reload'
    ctl reload | indented
    ask_blocked "$client4" "http://$site/item?$attack"

    chapter '4. TLS: passed on by its name, with the certificate of the server'
    ask "$client4" "https://$site/private" connection
    compare_certificates

    chapter '5. What it says of itself'
    shell_line 'gatewayctl status'
    ctl status | indented
    shell_line "gatewayctl explain --client $client4 --to $server4 http://$site/item"
    ctl explain --config "$folder/gateway.yaml" --client "$client4" --to "$server4" "http://$site/item" | indented

    [ "$wish" != --keep ] || keep
    chapter '6. kill -9: its rules end with it, and the traffic goes on'
    kill_gateway
    fetch "$client4" "http://$site/hello"
    tell_server
}

ask_blocked() {
    fetch "$@"
    tell_gateway request
    [ "$status" = 403 ] || fail "the attack was not refused"
    [ -z "$(new_seen)" ] || fail "the attack arrived"
    server_saw 'nothing'
}

compare_certificates() {
    local theirs ours
    ours=$(openssl x509 -noout -fingerprint -sha256 -in "$folder/certificate.pem" | sed 's/.*=//')
    theirs=$(on_client openssl s_client -connect "$server4:443" -servername "$site" </dev/null 2>/dev/null |
        openssl x509 -noout -fingerprint -sha256 | sed 's/.*=//')
    [ "$ours" = "$theirs" ] || fail "the client saw another certificate: $theirs"
    client_saw "certificate ${theirs:0:29}..., the server's own"
}

kill_gateway() {
    shell_line "kill -9 $gateway_id"
    kill -9 "$gateway_id"
    wait_for 2 no_rules || fail "the rules are still there"
    gateway_did 'end, and with it all its rules'
}
no_rules() { ! on_gateway nft list table inet gateway; }

keep() {
    trap - EXIT INT TERM
    chapter 'It all goes on running. Things to try:'
    cat <<TEXT
  ip netns exec $client curl http://$server4/
  ip netns exec $client curl 'http://$server4/?q=<script>alert(1)</script>'
  ip netns exec $gateway $programs/gatewayctl --socket $folder/control.sock status --watch
  ip netns exec $gateway $programs/gatewayctl --socket $folder/control.sock log --follow
  ip netns exec $gateway nft list table inet gateway
  \$EDITOR $folder/gateway.yaml      and then gatewayctl ... reload
  kill -9 $gateway_id                         and ask again

  End it with: ./dev demo --end
TEXT
    exit 0
}

case $wish in
--end)
    for kept in /tmp/gwdemo-*; do
        [ -e "$kept" ] || continue
        remove_demo "$(basename "$kept")"
        printf 'ended %s\n' "$(basename "$kept")"
    done
    ;;
'' | --keep) show ;;
*) fail "unknown option $wish; there are --keep and --end" ;;
esac
