#!/usr/bin/env bash
# CPU time a request, of the gateway and of its peers, for the same load in the same run: small HTTP/1.1 requests over
# kept connections, and one connection a request. One worker each, the origin is nginx, everything on loopback. What a
# busy machine does to one it does to all, since the rounds alternate; the ratios are what counts.
#
# usage: http.sh FOLDER_OF_PROGRAMS [ROUNDS] [REQUESTS]
set -euo pipefail

programs=$(readlink -f "${1:?the folder of gatewayd}")
rounds=${2:-5}
requests=${3:-20000}
folder=$(mktemp -d /tmp/gwbench.XXXXXX)
origin=29180 gateway=29181 nginx=29182 haproxy=29183
tick=$(getconf CLK_TCK)
declare -A process

finish() {
    local name
    for name in "${!process[@]}"; do kill "${process[$name]}" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$folder"
}
trap finish EXIT

cat >"$folder/origin.conf" <<CONF
worker_processes 1; daemon off; pid $folder/origin.pid; error_log $folder/origin.log;
events { worker_connections 4096; }
http { access_log off; keepalive_requests 100000000; server { listen 127.0.0.1:$origin backlog=4096;
  location / { return 200 "a small answer of some forty bytes, no more\n"; } } }
CONF
cat >"$folder/nginx.conf" <<CONF
worker_processes 1; daemon off; pid $folder/nginx.pid; error_log $folder/nginx.log;
events { worker_connections 4096; }
http { access_log $folder/nginx-access.log combined buffer=64k flush=1s; keepalive_requests 100000000;
  upstream origin { server 127.0.0.1:$origin; keepalive 64; keepalive_requests 100000000; }
  server { listen 127.0.0.1:$nginx backlog=4096; location / { proxy_pass http://origin; proxy_http_version 1.1;
    proxy_set_header Connection ""; proxy_set_header X-Forwarded-For \$remote_addr; } } }
CONF
cat >"$folder/haproxy.cfg" <<CONF
global
  nbthread 1
  maxconn 8192
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  option forwardfor
frontend in
  bind 127.0.0.1:$haproxy backlog 4096
  default_backend out
backend out
  server origin 127.0.0.1:$origin
CONF
cat >"$folder/gateway.yaml" <<CONF
workers: 1
listeners: [{name: bench, bind: ["127.0.0.1:$gateway"], protocol: http}]
routes: [{host: "_", to: "http://127.0.0.1:$origin"}]
admin: {socket: $folder/control.sock}
logs: {access: {format: json, to: $folder/gateway-access.log}, level: warning}
CONF

nginx -c "$folder/origin.conf" &
process[origin]=$!
nginx -c "$folder/nginx.conf" &
process[nginx]=$!
haproxy -q -f "$folder/haproxy.cfg" &
process[haproxy]=$!
"$programs/gatewayd" --config "$folder/gateway.yaml" &
process[gateway]=$!
for port in $origin $gateway $nginx $haproxy; do
    for _ in $(seq 100); do
        curl -s -o /dev/null "http://127.0.0.1:$port/" && continue 2
        read -rt 0.1 <> <(:) || true
    done
    echo "http.sh: nothing answers on port $port" >&2
    exit 1
done

# Clock ticks used by a process and its children.
ticks() {
    local id sum=0 fields
    for id in "$1" $(pgrep -P "$1"); do
        read -ra fields < <(sed 's/.*) //' "/proc/$id/stat")
        sum=$((sum + fields[11] + fields[12]))
    done
    echo "$sum"
}

# CPU microseconds a request.
measure() {
    local name=$1 port=$2 header=$3 before after
    before=$(ticks "${process[$name]}")
    h2load --h1 -n "$requests" -c 32 -H "$header" "http://127.0.0.1:$port/" >"$folder/h2load.txt"
    after=$(ticks "${process[$name]}")
    grep -q " $requests succeeded, 0 failed" "$folder/h2load.txt" || { cat "$folder/h2load.txt" >&2 && return 1; }
    awk -v t=$((after - before)) -v hz="$tick" -v n="$requests" 'BEGIN { printf "%.2f\n", t / hz / n * 1e6 }'
}

median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

printf 'machine: %s, %s processors; %s rounds of %s requests, 32 connections\n' \
    "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1)" "$(nproc)" "$rounds" "$requests"
for kind in keep-alive close; do
    header='Accept: */*'
    [ "$kind" = keep-alive ] || header='Connection: close'
    for _ in $(seq "$rounds"); do
        for name in gateway nginx haproxy; do
            measure "$name" "${!name}" "$header" >>"$folder/$kind.$name"
        done
    done
    ours=$(median <"$folder/$kind.gateway")
    for name in gateway nginx haproxy; do
        one=$(median <"$folder/$kind.$name")
        awk -v k="$kind" -v n="$name" -v one="$one" -v ours="$ours" \
            'BEGIN { printf "%-11s %-8s %7.2f us CPU a request   gateway/this %.2f\n", k, n, one, ours / one }'
    done
done
