#!/usr/bin/env bash
# The units under a real systemd: boots a Debian of its own in a container, with our programs and units installed as the
# README says, and has checks.py ask it what they promise. Everything is removed again but a root that was named.
#
# usage: run.sh FOLDER_OF_PROGRAMS [FOLDER_OF_ROOT [CHECK...]]      as root; a root that is there already is used again
#
# Nothing of the host is touched: systemd sees its own root, /tmp, /run, /dev, network and processes. The first run takes
# some 150 MB from the mirror. Not part of ./dev test, as not every machine may do that.
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
programs=$(readlink -f "${1:?the folder of gatewayd, gatewayctl and gateway-inspector}")
root=${2:-}
checks=("${@:3}")
packages=systemd,systemd-sysv,dbus,iproute2,nftables,procps,python3,libyaml-cpp0.7,libseccomp2,libnftables1,libmnl0,libssl3
packages+=,libmodsecurity3,modsecurity-crs
neighbours=(network-manager firewalld netbase)

cannot() {
    printf 'not run: %s\n' "$*" >&2
    exit 77
}

[ "$(id -u)" = 0 ] || cannot "needs root"
for program in debootstrap systemd-nspawn; do
    command -v $program >/dev/null || cannot "no $program: see the packages debootstrap and systemd-container"
done
grep -qw cgroup2 /proc/filesystems || cannot "this kernel has no cgroup2"

kept=$root
root=${root:-$(mktemp -d /var/tmp/gateway-root.XXXXXX)}
group=gateway-units-$$
log=$(mktemp)
container=
leader=
# In a mount namespace where /sys/fs/cgroup is cgroup2, whatever the host has there.
in_cgroups=(unshare --mount --propagation private bash -ec)
cgroups="mount -t cgroup2 none /sys/fs/cgroup"

end() {
    [ -z "$leader" ] || kill -9 "$leader" 2>/dev/null || true
    [ -z "$container" ] || wait "$container" 2>/dev/null || true
    "${in_cgroups[@]}" "$cgroups; find /sys/fs/cgroup/$group -depth -type d -exec rmdir {} + 2>/dev/null" || true
    [ -n "$kept" ] || rm -rf --one-file-system "$root"
    rm -f "$log"
}


inside() {
    nsenter --target "$leader" --mount --uts --ipc --net --pid --cgroup env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

trap end EXIT
trap 'exit 130' INT TERM

if [ ! -e "$root/usr/bin/systemctl" ]; then
    printf 'making %s\n' "$root"
    debootstrap --variant=minbase --include=$packages bookworm "$root" >"$log" 2>&1 ||
        cannot "debootstrap: $(tail -n 3 "$log")"
    # Without them their checks are not run. Nothing of them is started here, which would be on the host.
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod +x "$root/usr/sbin/policy-rc.d"
    chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends \
        "${neighbours[@]}" >"$log" 2>&1 || printf 'not installed: %s\n' "$(tail -n 3 "$log")" >&2
fi

rm -rf "$root/etc/gateway" "$root/var/lib/gateway" "$root/var/log/journal" \
    "$root"/etc/{NetworkManager/system-connections/*,firewalld/zones,firewalld/policies}
install "$programs/gatewayd" "$programs/gateway-inspector" "$root/usr/sbin/"
install "$programs/gatewayctl" "$root/usr/bin/"
install -m 644 "$here"/../../systemd/{gateway,gateway-guard}.service "$root/etc/systemd/system/"
install -D -m 644 "$here/../../systemd/sysusers.conf" "$root/usr/lib/sysusers.d/gateway.conf"
install -D -m 644 "$here/../../systemd/tmpfiles.conf" "$root/usr/lib/tmpfiles.d/gateway.conf"
install -D -t "$root/checks" "$here"/{checks,host,neighbours,server}.py "$here/networks"
# Small systems have none, and ours must do without; firewalld's check brings it.
[ ! -e "$root/etc/protocols" ] || mv "$root/etc/protocols" "$root/checks/"
chroot "$root" systemd-sysusers >/dev/null
mkdir "$root/etc/gateway"
cat >"$root/etc/gateway/gateway.yaml" <<'YAML'
listeners:
  - {name: web, intercept: {to: [203.0.113.0/24], ports: [80], when_down: reject}}
  - {name: public, bind: ["198.51.100.1:80"], protocol: http, default: pool:site}
pools:
  site: {servers: ["203.0.113.10:80"]}
waf: {mode: block}
YAML
cat >"$root/etc/systemd/system/networks.service" <<'UNIT'
[Unit]
DefaultDependencies=no
After=local-fs.target network-pre.target
Before=network.target
Wants=network.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/checks/networks
UNIT
cat >"$root/etc/systemd/system/server.service" <<'UNIT'
[Unit]
After=network.target
[Service]
ExecStart=ip netns exec server /checks/server.py
UNIT
for unit in NetworkManager NetworkManager-dispatcher NetworkManager-wait-online firewalld; do
    systemctl --root="$root" --quiet disable "$unit" 2>/dev/null || true
done
wanted=$root/etc/systemd/system/multi-user.target.wants
mkdir -p "$wanted" "$root/etc/systemd/system/sysinit.target.wants"
ln -sf ../networks.service ../server.service ../gateway.service "$wanted/"
ln -sf ../gateway-guard.service "$root/etc/systemd/system/sysinit.target.wants/"

"${in_cgroups[@]}" "$cgroups; mkdir /sys/fs/cgroup/$group; echo \$\$ >/sys/fs/cgroup/$group/cgroup.procs
    exec systemd-nspawn --quiet --directory='$root' --boot --private-network --register=no --keep-unit \
        --link-journal=no --resolv-conf=off --timezone=off --console=pipe" </dev/null >"$log" 2>&1 &
container=$!
for _ in $(seq 300); do
    kill -0 "$container" 2>/dev/null || cannot "systemd-nspawn: $(tail -n 3 "$log")"
    leader=$(pgrep --parent "$container" || true)
    [ -z "$leader" ] || ! inside systemctl is-active --quiet multi-user.target 2>/dev/null || break
    sleep 0.2
done
inside /checks/checks.py "${checks[@]}"
