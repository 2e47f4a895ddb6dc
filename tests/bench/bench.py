#!/usr/bin/env python3
"""The gateway beside its peers, in one run: see docs/bench.md.

usage: bench.py --programs FOLDER --loads FOLDER [options]
"""

import argparse
import json
import os
import platform
import resource
import shutil
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

from figures import LIMIT, OURS, half_rate, markdown_lines, row_figures, table_lines
from lab import Broken, Lab, run
from peers import PEERS, Gateway
from picture import picture
from rows import FAILURES, LONGEST_SECONDS, ROWS, Measurement, failed_sample, in_turn, row_named, shortened
from scaling import SERIES, shortened_series
from scaling_figures import series_lines, series_markdown
from scaling_run import SeriesRun

NEEDED = {"ip": "iproute2", "nft": "nftables", "sysctl": "procps"}
# After so many rounds without one that counts, a peer is left out of the row.
PATIENCE = 2
WANTED_FILES = 65_536


def say(text):
    print(text, file=sys.stderr, flush=True)


class Progress:
    """One line that is written over on a terminal; a line for each row elsewhere."""

    def __init__(self, steps):
        self.steps, self.done, self.began = max(steps, 1), 0, time.monotonic()
        self.terminal = sys.stderr.isatty()

    def step(self, what):
        self.done += 1
        if self.terminal:
            took = time.monotonic() - self.began
            left = took / self.done * (self.steps - self.done)
            sys.stderr.write(f"\r\033[K[{self.done}/{self.steps}, {took:.0f} s, {left:.0f} s left] {what}")
            sys.stderr.flush()

    def clear(self):
        if self.terminal:
            sys.stderr.write("\r\033[K")


def parse_arguments(words):
    known_rows, known_peers, known_series = ([each.name for each in kind] for kind in (ROWS, PEERS, SERIES))
    parser = argparse.ArgumentParser(prog="./dev bench", description="The gateway beside its peers, in one run.")
    parser.add_argument("--short", action="store_true", help="under two minutes: one round, smaller sizes")
    parser.add_argument("--rows", type=names_of(known_rows), help="only these, with commas: " + ", ".join(known_rows))
    parser.add_argument("--peers", type=names_of(known_peers), help="only these, with commas: " + ", ".join(known_peers))
    parser.add_argument(
        "--scaling",
        nargs="?",
        type=names_of(known_series),
        const=known_series,
        metavar="SERIES",
        help="instead of the comparison, what grows with size, of this gateway alone; all, or: " + ", ".join(known_series),
    )
    parser.add_argument("--rounds", type=int, help="how many times each is measured, in turn (5; scaling: 3; short: 1)")
    parser.add_argument("--seconds", type=float, help="of one load (2; scaling: 1.5; short: 0.5)")
    parser.add_argument("--json", metavar="FILE", help="write all figures and samples")
    parser.add_argument("--svg", metavar="FILE", help="write a picture of the comparison")
    parser.add_argument("--markdown", metavar="FILE", help="write the table for the README")
    parser.add_argument("--log", action="store_true", help="every one writes a log line for each request")
    parser.add_argument("--programs", default="build/release/bin", help="the folder of gatewayd")
    parser.add_argument("--loads", help="the folder of bench_load and bench_origin, if it is another one")
    parser.add_argument("--check-options", action="store_true", help="only say what is wrong with the options")
    chosen = parser.parse_args(words)
    for option in ("rows", "peers", "svg", "log") if chosen.scaling else ():
        if getattr(chosen, option):
            parser.error(f"--{option} does not go with --scaling")
    chosen.rounds = chosen.rounds or (1 if chosen.short else 3 if chosen.scaling else 5)
    chosen.seconds = chosen.seconds or (0.5 if chosen.short else 1.5 if chosen.scaling else 2)
    if not 0.1 <= chosen.seconds <= LONGEST_SECONDS:
        parser.error(f"--seconds is between 0.1 and {LONGEST_SECONDS}")
    if not 1 <= chosen.rounds <= 100:
        parser.error("--rounds is between 1 and 100")
    return chosen


def names_of(known):
    def parse(text):
        names = [each.strip() for each in text.split(",") if each.strip()]
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name} is not one of {', '.join(known)}")
        return names

    return parse


def rows_for(options):
    if options.rows:
        rows = [row for row in ROWS if row.name in options.rows]
    else:
        rows = [row for row in ROWS if row.in_short or not options.short]
    return [shortened(row) for row in rows] if options.short else rows


def peers_for(options, lab):
    """Those that were asked for and can take part; says who cannot, and why."""
    found = []
    for kind in PEERS:
        if options.peers and kind.name not in options.peers:
            continue
        peer = kind(lab, options.log)
        if why := peer.missing():
            say(f"bench: without {peer.title}: {why}")
        else:
            found.append(peer)
    return found


class RowRun:
    """All rounds of one row."""

    def __init__(self, lab, row, peers, options, progress):
        self.lab, self.row, self.options, self.progress = lab, row, options, progress
        self.peers = peers
        self.samples = {peer.name: {"full": [], "half": []} for peer in peers}
        self.sources = {}
        self.milliseconds = int(options.seconds * 1000)

    def run(self):
        for number in range(self.options.rounds):
            self.round(number, "full", self.at_full)
        if self.row.latency and (rate := half_rate(self.samples)):
            for number in range(self.options.rounds):
                self.round(number, "half", lambda measured: measured.at_half_load(self.milliseconds, rate))
        figures = row_figures(self.row, self.samples)
        for name, seen in self.sources.items():
            figures["peers"][name]["keeps_source"] = seen
        figures["half_rate"] = half_rate(self.samples) if self.row.latency else None
        figures["samples"] = self.samples
        return figures

    def at_full(self, measured):
        if self.row.idle:
            return measured.idle()
        measured.warm(min(300, self.milliseconds // 2))
        return measured.at_full_load(self.milliseconds)

    def round(self, number, which, work):
        for peer in in_turn(self.peers, number):
            self.progress.step(f"{self.row.title}, round {number + 1}: {peer.title}")
            samples = self.samples[peer.name][which]
            if len(samples) >= PATIENCE and all(each["failed"] for each in samples):
                samples.append(failed_sample(samples[-1]["first_failure"]))
                continue
            try:
                with Measurement(self.lab, peer, self.row) as measured:
                    self.sources[peer.name] = measured.keeps_source
                    samples.append(work(measured))
            except FAILURES as why:
                samples.append(failed_sample(f"{why}; {self.lab.said(peer.name)[-300:].strip()}".strip("; ")))


def machine():
    def first(path, start):
        lines = [line for line in Path(path).read_text().splitlines() if line.startswith(start)]
        return lines[0].split(":" if ":" in lines[0] else "=", 1)[1].strip().strip('"') if lines else "unknown"

    return {
        "processor": first("/proc/cpuinfo", "model name"),
        "processors": os.cpu_count(),
        "kernel": platform.release(),
        "distribution": first("/etc/os-release", "PRETTY_NAME"),
        "load_at_start": os.getloadavg()[0],
    }


def check_host(options):
    if os.geteuid() != 0:
        raise Broken("this needs root: it makes network namespaces. Try: sudo ./dev bench")
    for program, package in NEEDED.items():
        if not shutil.which(program):
            raise Broken(f"{program} is not there; it comes with the package {package}")
    for program in ("bench_load", "bench_origin"):
        if not (Path(options.loads or options.programs) / program).exists():
            raise Broken(f"no {program} in {options.loads or options.programs}")


def allow_many_files():
    """As many open files as this host lets a process have, up to what the idle rows want; everybody inherits it."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (WANTED_FILES, max(WANTED_FILES, most)))
    except ValueError:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def within_files(row, files):
    """An idle row of no more connections than a gateway may have, with two open files each."""
    most = (files - 2_000) // 2
    if not row.idle or row.connections <= most:
        return row
    say(f"bench: {row.title}: {most:,} of them, because a process may have no more than {files:,} open files here")
    return replace(row, connections=most)


def series_within_files(series, files):
    if not series.idle:
        return series
    idle = [within_files(row_named("idle-http", connections=size), files).connections for size in series.sizes]
    return replace(series, sizes=tuple(idle))


def without(words, option):
    """The words but for an option and its value: `./dev` adds this one."""
    return words[: words.index(option)] + words[words.index(option) + 2 :] if option in words else words


def subtitle_of(host, options):
    load = f"machine busy with other things (load {host['load_at_start']:.1f})" if host["load_at_start"] > 0.8 else ""
    words = [host["processor"], f"{host['processors']} processors", f"Linux {host['kernel']}", host["distribution"]]
    words += [f"medians of {options.rounds} rounds" if options.rounds > 1 else "one round", load]
    return ", ".join(each for each in words if each)


def bench(options):
    # Where the programs are that only root uses; not everybody's path has it.
    os.environ["PATH"] += os.pathsep + "/usr/sbin" + os.pathsep + "/sbin"
    check_host(options)
    files, host = allow_many_files(), machine()
    say(f"bench: {subtitle_of(host, options)}, {options.seconds:g} s each")
    result = {"machine": host, "versions": {}, "rows": [], "scaling": []}
    result["command"] = " ".join(["./dev bench", *without(sys.argv[1:], "--loads")])
    result["options"] = {"rounds": options.rounds, "seconds": options.seconds, "short": options.short, "log": options.log}
    with Lab(options.programs, options.loads or options.programs) as lab:
        if options.scaling:
            wrong = scale(lab, options, files, result)
        else:
            wrong = compare(lab, options, files, result)
    write(options, result, host)
    return 1 if wrong else 0


def compare(lab, options, files, result):
    """All rows with all peers. Whether this gateway had errors."""
    rows, peers = [within_files(row, files) for row in rows_for(options)], peers_for(options, lab)
    for peer in peers:
        result["versions"][peer.name] = peer.version()
    taking_part = [(row, [peer for peer in peers if peer.takes_part(row)]) for row in rows]
    progress = Progress(sum(len(each) * options.rounds * (1 + row.latency) for row, each in taking_part))
    for row, each in taking_part:
        if not any(peer.measured for peer in each):
            say(f"bench: nobody is there for {row.title}")
            continue
        figures = RowRun(lab, row, each, options, progress).run()
        result["rows"].append(figures)
        progress.clear()
        print("\n".join(table_lines(figures)), flush=True)
    print(two_workers(result["rows"]), end="")
    complain(sum(bool(peer["failures"]) for row in result["rows"] for peer in row["peers"].values()))
    return any(row["peers"].get(OURS, {}).get("failures") for row in result["rows"])


def scale(lab, options, files, result):
    """All series. Whether there were errors."""
    gateway = Gateway(lab)
    if why := gateway.missing():
        raise Broken(why)
    result["versions"][gateway.name] = gateway.version()
    chosen = [each for each in SERIES if each.name in options.scaling]
    chosen = [series_within_files(shortened_series(each) if options.short else each, files) for each in chosen]
    progress = Progress(sum(len(series.sizes) for series in chosen) * options.rounds)
    for series in chosen:
        result["scaling"].append(SeriesRun(lab, series, options, progress).run())
        progress.clear()
        print("\n".join(series_lines(result["scaling"][-1])), flush=True)
    wrong = sum(bool(size["failures"]) for series in result["scaling"] for size in series["sizes"])
    complain(wrong)
    return wrong > 0


def complain(wrong):
    if wrong:
        say(f"bench: errors at {wrong} places; what they touched does not count, see above")


def two_workers(rows):
    """What the second worker brings: answers a second of two over those of one, and what each costs."""
    by_name, lines = {row["name"]: row for row in rows}, []
    for name, row in by_name.items():
        one = by_name.get(name.removesuffix("-2")) if name.endswith("-2") else None
        for peer, figures in row["peers"].items() if one else []:
            alone = one["peers"].get(peer, {})
            if peer != LIMIT and figures.get("per_second") and alone.get("per_second") and alone.get("cost"):
                speed, cost = figures["per_second"] / alone["per_second"], figures["cost"] / alone["cost"]
                lines.append(f"{row['title']}: {peer}: {speed:.2f} times one worker's speed, {cost:.2f} times its cost each\n")
    return "".join(lines)


def write(options, result, host):
    if options.json:
        Path(options.json).write_text(json.dumps(result, indent=1) + "\n")
    if options.svg:
        Path(options.svg).write_text(picture(result["rows"], subtitle_of(host, options)))
    if options.markdown:
        lines = series_markdown(result["scaling"]) if options.scaling else markdown_lines(result["rows"])
        Path(options.markdown).write_text("\n".join(lines) + "\n")


def main():
    options = parse_arguments(sys.argv[1:])
    if options.check_options:
        return 0

    def stop(*_):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    try:
        return bench(options)
    except KeyboardInterrupt:
        say("\nbench: ended early; everything it made is removed")
        return 130
    except Broken as why:
        say(f"bench: {why}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
