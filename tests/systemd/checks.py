#!/usr/bin/env python3
"""What the units promise, asked of the real service manager.

Runs as root in the root that run.sh has booted; prints one line a check, with its figures, and ends with 1 when one of them
does not hold, else with 77 when one cannot be run.
"""

import collections
import json
import os
import re
import signal
import sys
import time

import neighbours
from host import ATTACK, FILE, PUBLIC, SITE
from host import Load, answered, entered, journal, ms, outcomes, run, shown, status, tables, until

# --- the checks, in this order


def the_guard_stands_before_the_network():
    until(lambda: shown("ActiveState") == "active")
    guard, network = entered("gateway-guard"), entered("network.target")
    made = entered("networks")
    assert 0 < guard < made < network < entered("gateway"), "not in this order"
    cycles = [entry["MESSAGE"] for entry in journal() if "ordering cycle" in str(entry["MESSAGE"])]
    assert not cycles, cycles
    return f"guard {ms(made - guard)} before the first interface, {ms(network - guard)} before network.target"


def systemd_has_no_complaint():
    done = run("systemd-analyze", "verify", "--man=no", "gateway.service", "gateway-guard.service", ok=False)
    assert done.returncode == 0 and not done.stderr, done.stderr
    units = ("gateway", "gateway-guard")
    scores = [run("systemd-analyze", "security", "--no-pager", unit).splitlines()[-1] for unit in units]
    return ", ".join(re.search(r"for (\S+): ([\d.]+)", score).expand(r"\1 \2") for score in scores)


def active_means_serving():
    run("systemctl", "stop", "gateway")
    began = time.monotonic()
    run("systemctl", "start", "gateway")
    took = time.monotonic() - began
    assert answered(PUBLIC) == 200 and answered(SITE) == 200
    assert shown("StatusText") == "serving 2 listeners", shown("StatusText")
    return f"after {ms(took)}, \"{shown('StatusText')}\", {shown('NFileDescriptorStore')} sockets kept"


def confined_it_still_does_everything():
    assert answered(SITE, ATTACK) == 403 and answered(PUBLIC, ATTACK) == 403
    doctor = run("gatewayctl", "doctor", ok=False).stdout.splitlines()[-1]
    assert doctor.startswith("0 errors"), doctor
    good = open(FILE).read()
    open("/tmp/next.yaml", "w").write(good + "# applied\n")
    run("gatewayctl", "apply", "/tmp/next.yaml")
    assert open(FILE).read() == good + "# applied\n", "the file was not written"
    return f"WAF blocks at both listeners; apply writes the file; doctor: {doctor.split(';')[0]}"


def a_killed_keeper_refuses_nobody():
    return kill_keepers()


def without_inspection_it_is_back_sooner():
    good = open(FILE).read()
    open(FILE, "w").write(good.replace("mode: block", "mode: off"))
    run("systemctl", "reload", "gateway")
    assert answered(PUBLIC, ATTACK) == 200, "it still inspects"
    until(lambda: status()["known_good"], 60)  # else kills so soon lead back to the one before
    figures = kill_keepers()
    assert answered(PUBLIC, ATTACK) == 200, "it inspects again"
    open(FILE, "w").write(good)
    run("systemctl", "reload", "gateway")
    return figures


def kill_keepers(kills=10):
    pressing = Load(PUBLIC)
    kill_times, successors, kept = [], [], []
    for _ in range(kills):
        keeper = int(shown("MainPID"))
        kill_times.append(time.monotonic())
        os.kill(keeper, signal.SIGKILL)
        until(lambda: shown("MainPID") not in (str(keeper), "0"))
        successors.append(time.monotonic())
        kept.append(int(shown("NFileDescriptorStore")))
        until(lambda: shown("ActiveState") == "active", 30)
        time.sleep(3)  # load on each successor; and twenty starts a minute are the limit
    rows = pressing.ended()
    answers = sorted(end for _, end, outcome in rows if outcome == 200)
    silences = []
    for killed, next_kill in zip(kill_times, [*kill_times[1:], answers[-1] + 1]):
        near = [end for end in answers if killed - 1 < end < next_kill]
        silences.append(max(later - earlier for earlier, later in zip(near, near[1:])))
    silences.sort()
    # Those under way at a kill, or begun before the last process has ended, are lost, whatever the client calls it.
    lost = [row for row in rows if row[2] in ("ConnectionResetError", "RemoteDisconnected", "IncompleteRead")]
    lives = list(zip(kill_times, successors))
    late = [began for began, ended, _ in lost if not any(began < successor and killed < ended for killed, successor in lives)]
    assert len(lost) + len(answers) == len(rows) and not late, f"{outcomes(rows)}; {len(late)} lost by a successor"
    assert min(kept) > 0, kept
    return (
        f"{kills} kills, {outcomes(rows)}; no answer for {ms(silences[0])}, {ms(silences[kills // 2])}, {ms(silences[-1])} "
        f"(least, median, most); {min(kept)} to {max(kept)} sockets kept"
    )


def a_hanging_keeper_is_ended_by_the_watchdog():
    at_site, at_public = Load(SITE, clients=1, pause=0.05), Load(PUBLIC, clients=1, pause=0.05)
    keeper = shown("MainPID")
    stopped = time.monotonic()
    run("systemctl", "kill", "--kill-who=main", "--signal=STOP", "gateway")
    until(lambda: shown("MainPID") not in (keeper, "0"))
    ended = time.monotonic()
    until(lambda: shown("ActiveState") == "active")
    time.sleep(1)  # requests of after it
    site, public = at_site.ended(), at_public.ended()
    refusals = [start for start, _, outcome in site if outcome == "ConnectionRefusedError"]
    again = min(start for start, _, outcome in site if outcome == 200 and start > refusals[0])
    assert not [row for row in public if row[2] == "ConnectionRefusedError"], outcomes(public)
    assert any("watchdog" in str(entry["MESSAGE"]).lower() for entry in journal("-u", "gateway")), "no word of the watchdog"
    return (
        f"ended after {ended - stopped:.1f} s; intercepted: refused from {refusals[0] - stopped:.1f} s to "
        f"{again - stopped:.1f} s ({outcomes(site)}); bound: {outcomes(public)}"
    )


def a_reload_is_whole_or_nothing():
    good = open(FILE).read()
    pressing = Load(PUBLIC)
    open(FILE, "w").write(good.replace("when_down: reject", "when_down: drop"))
    run("systemctl", "reload", "gateway")
    assert "drop" in run("nft", "list", "table", "inet", "gateway_guard")
    open(FILE, "w").write("listeners: [{name: web, bint: 1}]\n")
    done = run("systemctl", "reload", "gateway", ok=False)
    assert done.returncode != 0 and shown("ActiveState") == "active", "a broken file was taken"
    said = [str(entry["MESSAGE"]) for entry in journal("-u", "gateway", "-p", "err")]
    assert any("bint" in line for line in said), said[-5:]
    open(FILE, "w").write(good)
    run("systemctl", "reload", "gateway")
    rows = pressing.ended()
    assert {row[2] for row in rows} == {200}, outcomes(rows)
    return f"{outcomes(rows)}; a broken file: reload fails, the service stays"


def an_upgrade_is_followed():
    pressing, keeper, restarts = Load(PUBLIC), shown("MainPID"), shown("NRestarts")
    for _ in range(3):
        run("gatewayctl", "upgrade")
        until(lambda: shown("MainPID") != keeper)
        keeper = shown("MainPID")
        assert "gatewayd" in open(f"/proc/{keeper}/comm").read() and shown("ActiveState") == "active"
        time.sleep(1)  # load on each successor
    rows = pressing.ended()
    assert shown("NRestarts") == restarts and {row[2] for row in rows} == {200}, outcomes(rows)
    kept = shown("NFileDescriptorStore")
    time.sleep(6)  # longer than WatchdogSec
    assert shown("MainPID") == keeper, "the watchdog ended the successor"
    run("systemctl", "kill", "--kill-who=main", "--signal=KILL", "gateway")
    until(lambda: shown("MainPID") not in (keeper, "0") and shown("ActiveState") == "active")
    assert answered(PUBLIC) == 200
    return f"3 upgrades, {outcomes(rows)}, {kept} sockets kept; the watchdog and a kill find the successor"


def a_stop_drains_and_takes_the_rules_away():
    slow = Load(PUBLIC, path="/slow", clients=1, once=True)
    until(lambda: status()["totals"]["connections_active"] == 1)  # its answer takes two seconds
    began = time.monotonic()
    run("systemctl", "stop", "gateway")
    took = time.monotonic() - began
    under_way = slow.ended()[0][2]
    assert under_way == 200, under_way
    left = tables()
    assert "table inet gateway\n" not in left and "table inet gateway_guard" in left, left
    assert "7373" not in run("ip", "rule") and shown("NFileDescriptorStore") == "0"
    refused = answered(SITE), answered(PUBLIC)
    assert refused == ("ConnectionRefusedError", "ConnectionRefusedError"), refused
    assert shown("Result") == "success" and not run("pgrep", "-u", "gateway", ok=False).stdout
    run("systemctl", "start", "gateway")
    return f"after {took:.1f} s, the request of 2 s under way: {under_way}; closed listeners stay closed"


def a_restart_comes_back():
    pressing = Load(PUBLIC)
    began = time.monotonic()
    run("systemctl", "restart", "gateway")
    took = time.monotonic() - began
    assert answered(PUBLIC) == 200 and answered(SITE) == 200
    rows = pressing.ended()
    assert {row[2] for row in rows} <= {200, "ConnectionRefusedError", "ConnectionResetError"}, outcomes(rows)
    refused = [end for _, end, outcome in rows if outcome != 200]
    refusing = ms(max(refused) - min(refused)) if refused else "no time"  # nobody may have come just then
    return f"after {ms(took)}, refusing for {refusing} of it; none under way was cut short"


def a_wrong_file_is_tried_once():
    good = open(FILE).read()
    forget_what_was_good()
    open(FILE, "w").write("listeners: [{name: web, bint: 1}]\n")
    assert run("systemctl", "start", "gateway", ok=False).returncode != 0
    time.sleep(3)  # time for the starts that must not come
    tries, status = 1 + int(shown("NRestarts")), shown("ExecMainStatus")
    open(FILE, "w").write(good)
    assert shown("ActiveState") == "failed" and tries == 1, f"{tries} starts"
    run("systemctl", "start", "gateway")
    return f"status {status}, no second start; the mended one starts at once"


def an_address_that_comes_late_is_waited_for():
    good = open(FILE).read()
    forget_what_was_good()
    open(FILE, "w").write(good.replace(PUBLIC, "198.51.100.2:80"))
    run("systemctl", "start", "gateway", ok=False)
    stopping = time.monotonic()
    run("systemctl", "stop", "gateway")
    assert time.monotonic() - stopping < 2, "a stop had to wait"
    run("systemctl", "start", "gateway", ok=False)
    time.sleep(10)  # time for the limit of starts to be reached, which it must not be
    assert shown("ActiveState") == "activating", shown("ActiveState")
    run("ip", "addr", "add", "198.51.100.2/24", "dev", "inside")
    began = time.monotonic()
    until(lambda: shown("ActiveState") == "active")
    took, restarts = time.monotonic() - began, shown("NRestarts")
    assert answered("198.51.100.2:80") == 200
    run("ip", "addr", "del", "198.51.100.2/24", "dev", "inside")
    open(FILE, "w").write(good)
    run("systemctl", "restart", "gateway")
    return f"serving {took:.1f} s after it came, {restarts} starts before"


def forget_what_was_good():
    """As after the installation: there is no configuration to fall back to."""
    run("systemctl", "stop", "gateway")
    run("sh", "-c", "rm -rf /var/lib/gateway/*")


def the_journal_is_well_formed():
    """A record is JSON on one line; a line of the service log names its process and level, and has its priority."""
    wrong, counted = [], collections.Counter()
    level = {"debug": "7", "info": "6", "warning": "4", "error": "3"}
    before = None
    for entry in journal("-u", "gateway", "SYSLOG_IDENTIFIER=gatewayd"):
        line, priority = entry["MESSAGE"], entry["PRIORITY"]
        named = isinstance(line, str) and re.match(r"(gatewayd|data|inspector) (debug|info|warning|error): ", line)
        if named:
            before = level[named[2]]
            good = priority == before
            counted[named[2]] += 1
        elif isinstance(line, str) and line.startswith("    "):
            good = priority == before
            counted["continued"] += 1
        else:
            good = isinstance(line, str) and "kind" in json.loads(line)
            counted["records"] += 1
        if not good:
            wrong.append((priority, line))
    assert not wrong, f"{len(wrong)}, the first: {wrong[0]}"
    return ", ".join(f"{count} {what}" for what, count in counted.items())


def main():
    checks = [
        the_guard_stands_before_the_network,
        systemd_has_no_complaint,
        active_means_serving,
        confined_it_still_does_everything,
        a_killed_keeper_refuses_nobody,
        without_inspection_it_is_back_sooner,
        a_hanging_keeper_is_ended_by_the_watchdog,
        a_reload_is_whole_or_nothing,
        an_upgrade_is_followed,
        a_stop_drains_and_takes_the_rules_away,
        a_restart_comes_back,
        a_wrong_file_is_tried_once,
        an_address_that_comes_late_is_waited_for,
        *neighbours.CHECKS,
        the_journal_is_well_formed,
    ]
    good, failed, not_run = open(FILE).read(), 0, 0
    until(lambda: answered(SITE) == 200)
    for check in checks:
        if len(sys.argv) > 1 and check.__name__ not in sys.argv[1:]:
            continue
        run("systemctl", "reset-failed", "gateway")  # these checks start it more often than it may be
        try:
            print(f"ok    {check.__name__}: {check()}", flush=True)
        except neighbours.NotRun as why:
            not_run += 1
            print(f"-     {check.__name__}: not run: {why}", flush=True)
        except Exception as wrong:
            failed += 1
            print(f"WRONG {check.__name__}: {type(wrong).__name__} {wrong}", flush=True)
            open(FILE, "w").write(good)
            run("systemctl", "reset-failed", "gateway")
            run("systemctl", "restart", "gateway")
    return 1 if failed else 77 if not_run else 0


if __name__ == "__main__":
    sys.exit(main())
