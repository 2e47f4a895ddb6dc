#!/usr/bin/env python3
"""Fails when anything but the one dialling function opens a connection, or when that one does not ask the guard first.

usage: one_way_out.py ROOT

A destination that a client may have chosen is checked against this host's own addresses right before connect
(gateway/upstream/guard.h). That holds only while there is no second place that connects. Who needs one adds it to
CHECKED, with the call of the guard before it, or, when it can reach no network, to LOCAL with the reason. What a person
starts and points somewhere by the configuration is no way for a client: BY_A_PERSON.
"""

import re
import sys
from pathlib import Path

CONNECTS = re.compile(r"(?<![\w.>:])(?:::)?connect\(\s*[a-z]|\basync_connect\(|(?:\.|->)connect\(\s*[a-z]")
GUARD = re.compile(r"guard_?(?:->|\.)check\(")

# file -> the call that has to stand between the start of the function and the connect
CHECKED = {"gateway/upstream/direct.cpp", "gateway/datagram/upstream_socket.cpp"}
LOCAL = {
    "gateway/ctl/client.cpp": ("AF_UNIX", "the control socket"),
    "gateway/keeper/control_socket_file.cpp": ("AF_UNIX", "asks whether another daemon serves the control socket"),
    "netfilter/heartbeat.cpp": ("loopback(v6)", "to itself, so that the rules see it"),
    "netfilter/iptables_owner.cpp": ("AF_UNIX", "asks whether another daemon holds the rules of this name"),
}
# The call itself: who calls it is looked at.
CALLED = {"gateway/base/socket_stream.cpp", "gateway/base/socket_stream.h"}
# gatewayctl doctor: are the upstreams of the configuration there, does a connection of its own come through the rules?
BY_A_PERSON = {"gateway/ctl/doctor_upstreams.cpp", "gateway/ctl/doctor_probe.cpp"}


def function_before(text, at):
    """The text from the line that opens the function around `at` to `at`."""
    begin = text.rfind("\n{", 0, at)
    return text[max(begin, 0) : at]


def wrong_in(name, text):
    """One line for each connection in a file that is not opened as it should be."""
    text = re.sub(r"//[^\n]*", "", text)
    found = []
    for match in CONNECTS.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        if name in BY_A_PERSON or name in CALLED:
            continue
        if name in LOCAL:
            family, why = LOCAL[name]
            if family not in text:
                found.append(f"{name}:{line}: listed as local ({why}), but has no {family}")
        elif name not in CHECKED:
            found.append(f"{name}:{line}: connects by itself: dial through gateway/upstream, or see {__file__}")
        elif not GUARD.search(function_before(text, match.start())):
            found.append(f"{name}:{line}: connects without having asked the guard in the same function")
    return found


def main(root):
    found, connects = [], 0
    for folder in ("gateway", "netfilter", "waf", "tunnel"):
        for path in sorted((root / folder).rglob("*.cpp")) + sorted((root / folder).rglob("*.h")):
            text = path.read_text()
            connects += len(CONNECTS.findall(text))
            found += wrong_in(str(path.relative_to(root)), text)
    for line in found:
        print(line)
    if connects < len(CHECKED) + len(LOCAL):
        print("fewer connections than files that are said to have one: the search does not see them")
        return 1
    return 1 if found else 0


def test():
    good = "X f()\n{\n    guard_->check(to, who);\n    socket.async_connect(to);\n}\n"
    bad = "X f()\n{\n    guard_->check(to, who);\n}\nX g()\n{\n    socket.async_connect(to);\n}\n"
    assert wrong_in("gateway/upstream/direct.cpp", good) == []
    assert len(wrong_in("gateway/upstream/direct.cpp", bad)) == 1
    assert len(wrong_in("gateway/other.cpp", "{\n    ::connect(socket, name, size);\n}")) == 1
    assert wrong_in("gateway/other.cpp", "// connect(it)\nError connect_error(x);") == []


if __name__ == "__main__":
    test()
    sys.exit(main(Path(sys.argv[1])))
