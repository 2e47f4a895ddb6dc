"""The comparison as a picture: SVG, no library, readable on light and dark pages. Pure."""

from html import escape

from figures import LIMIT, in_digits

COLOURS = {"gateway": "#1f77b4", "haproxy": "#2ca02c", "haproxy-splice": "#98df8a", "nginx": "#ff7f0e", "nginx-modsecurity": "#d62728"}
OTHER = "#7f7f7f"
WIDTH, LEFT, RIGHT = 900, 280, 170
BAR, GAP, HEAD, LEGEND = 14, 14, 58, 26
# A bar longer than this many times the best peer's is cut, and says so.
LONGEST = 4.0
UNITS = {"GB": "s/GB", "connection": "bytes"}


def bars_of(row):
    """(name, cost, cost over the best peer's) of everybody who was measured; the best peer's is 1."""
    costs = {name: each["cost"] for name, each in row["peers"].items() if name != LIMIT and each["cost"] is not None}
    base = costs.get(row["best_peer"]) or next(iter(costs.values()), None)
    return [(name, cost, cost / base) for name, cost in costs.items()] if base else []


def text(x, y, words, size=12, anchor="start", weight="normal", colour="#222"):
    # With an edge of the page's colour, so that a line behind it does not cross it.
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" font-weight="{weight}" '
        f'fill="{colour}" stroke="#fff" stroke-width="3" paint-order="stroke">{escape(words)}</text>'
    )


def picture(rows, subtitle):
    drawn = [(row, bars_of(row)) for row in rows]
    drawn = [(row, bars) for row, bars in drawn if bars]
    scale = (WIDTH - LEFT - RIGHT) / LONGEST
    parts, y = [], HEAD + LEGEND
    for row, bars in drawn:
        unit = UNITS.get(row["unit"], "us")
        parts.append(text(LEFT - 10, y + BAR * len(bars) / 2 + 4, row["title"], anchor="end"))
        for name, cost, share in bars:
            length = min(share, LONGEST) * scale
            weight = "bold" if name == "gateway" else "normal"
            more = f" ({in_digits(share)} x)" if share > LONGEST else ""
            parts.append(
                f'<rect x="{LEFT}" y="{y:.1f}" width="{length:.1f}" height="{BAR - 2}" fill="{COLOURS.get(name, OTHER)}"/>'
            )
            parts.append(text(LEFT + length + 5, y + BAR - 4, in_digits(cost, unit) + more, 11, weight=weight))
            y += BAR
        y += GAP
    height = y + 8
    at = LEFT + scale
    line = f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{HEAD + LEGEND - 6}" y2="{y - GAP + 4}" stroke="#555" stroke-dasharray="3 3"/>'
    names = []
    for _, bars in drawn:
        names += [name for name, _, _ in bars if name not in names]
    legend, x = [], LEFT
    for name in names:
        legend.append(f'<rect x="{x}" y="{HEAD - 6}" width="12" height="12" fill="{COLOURS.get(name, OTHER)}"/>')
        legend.append(text(x + 17, HEAD + 4, name))
        x += 40 + 7 * len(name)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:.0f}" '
            f'viewBox="0 0 {WIDTH} {height:.0f}" font-family="sans-serif">',
            f'<rect width="{WIDTH}" height="{height:.0f}" fill="#fff"/>',
            text(12, 22, "What the same work costs: shorter is better; the dashed line is the best peer", 15, weight="bold"),
            text(12, 40, subtitle, 11, colour="#555"),
            *legend,
            line,
            *parts,
            "</svg>",
            "",
        ]
    )
