"""What is measured, and one measurement of it."""

import json
import os
import resource
import subprocess
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

from lab import CLIENT, ORIGIN, Broken
from peers import check_source

GB = 1e9
BROWSER = (
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language: en-GB,en;q=0.5",
    "Cookie: session=5f2d1c9ab3e44f7d8a6b0c1e; theme=dark",
    "Referer: http://site.example/catalogue?page=2",
)
CLEAN = "/shop/item?id=4711&colour=dark+blue&sort=price"
ATTACK = "/shop/item?id=1%27%20OR%20%271%27=%271%27%20--%20"
# Nobody waits longer than this for one load, whatever the options say.
LONGEST_SECONDS = 60
IDLE_SECONDS = 4  # before memory is looked at: what is put away of connections that wait is put away by then


@dataclass(frozen=True)
class Row:
    name: str
    title: str
    does: str  # what a peer must do to take part: http, tcp, udp, waf
    load: str  # the first word for bench_load
    unit: str  # request, message, datagram, GB or connection
    connections: int = 32
    size: int = 64  # bytes of a body, a message, a stream
    upload: int = 0
    close: bool = False
    workers: int = 1
    latency: bool = True  # a second pass at half load
    target: str = ""
    fields: tuple = ()
    one_at_a_time: bool = False  # whole transfers: counted, not timed
    in_short: bool = True

    @property
    def idle(self):
        return self.unit == "connection"

    @property
    def carries_bytes(self):
        return self.unit == "GB" or (self.does == "tcp" and not self.idle)

    @property
    def cost_unit(self):
        return {"GB": "s/GB", "connection": "bytes"}.get(self.unit, "us")


GIB = 1 << 30
ROWS = (
    Row("keep-alive", "small requests, kept connections", "http", "http", "request"),
    Row("per-connection", "one connection per request", "http", "http", "request", close=True),
    Row("body-64k", "64 KiB bodies", "http", "http", "GB", size=64 * 1024),
    Row("body-1g", "1 GiB bodies, down", "http", "http", "GB", 1, GIB, latency=False, one_at_a_time=True),
    Row("upload-1g", "1 GiB bodies, up", "http", "http", "GB", 1, upload=GIB, latency=False, one_at_a_time=True, in_short=False),
    Row("l4-bulk", "L4 relay, bulk", "tcp", "stream", "GB", 1, GIB, latency=False, one_at_a_time=True),
    Row("l4-small", "L4 relay, 100-byte messages", "tcp", "echo", "message", size=100),
    Row("idle-http", "idle HTTP connections", "http", "http", "connection", 10_000, latency=False),
    Row("idle-l4", "idle L4 connections", "tcp", "echo", "connection", 10_000, 100, latency=False),
    Row("udp", "UDP, 100 bytes there and back", "udp", "datagrams", "exchange", 64, 100),
    Row("inspected", "clean request through the CRS", "waf", "http", "request", 8, target=CLEAN, fields=BROWSER),
    Row("keep-alive-2", "small requests, two workers", "http", "http", "request", 64, workers=2),
    Row("per-connection-2", "one connection per request, two workers", "http", "http", "request", 64, close=True, workers=2, in_short=False),
    Row("l4-small-2", "100-byte messages, two workers", "tcp", "echo", "message", 64, 100, workers=2, in_short=False),
)


def row_named(name, **changes):
    return replace(next(row for row in ROWS if row.name == name), **changes)


def shortened(row):
    """The same in less time: fewer idle connections, smaller bodies."""
    if row.idle:
        return replace(row, connections=2_000)
    if row.one_at_a_time:
        return replace(row, size=min(row.size, GIB // 4), upload=min(row.upload, GIB // 4), title=row.title.replace("1 GiB", "256 MiB"))
    return row


def load_words(row, milliseconds, rate=0):
    port = 80 if row.load == "http" else 9001 if row.load == "stream" else 9000
    words = [row.load, "--to", f"{ORIGIN}:{port}", "--connections", row.connections, "--size", row.size]
    words += ["--milliseconds", milliseconds, "--count", 20_000_000 if not row.one_at_a_time else 16]
    if row.one_at_a_time:
        words += ["--patience", LONGEST_SECONDS]
    if row.upload:
        words += ["--upload", row.upload]
    if row.close:
        words += ["--close"]
    if row.target:
        words += ["--target", row.target]
    for field in row.fields:
        words += ["--field", field]
    if rate:
        words += ["--rate", f"{rate:.1f}"]
    return [str(each) for each in words]


def scheduler_figures(processes):
    """What the scheduler counted of each thread: (its number, ns it ran, ns it waited for a processor)."""
    for number in processes:
        for file in Path(f"/proc/{int(number)}/task").glob("*/schedstat"):
            try:
                ran, waited = map(int, file.read_text().split()[:2])
            except (OSError, ValueError):  # ended meanwhile
                continue
            yield file.parent.name, ran, waited


def thread_seconds(processes):
    """The CPU time of each thread."""
    return {thread: ran / 1e9 for thread, ran, _ in scheduler_figures(processes)}


def wanted_seconds(processes):
    """The CPU time they used, and the time they waited for a processor."""
    return sum(ran + waited for _, ran, waited in scheduler_figures(processes)) / 1e9


def ended_seconds(processes):
    """The CPU time of children of theirs that have ended: an inspector that made way for a fresh one, say."""
    total = 0
    for number in processes:
        try:
            fields = Path(f"/proc/{int(number)}/stat").read_text().rsplit(")", 1)[1].split()
        except (OSError, IndexError):
            continue
        total += int(fields[13]) + int(fields[14])
    return total / os.sysconf("SC_CLK_TCK")


def cpu_seconds(processes):
    return sum(thread_seconds(processes).values()) + ended_seconds(processes)


def pss_bytes(processes):
    """Memory of all processes, what they share counted once."""
    total = 0
    for number in processes:
        try:
            text = Path(f"/proc/{int(number)}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:"))
    return total


def slab_bytes():
    text = Path("/proc/meminfo").read_text()
    return next(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Slab:"))


class PeakMemory:
    """The highest sum seen while it is open; looks a few times a second."""

    def __init__(self, peer):
        self.peer, self.bytes = peer, 0
        self.end = threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True)

    def look(self):
        while True:
            self.bytes = max(self.bytes, pss_bytes(self.peer.processes()))
            if self.end.wait(0.25):
                return

    def __enter__(self):
        if self.peer.measured:
            self.thread.start()
        return self

    def __exit__(self, *_):
        self.end.set()
        if self.peer.measured:
            self.thread.join()
            self.bytes = max(self.bytes, pss_bytes(self.peer.processes()))


class Measurement:
    """One peer at one row, from its start to its end."""

    def __init__(self, lab, peer, row):
        self.lab, self.peer, self.row = lab, peer, row

    def __enter__(self):
        self.set_aside = self.memory_set_aside() if self.row.idle and self.peer.sets_aside else 0
        try:
            self.start()
            self.keeps_source = check_source(self.peer, self.row.does)
            if self.row.does == "waf":
                self.check_verdict()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_):
        self.end()

    def start(self):
        self.lab.make_networks()
        self.peer.start(self.row.workers, self.row.does == "waf")

    def memory_set_aside(self):
        """For each connection that it may have, used or not: what it takes more with room for more of them."""
        room, bytes_of = self.peer.room, {}
        sizes = 1024, 1024 + self.row.connections
        for self.peer.room in sizes:
            try:
                self.start()
                settle(self.peer)
                bytes_of[self.peer.room] = pss_bytes(self.peer.processes())
            finally:
                self.end()
                self.peer.room = room
        return (bytes_of[sizes[1]] - bytes_of[sizes[0]]) / self.row.connections

    def end(self):
        try:
            self.peer.stop()
        finally:
            self.lab.remove_networks()

    def client(self, words, limit):
        said = self.lab.inside("client", [self.lab.loads / "bench_load", *words], timeout=limit)
        return json.loads(said)

    def check_verdict(self):
        words = ["http", "--to", f"{ORIGIN}:80", "--count", "1", "--target", ATTACK, "--status", "403"]
        if self.client(words, 20)["failed"]:
            raise Broken(f"{self.peer.title} does not refuse an attack")

    def expects(self):
        """What the origin has to see with each request; checked where the peer keeps the client's address at all."""
        return ["--expect-source", CLIENT] if self.row.load == "http" and self.keeps_source else []

    def load(self, milliseconds, rate=0):
        limit = min(milliseconds / 1000, LONGEST_SECONDS) + 30 + (LONGEST_SECONDS if self.row.one_at_a_time else 0)
        return self.client(load_words(self.row, milliseconds, rate) + self.expects(), limit)

    def warm(self, milliseconds):
        if not self.row.one_at_a_time:
            self.load(milliseconds)

    def at_full_load(self, milliseconds):
        processes = self.peer.processes()
        before, threads, ends = cpu_seconds(processes), thread_seconds(processes), self.ends_seconds()
        with PeakMemory(self.peer) as memory:
            answer = self.load(milliseconds)
        ends, processes = self.ends_seconds() - ends, self.peer.processes()
        used, each = cpu_seconds(processes) - before, busy_seconds(threads, thread_seconds(processes))
        made = sample_of(self.row, answer, used if self.peer.measured else None, memory.bytes)
        made["ends"] = ends / answer["done"] * 1e6 if answer["done"] else None
        made["busiest"] = max(each) / sum(each) if sum(each) else None
        return made

    def ends_seconds(self):
        """CPU time of the origin, and of the clients that have ended."""
        clients = resource.getrusage(resource.RUSAGE_CHILDREN)
        return cpu_seconds([self.lab.origin.pid]) + clients.ru_utime + clients.ru_stime

    def at_half_load(self, milliseconds, rate):
        before = cpu_seconds(self.peer.processes())
        answer = self.load(milliseconds, rate)
        used = cpu_seconds(self.peer.processes()) - before
        return sample_of(self.row, answer, used if self.peer.measured else None, 0)

    def idle(self):
        """Opens the connections, looks at memory, and asks once more on each."""
        warm = replace(self.row, connections=64)
        self.client(load_words(warm, 200) + self.expects(), 30)
        settle(self.peer)
        memory, kernel = pss_bytes(self.peer.processes()), slab_bytes()
        with Held(self, self.row) as held:
            time.sleep(IDLE_SECONDS)
            settle(self.peer)
            memory, kernel = pss_bytes(self.peer.processes()) - memory, slab_bytes() - kernel
            peak = pss_bytes(self.peer.processes())
            answer = held.finish()
        count = self.row.connections
        ends = 1 if self.row.does == "http" else 2  # a relay has one to the origin for each
        return {
            "cost": memory / count + ends * self.set_aside if self.peer.measured else None,
            "set_aside_bytes": ends * self.set_aside,
            "kernel_bytes": kernel / count,
            "peak_bytes": peak,
            "done": answer["done"],
            "failed": answer["failed"],
            "first_failure": answer["first_failure"],
        }


class Held:
    """Connections that were used once and wait, as long as this is open."""

    def __init__(self, measured, row):
        self.lab, self.count = measured.lab, row.connections
        words = load_words(row, LONGEST_SECONDS * 1000) + measured.expects() + ["--hold"]
        self.child = self.lab.start("client", [self.lab.loads / "bench_load", *words], "idle", stdin=subprocess.PIPE)

    def __enter__(self):
        self.lab.wait_until(lambda: "\n" in self.lab.said("idle"), "the idle connections", self.child, limit=40)
        return self

    def finish(self):
        """Each is used once more, and closed. What the load says of both times."""
        opened = json.loads(self.lab.said("idle").splitlines()[0])["open"]
        self.child.stdin.close()
        self.child.wait(timeout=60)
        lines = self.lab.said("idle").splitlines()
        if len(lines) != 2:
            raise Broken(f"idle connections: {lines[-1]}")
        answer = json.loads(lines[1])
        if opened != self.count or answer["done"] != 2 * self.count:
            answer["failed"] = max(answer["failed"], 1)
            answer["first_failure"] = answer["first_failure"] or f"{opened} of {self.count} opened"
        return answer

    def __exit__(self, *_):
        self.lab.stop(self.child, gently=False)


def settle(peer):
    """Until memory has come to rest, for at most two seconds."""
    last = -1
    for _ in range(8):
        now = pss_bytes(peer.processes())
        if abs(now - last) < 16 * 1024:
            return
        last = now
        time.sleep(0.25)


def rest(peer, limit=15):
    """Until it has had nothing to do for half a second, for at most so many seconds."""
    last, quiet, end = wanted_seconds(peer.processes()), 0, time.monotonic() + limit
    while quiet < 2 and time.monotonic() < end:
        time.sleep(0.25)
        now = wanted_seconds(peer.processes())
        quiet = quiet + 1 if now - last < 0.05 else 0
        last = now


def busy_seconds(before, after):
    """What each thread used meanwhile."""
    return [seconds - before.get(thread, 0) for thread, seconds in after.items()]


def failed_sample(why):
    return {"cost": None, "failed": 1, "first_failure": str(why)}


# What a measurement may end with that is its own failure, not the bench's.
FAILURES = (Broken, subprocess.SubprocessError, ValueError, KeyError)


def in_turn(all_of_them, number):
    """Their order in this round: who is first has a colder machine, so it is not always the same one."""
    first = number % len(all_of_them)
    return all_of_them[first:] + all_of_them[:first]


def sample_of(row, answer, cpu, peak):
    """One line of figures out of the load's own answer and the CPU time used meanwhile."""
    units = answer["bytes"] / GB if row.unit == "GB" else answer["done"]
    failed, why = answer["failed"], answer["first_failure"]
    if units <= 0:
        failed, why = max(failed, 1), why or "nothing was done"
    scale = 1 if row.unit == "GB" else 1e6
    return {
        "cost": cpu / units * scale if cpu is not None and units > 0 else None,
        "per_second": units / answer["seconds"] if answer["seconds"] > 0 else 0,
        "answers_per_second": answer["done"] / answer["seconds"] if answer["seconds"] > 0 else 0,
        "p50_us": answer["p50_us"],
        "p99_us": answer["p99_us"],
        "cpu_share": cpu / answer["seconds"] if cpu is not None and answer["seconds"] > 0 else None,
        "peak_bytes": peak,
        "done": answer["done"],
        "failed": failed,
        "first_failure": why,
    }
