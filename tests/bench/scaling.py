"""What grows in `./dev bench --scaling`: the sizes, and the gateway's configuration at each. Pure."""

from dataclasses import dataclass, replace
from ipaddress import IPv4Address

from lab import ORIGIN
from peers import LISTENERS, WEB
from rows import BROWSER, CLEAN, Row, row_named

# A list of the configuration has no more entries than 10,000: many addresses are spread over so many listeners.
SPREAD = 10
# Far from all addresses that are in use in the bench.
FIRST_ADDRESS = int(IPv4Address("100.64.0.0"))
ALONE, BUSY, FLOOD = "alone", "beside busy processes", "beside a flood"
FIXED_RATE = 1_000


@dataclass(frozen=True)
class Config:
    listeners: tuple = LISTENERS
    routes: tuple = ()
    workers: int = 1
    inspects: bool = False


def routes_at(count, turn=0):
    """Half of them differ in the path, the others in the host; the last is the one that is asked for."""
    made = []
    for number in range(count - 1):
        name = f"r{number}" if number or not turn else "changed"
        host, path = (
            ("site.example", f"/{name}"),
            (f"{name}.example", "/shop"),
            ("site.example", f"/{name}/:item"),
            (f'":any.{name}.example"', "/"),
        )[number % 4]
        made.append(f'{{host: {host}, path: "{path}", to: "http://{ORIGIN}"}}')
    made.append(f'{{host: site.example, path: /asked, to: "http://{ORIGIN}"}}')
    return Config(routes=tuple(made))


def listeners_at(count, turn=0):
    """For other addresses, but for the last."""
    others = range(turn, count - 1 + turn)
    made = [f"{{name: l{n}, intercept: {{to: [10.9.{n // 250}.{n % 250 + 1}], ports: [80]}}, protocol: http}}" for n in others]
    return Config((*made, LISTENERS[0]))


def addresses(first, count):
    """No two of them side by side, or they would be merged."""
    return ", ".join(str(IPv4Address(FIRST_ADDRESS + 2 * number)) for number in range(first, first + count))


def spread(count, turn, more):
    """Listeners with so many excepted clients together. `more(number)`: what each has beside that, in `intercept` and after."""
    made = []
    for number in range(SPREAD):
        inside, after = more(number)
        if own := count // SPREAD:
            inside += f", except: {{from: [{addresses(number * own + turn, own)}]}}"
        port = 80 if number == SPREAD - 1 else 8_001 + number
        made.append(f"{{name: l{number}, intercept: {{to: [{ORIGIN}], ports: [{port}]{inside}}}{after}, protocol: http}}")
    return Config(tuple(made))


def sets_at(count, turn=0):
    return spread(count, turn, lambda number: ("", ""))


def own_sets_at(count, turn=0):
    """Led here by rules of others: no set of the kernel, the gateway looks itself."""
    return spread(count, turn, lambda number: (", mode: external", f', bind: ["0.0.0.0:{WEB + SPREAD - 1 - number}"]'))


def workers_at(count, turn=0):
    return Config(workers=count)


def flood_at(_, turn=0):
    return Config(routes=("{path: /plain, to: original, waf: off}",), inspects=True)


KEPT, SINGLE, SMALL = row_named("keep-alive"), row_named("per-connection"), row_named("l4-small")
ASKED = "/asked/item"
PLAIN = Row("plain", "uninspected requests at a fixed rate", "waf", "http", "request", 16, target="/plain/item")
FLOODED = Row("flood", "inspected requests, all that are taken", "waf", "http", "request", 32, target=CLEAN, fields=BROWSER)


@dataclass(frozen=True)
class Series:
    """The first size is the one the others are compared with."""

    name: str
    title: str
    configure: object  # (size, turn) -> Config; a reload goes to another turn
    sizes: tuple
    rows: tuple = (KEPT, SINGLE)
    short_sizes: tuple = ()
    reloads: bool = False
    idle: bool = False  # the size is a number of idle connections
    external: bool = False  # connections are led by the bench's rules


ASKED_ROWS = tuple(replace(each, target=ASKED) for each in (KEPT, SINGLE))
MORE_ROWS = tuple(replace(each, connections=64) for each in (KEPT, SINGLE, SMALL))
BY_KERNEL, BY_GATEWAY = "excepted clients, looked up by the kernel", "excepted clients, looked up by the gateway"
IN_SETS, IN_SHORT = (0, 1_000, 100_000), (0, 1_000, 10_000)
SERIES = (
    Series("routes", "routes", routes_at, (10, 1_000, 10_000), ASKED_ROWS, reloads=True),
    Series("listeners", "listeners", listeners_at, (1, 100), reloads=True),
    Series("idle", "idle connections beside", lambda size, turn=0: Config(), (0, 10_000), short_sizes=(0, 2_000), idle=True),
    Series("sets", BY_KERNEL, sets_at, IN_SETS, short_sizes=IN_SHORT, reloads=True),
    Series("own-sets", BY_GATEWAY, own_sets_at, IN_SETS, short_sizes=IN_SHORT, reloads=True, external=True),
    Series("workers", "workers", workers_at, (1, 2), MORE_ROWS),
    Series("flood", "uninspected requests, and a WAF that has too much to do", flood_at, (ALONE, BUSY, FLOOD), (PLAIN, FLOODED)),
)


def shortened_series(series):
    return replace(series, sizes=series.short_sizes or series.sizes)


def size_text(size):
    return size if isinstance(size, str) else f"{size:,}"
