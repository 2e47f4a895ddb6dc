"""Three networks made of namespaces, client - gateway - server, and the processes in them. Everything made here is gone
after `close`; what a killed run left is removed by the next one."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

PREFIX = "gwbench-"
CLIENT = "10.0.1.2"
ORIGIN = "10.0.2.10"
SIDES = ("client", "gateway", "server")


class Broken(Exception):
    """Something that is no figure: a program that does not start, an answer that is wrong."""


def run(*words, check=True, timeout=30, **more):
    done = subprocess.run(words, capture_output=True, text=True, timeout=timeout, **more)
    if check and done.returncode != 0:
        raise Broken(f"{' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def alive(number):
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def end_by_number(numbers):
    for number in numbers:
        try:
            os.kill(number, signal.SIGKILL)
        except ProcessLookupError:
            pass


def remove_namespace(name):
    """It, and whatever runs in it."""
    for turn in range(50):
        numbers = [int(each) for each in run("ip", "netns", "pids", name, check=False).split()]
        if not numbers:
            break
        end_by_number(numbers)
        time.sleep(0.02 * (turn > 0))
    run("ip", "netns", "del", name, check=False)


def remove_leftovers():
    """Of runs that are no more."""
    places = [Path("/run/netns"), Path(tempfile.gettempdir())]
    for place in places:
        for entry in place.glob(PREFIX + "*") if place.is_dir() else []:
            owner = entry.name[len(PREFIX) :].split("-")[0]
            if not owner.isdigit() or alive(int(owner)):
                continue
            if place.name == "netns":
                remove_namespace(entry.name)
            else:
                shutil.rmtree(entry, ignore_errors=True)


class Lab:
    def __init__(self, programs, loads):
        self.programs = Path(programs).resolve()
        self.loads = Path(loads).resolve()
        self.children = []
        self.made = []
        self.folder = None

    def __enter__(self):
        remove_leftovers()
        self.folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
        self.folder.chmod(0o755)
        return self

    def __exit__(self, *_):
        self.remove_networks()
        shutil.rmtree(self.folder, ignore_errors=True)

    def namespace(self, side):
        return f"{PREFIX}{os.getpid()}-{side}"

    def make_networks(self):
        """Anew for each measurement: connections that one gateway left half closed would meet those of the next."""
        self.remove_networks()
        for side in SIDES:
            self.made.append(self.namespace(side))
            run("ip", "netns", "add", self.namespace(side))
        client, gateway, server = map(self.namespace, SIDES)
        self.batch(
            "gateway",
            "link set lo up",
            f"link add inside type veth peer name net0 netns {client}",
            f"link add outside type veth peer name net0 netns {server}",
            *("link set inside up", "link set outside up"),
            *("addr add 10.0.1.1/24 dev inside", "addr add 10.0.2.1/24 dev outside"),
        )
        for side, own, way in (("client", CLIENT, "10.0.1.1"), ("server", ORIGIN, "10.0.2.1")):
            self.batch(side, "link set lo up", "link set net0 up", f"addr add {own}/24 dev net0", f"route add default via {way}")
        for side in SIDES:
            settings = {"ip_local_port_range": "1024 65535", "conf.all.rp_filter": 0, "conf.default.rp_filter": 0}
            settings["ip_forward"] = int(side == "gateway")
            self.inside(side, ["sysctl", "-qw", *(f"net.ipv4.{name}={value}" for name, value in settings.items())])
        self.origin = self.start("server", [str(self.loads / "bench_origin"), ORIGIN], "origin", stdin=subprocess.PIPE)
        self.wait_until(lambda: "ready" in self.said("origin"), "the origin", self.origin)

    def remove_networks(self):
        for child in list(self.children):
            self.stop(child, gently=False)
        for name in self.made:
            remove_namespace(name)
        self.made.clear()

    def batch(self, side, *lines):
        run("ip", "-n", self.namespace(side), "-batch", "-", input="\n".join(lines))

    def command(self, side, words):
        return ["ip", "netns", "exec", self.namespace(side), *map(str, words)]

    def inside(self, side, words, **more):
        return run(*self.command(side, words), **more)

    def start(self, side, words, name, environment=None, **more):
        """A process in a network, what it says in files. Its number is that of the command: `ip` becomes it."""
        with open(self.folder / f"{name}.out", "wb") as out, open(self.folder / f"{name}.err", "wb") as err:
            child = subprocess.Popen(
                self.command(side, words),
                stdout=out,
                stderr=err,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
                **{"stdin": subprocess.DEVNULL, **more},
            )
        self.children.append(child)
        return child

    def said(self, name):
        text = ""
        for kind in ("out", "err"):
            path = self.folder / f"{name}.{kind}"
            text += path.read_text(errors="replace") if path.exists() else ""
        return text

    def wait_until(self, condition, what, child, limit=20):
        """Waits for something of that process; one that does not get there is ended."""
        end = time.monotonic() + limit
        try:
            while not condition():
                if child.poll() is not None:
                    raise Broken(f"{what} ended at once")
                if time.monotonic() > end:
                    raise Broken(f"{what} was not ready in {limit} s")
                time.sleep(0.02)
        except BaseException:
            self.stop(child, gently=False)
            raise

    def stop(self, child, gently=True):
        """The process and all below it: asked first, then not."""
        numbers = tree(child.pid) if child.poll() is None else []
        if gently and child.poll() is None:
            child.terminate()
            try:
                child.wait(timeout=8)
            except subprocess.TimeoutExpired:
                pass
        end_by_number(number for number in numbers if still(number))
        child.wait(timeout=10)
        if child.stdin:
            child.stdin.close()
        if child in self.children:
            self.children.remove(child)


def tree(number):
    """A process and all below it, with the time each began, so that a number used anew is not taken for it."""
    found, at = [number], 0
    while at < len(found):
        for task in Path(f"/proc/{found[at]}/task").glob("*/children"):
            try:
                found += [int(each) for each in task.read_text().split()]
            except OSError:
                pass
        at += 1
    return [Numbered(each) for each in found]


class Numbered(int):
    """The number of a process, and when it began."""

    def __new__(cls, number):
        self = super().__new__(cls, number)
        self.began = beginning(number)
        return self


def beginning(number):
    try:
        return Path(f"/proc/{int(number)}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except (OSError, IndexError):
        return None


def still(number):
    return number.began is not None and beginning(number) == number.began
