"""One size after another, measured: see scaling.py for what they are."""

import json
import os
import sys
import time

from lab import Broken, run
from peers import Gateway, Peer
from rows import (
    FAILURES,
    LONGEST_SECONDS,
    IDLE_SECONDS,
    Held,
    Measurement,
    cpu_seconds,
    failed_sample,
    in_turn,
    load_words,
    pss_bytes,
    rest,
    row_named,
    settle,
)
from scaling import BUSY, FIXED_RATE, FLOOD, FLOODED, PLAIN, size_text
from scaling_figures import series_figures

RELOAD_LIMIT = 30
# One client address that uses all its ports would meet those that kept connections to the origin have: gatewayd(8), BUGS.
UNTRACKED = """table inet untracked {
    chain arriving { type filter hook prerouting priority raw; notrack; }
    chain sent { type filter hook output priority raw; notrack; }
}
"""
# A size that takes longer than this is measured in one round only.
SLOW_SECONDS = 45


class Sized(Gateway):
    """The gateway at one size of a series."""

    start_limit = 60

    def __init__(self, lab, series, size):
        super().__init__(lab)
        self.series, self.size, self.turn = series, size, 0
        self.title = f"{size_text(size)} {series.title}"

    def steer(self):
        if self.series.external:
            Peer.steer(self)
            self.nft(UNTRACKED)
        else:
            super().steer()

    def configuration(self, workers, inspects):
        config = self.series.configure(self.size, self.turn)
        return self.document(config.workers, config.inspects, config.listeners, config.routes)

    def begin(self, workers, inspects):
        self.turn, began = 0, time.monotonic()
        child = super().begin(workers, inspects)
        self.start_seconds = time.monotonic() - began
        return child

    def reload(self):
        """To the same with one entry changed. How long it took until that was in force, and the CPU time."""
        self.turn = 1 - self.turn
        self.write("gateway.yaml", self.configuration(1, False))
        began, used = time.monotonic(), cpu_seconds(self.processes())
        run(str(self.lab.programs / "gatewayctl"), "--socket", str(self.socket()), "reload", timeout=RELOAD_LIMIT)
        took = time.monotonic() - began
        rest(self)
        return took, cpu_seconds(self.processes()) - used

    def inspectors(self):
        return [each for each in self.processes() if name_of(each).startswith("gateway-inspec")]


def name_of(process):
    try:
        with open(f"/proc/{int(process)}/comm", encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""


class Beside:
    """A load that runs while something else is done or measured."""

    def __init__(self, measured, row, milliseconds, rate=0):
        self.lab = measured.lab
        words = load_words(row, milliseconds, rate) + measured.expects()
        self.child = self.lab.start("client", [self.lab.loads / "bench_load", *words], "beside")

    def __enter__(self):
        return self

    def answer(self):
        self.child.wait(timeout=LONGEST_SECONDS + 30)
        return json.loads(self.lab.said("beside"))

    def __exit__(self, *_):
        self.lab.stop(self.child, gently=False)


class Busy:
    """So many processes that do nothing but use up processors."""

    def __init__(self, lab, count):
        self.lab, self.count, self.children = lab, count, []

    def __enter__(self):
        for number in range(self.count):
            self.children.append(self.lab.start("gateway", [sys.executable, "-S", "-c", "while True: pass"], f"busy-{number}"))
        return self

    def __exit__(self, *_):
        for child in self.children:
            self.lab.stop(child, gently=False)


class SeriesRun:
    """All rounds of one series."""

    def __init__(self, lab, series, options, progress):
        self.lab, self.series, self.options, self.progress = lab, series, options, progress
        self.milliseconds = int(options.seconds * 1000)
        self.samples = {size: [] for size in series.sizes}
        self.rates, self.slow = {}, set()

    def run(self):
        for number in range(self.options.rounds):
            for size in in_turn(self.series.sizes, number):
                self.progress.step(f"{size_text(size)} {self.series.title}, round {number + 1}")
                if size not in self.slow:
                    self.round(size)
        return series_figures(self.series, self.samples)

    def round(self, size):
        began = time.monotonic()
        try:
            sample = self.measure(Sized(self.lab, self.series, size))
        except FAILURES as why:
            sample = failed_sample(f"{why}; {self.lab.said('gateway')[-300:].strip()}".strip("; "))
        self.samples[size].append(sample)
        if time.monotonic() - began > SLOW_SECONDS:
            self.slow.add(size)

    def measure(self, peer):
        with Measurement(self.lab, peer, self.series.rows[0]) as measured:
            self.wait_for_standby(peer)
            rest(peer)
            made = {"failed": 0, "first_failure": "", "start_s": peer.start_seconds}
            made |= {"start_cpu_s": cpu_seconds(peer.processes()), "memory_bytes": pss_bytes(peer.processes())}
            if FLOODED in self.series.rows:
                made["loads"] = self.flood(measured, peer)
            elif self.series.idle and peer.size:
                made |= self.beside_idle(measured, peer)
            else:
                made["loads"] = self.loads(measured)
            if self.series.reloads:
                made["reloading"] = self.reloads(measured, peer)
        return made

    def wait_for_standby(self, peer):
        """The data process that waits to take over is started a while after the first, and reads the configuration too."""
        end = time.monotonic() + 10
        while sum(name_of(each) == "gateway-data" for each in peer.processes()) < 2 and time.monotonic() < end:
            time.sleep(0.1)

    def loads(self, measured):
        """Of each row what it costs at full load, then how long it takes at a rate: half of what the first size gave."""
        made = {}
        for row in self.series.rows:
            measured.row = row
            measured.warm(min(300, self.milliseconds // 2))
            full = measured.at_full_load(self.milliseconds)
            if not full["failed"]:
                self.rates.setdefault(row.name, full["answers_per_second"] / 2)
            half = [measured.at_half_load(self.milliseconds, self.rates[row.name])] if row.name in self.rates else []
            made[row.name] = {"full": [full], "half": half}
        return made

    def beside_idle(self, measured, peer):
        measured.warm(200)
        settle(peer)
        before = pss_bytes(peer.processes())
        with Held(measured, row_named("idle-http", connections=peer.size)) as held:
            time.sleep(IDLE_SECONDS)
            settle(peer)
            each = (pss_bytes(peer.processes()) - before) / peer.size
            loads = self.loads(measured)
            answer = held.finish()
        return {"loads": loads, "idle_bytes": each, "failed": answer["failed"], "first_failure": answer["first_failure"]}

    def reloads(self, measured, peer):
        """First without work, then beside a load: how long the longest waited then. Each request has a connection of its
        own there: kept ones are closed with a reload, in good order, and the load takes that for a failure."""
        measured.row = row = self.series.rows[-1]
        try:
            took, used = peer.reload()
            return {"reload_s": took, "reload_cpu_s": used} | self.reload_under_load(measured, peer, took)
        except FAILURES as why:
            return failed_sample(why)

    def reload_under_load(self, measured, peer, took):
        row = measured.row
        milliseconds = min(int(2_000 * took) + self.milliseconds, LONGEST_SECONDS * 1000)
        with Beside(measured, row, milliseconds, self.rates.get(row.name, FIXED_RATE)) as beside:
            time.sleep(self.milliseconds / 4_000)  # so that the load has begun and goes on when it ends
            under_load, _ = peer.reload()
            answer = beside.answer()
        made = {"reload_under_load_s": under_load, "longest_us": answer["max_us"]}
        return made | {"failed": answer["failed"], "first_failure": answer["first_failure"]}

    def flood(self, measured, peer):
        measured.row = PLAIN
        measured.warm(300)
        if peer.size == FLOOD:
            return self.beside_flood(measured, peer)
        with Busy(self.lab, processors_wanted() if peer.size == BUSY else 0):
            return {PLAIN.name: {"full": [], "half": [measured.at_half_load(self.milliseconds, FIXED_RATE)]}}

    def beside_flood(self, measured, peer):
        warm = self.milliseconds / 2_000
        with Beside(measured, FLOODED, int(self.milliseconds * 1.5) + 1_000) as beside:
            time.sleep(warm)  # until there are as many inspectors as there can be
            before, began = cpu_seconds(peer.inspectors()), time.monotonic()
            plain = measured.at_half_load(self.milliseconds, FIXED_RATE)
            busy = (cpu_seconds(peer.inspectors()) - before) / (time.monotonic() - began)
            if beside.child.poll() is not None:
                raise Broken("the flood ended before the requests beside it")
            answer = beside.answer()
        plain |= {"inspectors": len(peer.inspectors()), "inspectors_busy": busy}
        flood = {key: answer[key] for key in ("p50_us", "p99_us", "failed", "first_failure")}
        flood |= {"cost": None, "per_second": answer["done"] / answer["seconds"] if answer["seconds"] else 0}
        return {PLAIN.name: {"full": [], "half": [plain]}, FLOODED.name: {"full": [flood], "half": [flood]}}


def processors_wanted():
    """As many as a worker has inspectors at most (waf/connections.cpp)."""
    return max(2, os.cpu_count() or 1) + 2
