#!/usr/bin/env python3
"""Names the tests that did not run, and why. Where everything has to run, only those of the list may be left out.

usage: not_run.py RESULTS.xml LIST [--all-must-run]
"""
import re
import sys
import xml.etree.ElementTree as tree
from pathlib import Path


def allowed_in(path):
    """Patterns of the list: one a line, then what it needs."""
    lines = [line.split("#")[0].strip() for line in Path(path).read_text().splitlines()]
    return [re.compile(line.split()[0]) for line in lines if line]


def reason_of(case):
    """What the test said when it gave up."""
    text = case.findtext("system-out") or ""
    said = re.search(r"Skipped\n+(.+)", text)
    return said.group(1).strip() if said else "it is disabled"


def main(results, listed, *options):
    allowed = allowed_in(listed)
    wrong = False
    for case in tree.parse(results).getroot().iter("testcase"):
        if case.get("status") not in ("notrun", "disabled"):
            continue
        name = case.get("name")
        may = any(each.fullmatch(name) for each in allowed)
        wrong |= not may
        print(f"not run: {name}: {reason_of(case)}" + ("" if may else " (it should have run here)"))
    return 1 if wrong and "--all-must-run" in options else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
