"""Samples of `./dev bench --scaling` into figures and tables. Pure."""

from figures import aligned, good, in_digits, in_size, in_time, middle, peer_figures, ratio_in_rounds, shown
from scaling import size_text


def in_seconds(seconds):
    return in_digits(seconds, "s") if seconds >= 1 else in_time(seconds * 1e6)


# Of one size, whatever is asked: (key, head, how it is written).
WHOLE = (
    ("start_s", "start", in_seconds),
    ("start_cpu_s", "CPU", in_seconds),
    ("memory_bytes", "memory", in_size),
    ("idle_bytes", "each idle", in_size),
    ("reload_s", "reload", in_seconds),
    ("reload_cpu_s", "CPU", in_seconds),
    ("reload_under_load_s", "under load", in_seconds),
    ("longest_us", "longest wait", in_time),
)
# Of one load at one size.
LOAD = (
    ("cost", "CPU us", in_digits),
    ("ratio", "to first", in_digits),
    ("ends", "ends' CPU us", in_digits),
    ("ends_ratio", "to first", in_digits),
    ("per_second", "a second", in_digits),
    ("p50_us", "p50", in_time),
    ("p99_us", "p99", in_time),
    ("p99_ratio", "to first", in_digits),
    ("busiest", "busiest thread", lambda value: f"{value * 100:.0f} %"),
    ("speed", "speed", in_digits),
    ("own_processors", "on processors of its own", in_digits),
    ("inspectors_busy", "inspectors busy", lambda value: f"{value:.2f} CPUs"),
)
OF_WORKERS = ("speed", "own_processors")


def loads_of(samples, row, kind):
    """Of each round the sample of that load; one that failed where there is none."""
    found = []
    for each in samples:
        of_row = each.get("loads", {}).get(row, {}).get(kind, [])
        found.append(of_row[0] if of_row else {"failed": 1, "first_failure": each["first_failure"]})
    return found


def load_figures(name, first, own):
    """One load at one size beside the same at the first size."""
    full, half = loads_of(own, name, "full"), loads_of(own, name, "half")
    base_full, base_half = loads_of(first, name, "full"), loads_of(first, name, "half")
    made = peer_figures(full, half)
    # Each round's failure is told once, with its size.
    made["failures"] = [each["first_failure"] for each in full + half if each["failed"] and each["first_failure"]]
    for key in ("ends", "busiest"):
        made[key] = middle(full, key)
    made["inspectors_busy"] = middle(half, "inspectors_busy")
    made["ratio"] = ratio_in_rounds(full, base_full)
    made["ends_ratio"] = ratio_in_rounds(full, base_full, "ends")
    made["speed"] = ratio_in_rounds(full, base_full, "per_second")
    made["p99_ratio"] = ratio_in_rounds(half, base_half, "p99_us")
    made["own_processors"] = own_processors(made, peer_figures(base_full, base_half), middle(base_full, "busiest"))
    return made


def own_processors(made, first, busiest):
    """How many times faster it were if no thread had to share its processor: then the busiest thread is the limit. The
    CPU time a request costs is measured where they do share, so it says nothing of what hardware does then."""
    if not (made["cost"] and made["busiest"] and first["cost"] and busiest):
        return None
    return (first["cost"] * busiest) / (made["cost"] * made["busiest"])


def series_figures(series, samples):
    """samples: size -> one sample a round, in the order of rounds."""
    first = samples[series.sizes[0]]
    sizes = []
    for size in series.sizes:
        own = samples[size]
        made = {"size": size, "rounds": len(own), "rounds_that_count": len(good(own))}
        reloading = [each["reloading"] for each in own if "reloading" in each]
        made |= {key: middle(reloading if "reload" in key or key == "longest_us" else own, key) for key, _, _ in WHOLE}
        made["loads"] = {row.name: load_figures(row.name, first, own) for row in series.rows}
        reasons = [each["first_failure"] for each in own + reloading if each["failed"]]
        reasons += [why for each in made["loads"].values() for why in each["failures"]]
        made["failures"] = list(dict.fromkeys(reasons))
        sizes.append(made)
    titles = {row.name: row.title for row in series.rows}
    made = {"name": series.name, "title": series.title, "titles": titles, "sizes": sizes}
    return made | {"samples": {str(size): each for size, each in samples.items()}}


def written(columns, values):
    """The columns in which anybody has a value, with their heads, as text."""
    used = [column for column in columns if any(each.get(column[0]) is not None for each in values)]
    heads = [head for _, head, _ in used]
    return heads, [[how(each[key]) if each.get(key) is not None else "-" for key, _, how in used] for each in values]


def load_columns(name):
    return [each for each in LOAD if name == "workers" or each[0] not in OF_WORKERS]


def tables(figures):
    """(title, heads, rows of cells) for everything that was measured of one series; the first cell is the size."""
    sizes = [size_text(each["size"]) for each in figures["sizes"]]
    heads, cells = written(WHOLE, figures["sizes"])
    made = [(figures["title"], heads, [[size, *line] for size, line in zip(sizes, cells)])] if heads else []
    for name, title in figures["titles"].items():
        heads, cells = written(load_columns(figures["name"]), [each["loads"][name] for each in figures["sizes"]])
        if heads:
            made.append((f"{figures['title']}: {title}", heads, [[size, *line] for size, line in zip(sizes, cells)]))
    return made


def series_lines(figures):
    """As lines of text."""
    lines = []
    for title, heads, cells in tables(figures):
        lines += [title] + aligned([("  ", *heads), *(("  " + line[0], *line[1:]) for line in cells)])
    for each in figures["sizes"]:
        if each["failures"]:
            what = "ERRORS, what they touched does not count"
            lines += [f"  {size_text(each['size'])}: {what}: {shown(why)}" for why in each["failures"][:3]]
    return lines + [""]


def series_markdown(all_of_them):
    lines = []
    for figures in all_of_them:
        for title, heads, cells in tables(figures):
            lines += ["", f"| {title} | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
            lines += ["| " + " | ".join(line) + " |" for line in cells]
    return lines[1:]
