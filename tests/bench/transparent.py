#!/usr/bin/env python3
"""Opens listening sockets that may take over other hosts' addresses, then becomes another program, which inherits them.

usage: transparent.py tcp:PORT|udp:PORT... -- COMMAND...

nginx has no option for such sockets, but takes over open ones whose numbers the variable NGINX names, as after an upgrade
of its own; so it can be steered to by the same rules as the others.
"""

import os
import socket
import sys

IP_TRANSPARENT = 19
KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


def main(words):
    cut = words.index("--")
    numbers = []
    for word in words[:cut]:
        kind, port = word.split(":")
        made = socket.socket(socket.AF_INET, KINDS[kind])
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_IP, IP_TRANSPARENT, 1)
        made.bind(("0.0.0.0", int(port)))
        if kind == "tcp":
            made.listen(4096)
        numbers.append(os.dup(made.fileno()))
        os.set_inheritable(numbers[-1], True)
    os.environ["NGINX"] = "".join(f"{number};" for number in numbers)
    os.execvp(words[cut + 1], words[cut + 1 :])


if __name__ == "__main__":
    main(sys.argv[1:])
