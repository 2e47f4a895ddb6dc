#!/usr/bin/env python3
"""Reads every #include of ours and fails on one that the house does not allow.

usage: layering.py ROOT       exit code 1, and one line for each wrong include, when there is one

Who may use whom is read from the gw_room lines of ROOT/CMakeLists.txt. Which room may include which outside library is
the table below. tests/ may include anything.
"""

import re
import sys
from pathlib import Path

# Outside headers by how they begin, and the rooms that may include them. Asio, the C and C++ libraries and the
# kernel's plain socket headers are the ground everything stands on and not listed.
LIBRARIES = {
    "openssl/": {"tls"},
    "modsecurity/": {"waf"},
    "pcre2": {"waf"},
    "nftables/": {"netfilter"},
    "libmnl/": {"netfilter"},
    "libnetfilter": {"netfilter"},
    "linux/netfilter": {"netfilter"},
    "linux/netlink.h": {"netfilter"},
    "linux/rtnetlink.h": {"netfilter"},
    "linux/seccomp.h": {"confine"},
    "seccomp.h": {"confine"},
    "yaml-cpp/": {"config"},
    "systemd/": {"keeper"},
    "CLI/": {"ctl", "main"},
    "nlohmann/": {"ctl", "control", "doctor", "keeper", "link"},
    "boost/beast": {"http"},
    "nghttp2/": {"http"},
    "spdlog/": set(),
    "fmt/": set(),
    "gtest/": set(),
    "gmock/": set(),
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


class Room:
    def __init__(self, name, folder, uses, settings_of):
        self.name, self.folder, self.uses, self.settings_of = name, folder, uses, settings_of


def read_rooms(cmake_text):
    """The gw_room(...) lines as rooms by name. Raises ValueError on a room that uses one not above it."""
    rooms = {}
    for call in re.findall(r"^gw_room\(([^)]*)\)", cmake_text, re.MULTILINE):
        name, *words = call.split()
        parts = {"AT": [], "USES": [], "SETTINGS_OF": []}
        part = None
        for word in words:
            if word in parts:
                part = word
            else:
                parts[part].append(word)
        for used in parts["USES"]:
            if used not in rooms:
                raise ValueError(f"room {name} uses {used}, which is not a room on a lower floor")
        rooms[name] = Room(name, parts["AT"][0], set(parts["USES"]), set(parts["SETTINGS_OF"]))
    return rooms


def room_of(path, rooms):
    """The room whose folder a path (text, from the root) lies in; the deepest one; None outside of all."""
    inside = [room for room in rooms.values() if path.startswith(room.folder + "/")]
    return max(inside, key=lambda room: len(room.folder), default=None)


def why_not(file, include, quoted, rooms):
    """Why `file` may not have this include, or None. Both are texts, paths from the root."""
    own = room_of(file, rooms)
    user = own.name if own else "main"
    if not quoted:
        for beginning, allowed in LIBRARIES.items():
            if include.startswith(beginning) and user not in allowed:
                return f"<{include}> belongs to {' and '.join(sorted(allowed)) or 'no room'}"
        return None
    target = room_of(include, rooms)
    if target is None:
        return f'"{include}" is not the path of a room\'s header from the root'
    if own is None or target is own or target.name in own.uses:
        return None
    if target.name in own.settings_of:
        settings = f"{target.folder}/settings.h"
        return None if include == settings else f"of {target.name} it may include settings.h only, not {include}"
    return f"{user} may not use {target.name} ({include})"


def wrong_includes(root):
    """One text for each include below `root` that is not allowed."""
    rooms = read_rooms((root / "CMakeLists.txt").read_text())
    folders = {room.folder.split("/")[0] for room in rooms.values()}
    wrong = []
    for folder in sorted(folders):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in {".h", ".cpp"}:
                continue
            file = path.relative_to(root).as_posix()
            text = path.read_text()
            for match in INCLUDE.finditer(text):
                reason = why_not(file, match[2], match[1] == '"', rooms)
                if reason:
                    line = text.count("\n", 0, match.start(2)) + 1
                    wrong.append(f"{file}:{line}: {reason}")
            for match in re.finditer(r"^\s*#\s*include\s*[^<\"\s]", text, re.MULTILINE):
                wrong.append(f"{file}: an include this test cannot read: {match[0].strip()}")
    return wrong


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        wrong = wrong_includes(Path(sys.argv[1]))
    except ValueError as problem:
        wrong = [str(problem)]
    print("\n".join(wrong) or "every include is allowed")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
