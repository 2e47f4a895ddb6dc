"""Samples into figures: medians, ratios within a round, and the table. Pure."""

from statistics import median

OURS = "gateway"
LIMIT = "direct"


def good(samples):
    """Those that count: a run with a wrong or missing answer does not."""
    return [each for each in samples if not each["failed"]]


def middle(samples, key):
    values = [each[key] for each in good(samples) if each.get(key) is not None]
    return median(values) if values else None


def highest(samples, key):
    values = [each[key] for each in good(samples) if each.get(key)]
    return max(values) if values else None


def peer_figures(full, half):
    """One peer at one row. `full` and `half` are its samples, one a round."""
    wrong = [each for each in full + half if each["failed"]]
    return {
        "cost": middle(full, "cost"),
        "per_second": middle(full, "per_second"),
        "p50_us": middle(half, "p50_us"),
        "p99_us": middle(half, "p99_us"),
        "cost_at_half": middle(half, "cost"),
        "kernel_bytes": middle(full, "kernel_bytes"),
        "peak_bytes": highest(full, "peak_bytes"),
        "spread": spread(full),
        "rounds": len(full),
        "rounds_that_count": len(good(full)),
        "failures": [each["first_failure"] for each in wrong],
    }


def spread(samples):
    """How far the rounds lie apart: (highest - lowest) / median; nothing of one round."""
    costs = [each["cost"] for each in good(samples) if each.get("cost")]
    return (max(costs) - min(costs)) / median(costs) if len(costs) > 1 else None


def best_peer(costs):
    """The name with the lowest cost but for ours and the limit, or nothing."""
    others = {name: cost for name, cost in costs.items() if name not in (OURS, LIMIT) and cost is not None}
    return min(others, key=others.get) if others else None


def ratio_in_rounds(ours, theirs, key="cost"):
    """Median over the rounds of our cost over theirs in the same round; rounds that do not count for both are left out."""
    ratios = [
        a[key] / b[key]
        for a, b in zip(ours, theirs)
        if not a["failed"] and not b["failed"] and a.get(key) is not None and b.get(key)
    ]
    return median(ratios) if ratios else None


def row_figures(row, samples):
    """samples: peer -> {"full": [...], "half": [...]}, in the order of rounds."""
    peers = {name: peer_figures(each["full"], each["half"]) for name, each in samples.items()}
    best = best_peer({name: each["cost"] for name, each in peers.items()})
    ratio = ratio_in_rounds(samples[OURS]["full"], samples[best]["full"]) if best and OURS in samples else None
    return {
        "name": row.name,
        "title": row.title,
        "unit": row.unit,
        "cost_unit": row.cost_unit,
        "workers": row.workers,
        "peers": peers,
        "best_peer": best,
        "ratio": ratio,
    }


def half_rate(samples):
    """The one rate for everybody's half load, in answers a second: half of what the slowest gateway gave at full load."""
    rates = [middle(each["full"], "answers_per_second") for name, each in samples.items() if name != LIMIT]
    rates = [each for each in rates if each]
    return min(rates) / 2 if rates else None


def in_digits(value, unit=""):
    """Three digits that count."""
    if value is None:
        return "-"
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
    return f"{text} {unit}".strip()


def in_time(microseconds):
    if microseconds is None:
        return "-"
    return f"{in_digits(microseconds)} us" if microseconds < 1000 else f"{in_digits(microseconds / 1000)} ms"


def in_size(size):
    if size is None:
        return "-"
    return f"{in_digits(size / (1 << 20))} MiB" if size >= 1 << 20 else f"{in_digits(size / 1024)} KiB"


def shown(why):
    """The first 120 letters, in one line."""
    line = " ".join(str(why).split())
    return line if len(line) <= 120 else line[:117] + "..."


HEAD = ("", "cost", "to best", "a second", "p50", "p99", "peak", "")


def table_lines(figures):
    """One row of the bench as lines of text."""
    unit = {"GB": "CPU s/GB", "connection": "bytes each"}.get(figures["unit"], f"CPU us/{figures['unit']}")
    cells = [(figures["title"][:34], unit, *HEAD[2:])]
    best = figures["peers"].get(figures["best_peer"] or "", {}).get("cost")
    for name, each in figures["peers"].items():
        if name == OURS and figures["ratio"] is not None:
            ratio = in_digits(figures["ratio"])
        else:
            ratio = in_digits(each["cost"] / best) if best and each["cost"] is not None else "-"
        notes = []
        if each["kernel_bytes"] is not None:
            notes.append(f"kernel {in_digits(each['kernel_bytes'])} bytes each, all three hosts")
        if each["spread"] is not None:
            notes.append(f"+-{each['spread'] * 50:.0f} %")
        if each["failures"]:
            left_out = each["rounds"] - each["rounds_that_count"]
            notes.append(f"ERRORS in {len(each['failures'])} runs ({left_out} rounds do not count): {shown(each['failures'][0])}")
        if each.get("keeps_source") is False:
            notes.append("the origin does not see the client")
        cells.append(
            (
                "  " + name,
                in_digits(each["cost"]),
                ratio,
                in_digits(each["per_second"]),
                in_time(each["p50_us"]),
                in_time(each["p99_us"]),
                in_size(each["peak_bytes"]) if each["peak_bytes"] else "-",
                "; ".join(notes),
            )
        )
    widths = (36, 15, 8, 10, 9, 9, 9)
    lines = []
    for line in cells:
        text = line[0].ljust(widths[0]) + "".join(cell.rjust(width) for cell, width in zip(line[1:-1], widths[1:]))
        lines.append(f"{text}  {line[-1]}".rstrip())
    return lines


def aligned(cells):
    """Lines of as many cells each: the first to the left, the others to the right."""
    widths = [max(len(line[at]) for line in cells) for at in range(len(cells[0]))]
    return [line[0].ljust(widths[0]) + "".join("  " + cell.rjust(width) for cell, width in zip(line[1:], widths[1:])) for line in cells]


def markdown_lines(rows):
    """The table for the README: cost of each peer, and our ratio to the best."""
    names = []
    for row in rows:
        names += [name for name in row["peers"] if name not in names and name != LIMIT]
    lines = ["| | " + " | ".join(names) + " | to the best |", "|---" * (len(names) + 2) + "|"]
    for row in rows:
        unit = {"GB": "CPU s/GB", "connection": "bytes"}.get(row["unit"], "us")
        costs = [in_digits(row["peers"].get(name, {}).get("cost")) for name in names]
        lines.append(f"| {row['title']}, {unit} | " + " | ".join(costs) + f" | {in_digits(row['ratio'])} |")
    return lines
