#!/usr/bin/env python3
"""What a run of every test came to, told once more at its end: which failed and what they said, which did not run and
why. Where everything has to run, only those of the list may be left out.

usage: outcome.py RESULTS.xml LIST [--all-must-run]
"""
import re
import sys
import xml.etree.ElementTree as tree
from pathlib import Path

MOST_LINES = 20  # of what a test said that failed: its first words name the cause


def allowed_in(path):
    """Patterns of the list: one a line, then what it needs."""
    lines = [line.split("#")[0].strip() for line in Path(path).read_text().splitlines()]
    return [re.compile(line.split()[0]) for line in lines if line]


def reason_of(case):
    """What the test said when it gave up."""
    text = case.findtext("system-out") or ""
    said = re.search(r"Skipped\n+(.+)", text)
    return said.group(1).strip() if said else "it is disabled"


def complaint_of(case):
    """From the first failure on; of a test that ended without one, its last words."""
    lines = (case.findtext("system-out") or "").strip().splitlines()
    failures = [at for at, line in enumerate(lines) if re.search(r": Failure$|(ERROR|WARNING): \w+Sanitizer|runtime error:", line)]
    start = failures[0] if failures else max(0, len(lines) - MOST_LINES)
    return "\n".join("  " + line for line in lines[start:start + MOST_LINES])


def main(results, listed, *options):
    allowed = allowed_in(listed)
    wrong = False
    for case in tree.parse(results).getroot().iter("testcase"):
        name = case.get("name")
        if case.get("status") == "fail":
            print(f"failed: {name}\n{complaint_of(case)}")
        if case.get("status") not in ("notrun", "disabled"):
            continue
        may = any(each.fullmatch(name) for each in allowed)
        wrong |= not may
        print(f"not run: {name}: {reason_of(case)}" + ("" if may else " (it should have run here)"))
    return 1 if wrong and "--all-must-run" in options else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
