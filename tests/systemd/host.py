#!/usr/bin/env python3
"""Words that the checks share: commands, units, the journal, and requests from the client's side.

As a program it is those requests: see Load.
"""

import collections
import json
import subprocess
import sys
import threading
import time

FILE = "/etc/gateway/gateway.yaml"
SITE = "203.0.113.10:80"  # intercepted, when_down: reject
PUBLIC = "198.51.100.1:80"  # bound
LOAD = 4  # clients at a time
ATTACK = "/?id=1%27%20OR%20%271%27=%271%27%20--%20"


def run(*words, ok=True):
    done = subprocess.run(words, capture_output=True, text=True)
    if ok and done.returncode != 0:
        raise AssertionError(f"{' '.join(words)}: {done.stdout}{done.stderr}".strip())
    return done.stdout if ok else done


def shown(name, unit="gateway"):
    return run("systemctl", "show", "--value", "-p", name, unit).strip()


def entered(unit):
    """When it became active, in seconds since the host's start."""
    return int(shown("ActiveEnterTimestampMonotonic", unit)) / 1e6


def journal(*words):
    return [json.loads(line) for line in run("journalctl", "-b", "-o", "json", "--no-pager", *words).splitlines()]


def status():
    return json.loads(run("gatewayctl", "status", "--json", ok=False).stdout)


def until(what, seconds=20):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "not within the time"
        time.sleep(0.005)  # between two looks


def answered(target, path="/"):
    """One request on a connection of its own: its status, or the error's name."""
    return next(iter(Load(target, path=path, clients=1, once=True).ended()))[2]


class Load:
    """Requests from the client's side, a connection each, until ended: (began, ended, status or error) of each."""

    def __init__(self, target, path="/", clients=LOAD, once=False, pause=0.0, limit=10.0):
        words = ["ip", "netns", "exec", "client", sys.executable, __file__, target, path]
        words += [str(clients), str(int(once)), str(pause), str(limit)]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if not once:
            time.sleep(1)  # requests of before what is to come, to compare with

    def ended(self):
        out, _ = self.process.communicate("\n")
        return [tuple(row) for row in json.loads(out)]


def load(target, path, clients, once, pause, limit):
    """In the client's namespace: what Load asks for, until a line comes on standard input."""
    import http.client

    rows, ending = [], threading.Event()

    def client():
        while not ending.is_set():
            began = time.monotonic()
            try:
                connection = http.client.HTTPConnection(target, timeout=limit)
                connection.request("GET", path, headers={"Host": "shop.example", "User-Agent": "checks", "Accept": "*/*"})
                outcome = connection.getresponse().status
                connection.close()
            except (OSError, http.client.HTTPException) as wrong:
                outcome = type(wrong).__name__
            rows.append((began, time.monotonic(), outcome))
            if once:
                return
            time.sleep(pause)  # the pace that was asked for

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    if not once:
        sys.stdin.readline()
        ending.set()
    for thread in threads:
        thread.join()
    json.dump(rows, sys.stdout)


def outcomes(rows):
    counted = collections.Counter(outcome for _, _, outcome in rows)
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(counted.items(), key=str))


def ms(seconds):
    return f"{seconds * 1000:.0f} ms"


def tables():
    return run("nft", "list", "tables")


if __name__ == "__main__":
    target, path, clients, once, pause, limit = sys.argv[1:]
    load(target, path, int(clients), bool(int(once)), float(pause), float(limit))
