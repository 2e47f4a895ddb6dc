"""Programs beside us that take the network for theirs: systemd-networkd, NetworkManager, firewalld and nftables.service.

Each is started alone, then beside a gatewayd that starts, works while the neighbour reloads, stops and starts again, and
stops. Clients ask all the time for what has to be blocked.
"""

import os
import subprocess
import threading
import time

from host import ATTACK, SITE
from host import Load, answered, ms, outcomes, run, status, until

OURS = "7373"  # our routing table, in the words of ip
GUARD = "table inet gateway_guard"
PROMISED = 0.1  # s from the loss of something of ours until it is back
# A rule and a route of somebody else: what becomes of them says whether the neighbour takes what is not its own.
STRANGER = [("rule", "from", "192.0.2.99", "lookup", "99"), ("route", "local", "192.0.2.99", "dev", "lo", "table", "99")]


class NotRun(Exception):
    """This neighbour cannot run here, and why."""


class Losses:
    """What of ours the kernel tells to be gone, and how long until it was back."""

    def __init__(self):
        self.gone, self.took = {}, []
        monitors = (("ip", "monitor", "rule", "route"), ("nft", "monitor"))
        self.processes = [
            subprocess.Popen(("stdbuf", "-oL", *words), stdout=subprocess.PIPE, text=True) for words in monitors
        ]
        self.readers = [threading.Thread(target=self.read, args=(each.stdout,)) for each in self.processes]
        for reader in self.readers:
            reader.start()
        time.sleep(0.3)  # until they listen

    def read(self, lines):
        for line in lines:
            now, line = time.monotonic(), line.split("#")[0].strip()
            if OURS not in line and not line.endswith(GUARD):
                continue
            for taken, back in (("Deleted ", ""), ("delete ", "add ")):
                if line.startswith(taken):
                    self.gone[back + line.removeprefix(taken)] = now
                    break
            else:
                if line in self.gone:
                    self.took.append(now - self.gone.pop(line))

    def ended(self):
        time.sleep(0.3)  # what is put back now is told
        for process in self.processes:
            process.terminate()
        for reader in self.readers:
            reader.join()
        return self.took


def theirs():
    """Policy rules, routes and tables that are not ours, without counters."""
    lines = []
    for family in ("-4", "-6"):
        for what in (("rule",), ("route", "show", "table", "all")):
            lines += sorted(line.strip() for line in run("ip", family, *what).splitlines() if OURS not in line)
    for table in run("nft", "list", "tables").splitlines():
        if not table.startswith("table inet gateway"):
            lines += run("nft", "-s", "list", *table.split()).splitlines()
    return lines


def settled():
    """An interface that has just come up gets its last routes a moment later."""
    seen = []
    until(lambda: seen[-30:].count(seen.append(theirs()) or seen[-1]) == 30)
    return seen[-1]


def are_as(alone, where):
    try:
        until(lambda: theirs() == alone)
    except AssertionError:
        raise AssertionError(f"{where}: not as without us: {sorted(set(theirs()) ^ set(alone))}") from None


def is_inspected():
    until(lambda: answered(SITE) == 200 and answered(SITE, ATTACK) == 403)


def stranger(verb, ok=True):
    return [run("ip", what, verb, *words, ok=ok) for what, *words in STRANGER]


def step(command, alone):
    """What the neighbour does, under load: what of ours was lost for how long, and whether it took the stranger's."""
    stranger("add")
    before, losses = status()["rules"]["healed"], Losses()
    pressing = Load(SITE, ATTACK, clients=2, pause=0.01)
    try:
        run("sh", "-ec", command)
        is_inspected()
        until(lambda: status()["rules"]["missing"] == "")
    finally:
        rows, took = pressing.ended(), losses.ended()
        taken = sum(done.returncode != 0 for done in stranger("del", ok=False))
    assert not losses.gone, f"{command}: not back: {list(losses.gone)}"
    assert 200 not in [row[2] for row in rows], f"{command}: not inspected: {outcomes(rows)}"
    assert max(took, default=0) <= PROMISED, f"{command}: back only after {ms(max(took))}"
    healed = status()["rules"]["healed"] - before
    assert healed >= len(took) > 0 or healed == len(took) == 0, f"{command}: {len(took)} lost, {healed} counted"
    are_as(alone, command)
    longest = max(ended - began for began, ended, _ in rows)
    return taken, took, rows, longest


def lives_beside_us(start, steps, stop, takes_strangers=False):
    run("systemctl", "stop", "gateway")
    try:
        start()
        alone = {}
        for command in 2 * steps:  # the first time it makes what stays later
            run("sh", "-ec", command)
            alone[command] = settled()
        last = alone[command]
        run("systemctl", "start", "gateway")
        is_inspected()
        are_as(last, "our start")
        done = [step(command, alone[command]) for command in steps]
        run("systemctl", "stop", "gateway")
        are_as(last, "our stop")
    finally:
        stop()
        run("systemctl", "start", "gateway")
    is_inspected()
    strangers = sum(one[0] for one in done)
    assert not takes_strangers or strangers, "it took nothing of a stranger, so this shows nothing"
    took = [each for one in done for each in one[1]]
    lost = f"{len(took)} things of ours taken, all back within {ms(max(took))} and counted" if took else "nothing of ours taken"
    rows = [row for one in done for row in one[2]]
    return (
        f"{len(steps)} steps; {lost}; {strangers} of {len(STRANGER) * len(steps)} strangers' rules and "
        f"routes taken; {outcomes(rows)}, the longest {ms(max(one[3] for one in done))}; its own untouched"
    )


def is_there(*programs):
    for program in programs:
        if run("sh", "-c", f"command -v {program}", ok=False).returncode != 0:
            raise NotRun(f"{program} is not installed")


def writes(file, text):
    os.makedirs(os.path.dirname(file), exist_ok=True)
    open(file, "w").write(text)


def starts(unit):
    done = run("systemctl", "start", unit, ok=False)
    if done.returncode != 0:
        raise NotRun(f"{unit} does not start here: {run('journalctl', '-b', '-o', 'cat', '-n', '3', '-u', unit).strip()}")


# --- the checks


def networkd_lives_beside_us():
    is_there("networkctl")
    folder = "/run/systemd/network"

    def start():
        # Ours and the loopback interface, where our routes are. What it does with foreign rules and routes is its default.
        writes(
            f"{folder}/10-inside.network",
            "[Match]\nName=inside\n[Network]\nAddress=198.51.100.1/24\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n"
            "[RoutingPolicyRule]\nFrom=198.51.100.128/25\nTable=55\nPriority=1000\n"
            "[Route]\nDestination=192.0.2.0/24\nGateway=198.51.100.7\nTable=55\n",
        )
        writes(f"{folder}/10-lo.network", "[Match]\nName=lo\n[Network]\nAddress=192.0.2.77/32\n")
        run("ip", "address", "flush", "dev", "inside")  # systemd 252 never ends with an address that is there already
        starts("systemd-networkd")
        until(lambda: "configured" in run("networkctl", "status", "inside") and "configuring" not in run("networkctl"))

    def stop():
        run("systemctl", "stop", "systemd-networkd.socket", "systemd-networkd")
        run("rm", "-r", folder)
        run("sh", "-c", "ip rule del priority 1000; ip route flush table 55; ip address del 192.0.2.77/32 dev lo")

    configured = "for each in $(seq 100); do networkctl | grep -q configuring || exit 0; sleep 0.1; done; networkctl; exit 1"
    steps = [
        "networkctl reload",
        f"networkctl reconfigure inside; {configured}",
        f"networkctl reconfigure lo; {configured}",
        f"touch {folder}/10-inside.network; networkctl reload; {configured}",
        f"systemctl restart systemd-networkd; {configured}",
        f"systemctl stop systemd-networkd.socket systemd-networkd; sleep 1; systemctl start systemd-networkd; {configured}",
    ]
    return lives_beside_us(start, steps, stop, takes_strangers=True)


def networkmanager_lives_beside_us():
    is_there("NetworkManager", "nmcli")
    profile = "gateway-inside"

    def start():
        writes("/etc/NetworkManager/conf.d/gateway.conf", "[device-outside]\nmatch-device=interface-name:outside\nmanaged=0\n")
        starts("NetworkManager")
        words = "ipv4.method manual ipv4.addresses 198.51.100.1/24 ipv6.method disabled"
        rule = "priority 1000 from 198.51.100.128/25 table 55"
        run("nmcli", "connection", "add", "type", "ethernet", "ifname", "inside", "con-name", profile, *words.split(),
            "ipv4.routing-rules", rule, "ipv4.routes", "192.0.2.0/24 198.51.100.7 table=55")
        run("nmcli", "connection", "up", profile)
        run("nmcli", "connection", "up", "lo")  # where our routes are

    def stop():
        run("nmcli", "connection", "delete", profile, ok=False)
        run("systemctl", "stop", "NetworkManager")
        run("sh", "-ec", "ip address flush dev inside; ip address add 198.51.100.1/24 dev inside; ip link set inside up")

    steps = [
        "nmcli connection reload",
        "nmcli device reapply inside",
        "nmcli device reapply lo",
        f"nmcli connection down {profile}; sleep 0.5; nmcli connection up {profile}",
        "nmcli connection down lo; sleep 0.5; nmcli connection up lo",
        "nmcli networking off; sleep 0.5; nmcli networking on; nmcli --wait 10 connection up " + profile,
        "systemctl restart NetworkManager; nm-online -q -s -t 10",
        "systemctl stop NetworkManager; sleep 1; systemctl start NetworkManager; nm-online -q -s -t 10",
    ]
    return lives_beside_us(start, steps, stop)


def firewalld_lives_beside_us():
    is_there("firewalld", "firewall-cmd")
    folder, protocols = "/etc/firewalld", "/checks/protocols"
    if not os.path.exists(protocols):
        raise NotRun("it needs /etc/protocols of the package netbase")

    def start():
        run("cp", protocols, "/etc/")
        # Clients reach servers, nobody the other way; of this host they reach the listener with `bind`.
        service = '<service name="http"/>'
        writes(f"{folder}/zones/internal.xml", f'<zone>{service}<interface name="inside"/></zone>')
        writes(f"{folder}/zones/external.xml", '<zone><interface name="outside"/></zone>')
        zones = '<ingress-zone name="internal"/><egress-zone name="external"/>'
        writes(f"{folder}/policies/through.xml", f'<policy target="ACCEPT" priority="-1">{zones}</policy>')
        starts("firewalld")
        run("firewall-cmd", "--state")

    def stop():
        run("systemctl", "stop", "firewalld")
        run("rm", "-rf", "/etc/protocols", f"{folder}/zones", f"{folder}/policies")

    steps = [
        "firewall-cmd --reload",
        "firewall-cmd --zone=internal --add-port=8443/tcp; firewall-cmd --zone=internal --remove-port=8443/tcp",
        "firewall-cmd --complete-reload",
        "systemctl restart firewalld",
        "systemctl stop firewalld; sleep 1; systemctl start firewalld",
    ]
    return lives_beside_us(start, steps, stop)


def nftables_service_lives_beside_us():
    """Debian's: its file and its stop begin with "flush ruleset", which takes everybody's tables."""
    is_there("nft")

    def start():
        starts("nftables")

    def stop():
        run("systemctl", "stop", "nftables")

    steps = ["systemctl reload nftables", "systemctl restart nftables", "systemctl stop nftables; sleep 1; systemctl start nftables"]
    return lives_beside_us(start, steps, stop)


CHECKS = [
    networkd_lives_beside_us,
    networkmanager_lives_beside_us,
    firewalld_lives_beside_us,
    nftables_service_lives_beside_us,
]
