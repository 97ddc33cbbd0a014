"""Pictures for the report, written as SVG text, without scripts.

A picture is as wide as its container, and its text keeps its size, on a phone too. For that
positions are percentages of the plot, curves lie in an inner picture that is stretched, and labels
extend over the plot's edges into the page's padding. The page's style sheet has the colours.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

# A bar's axis, as shares of the budget.
SHARE_AXIS = (1e-6, 10.0)
SHARE_TICKS = {1e-6: "0.0001%", 1e-3: "0.1%", 1.0: "100%"}
BAR_STEP = 22
PLOT_HEIGHT = 210
# More labels than this would overlap on a phone.
MOST_LABELS = 16
# With more points than this the dots would hide the curve.
MOST_DOTS = 30


class Bar(NamedTuple):
    """share: of the budget. group: a label that is written at the first bar of each group."""

    group: str
    name: str
    share: float
    passed: bool
    text: str
    hint: str


@dataclass(frozen=True)
class Line:
    """style: a class of the style sheet. Points that are not finite leave a gap."""

    label: str
    style: str
    points: Sequence[tuple[float, float]]
    width: float = 2.0
    hints: Sequence[str] = ()
    dots: bool = True


def bars(identity: str, title: str, rows: Sequence[Bar]) -> str:
    """Horizontal bars on a logarithmic axis; a bar beyond its end is cut and has an arrow."""
    height = BAR_STEP * len(rows)
    parts = []
    for tick, label in SHARE_TICKS.items():
        x = _percent(_share_position(tick))
        style = "budget" if tick == 1.0 else "grid-line"
        parts.append(f'<line class="{style}" x1="{x}" x2="{x}" y1="0" y2="{height}"/>')
        parts.append(f'<text x="{x}" y="{height + 18}" text-anchor="middle">{label}</text>')
    parts.append(f'<text x="{_percent(_share_position(1.0))}" y="-6" text-anchor="middle">budget'
                 "</text>")
    parts.append(f'<text x="50%" y="{height + 36}" text-anchor="middle">share of the budget, '
                 "logarithmic axis</text>")
    group = None
    for number, row in enumerate(rows):
        parts += _bar(row, number * BAR_STEP, row.group != group)
        group = row.group
    longest = max(len(row.group) for row in rows)
    padding = f"1.4rem 4.2rem 3.1rem {0.45 * longest + 1.9:.2f}rem"
    return _frame(identity, title, height, parts, padding, 'class="bars"')


def lines(
    identity: str,
    title: str,
    series: Sequence[Line],
    names: Sequence[str] = (),
    guides: Sequence[tuple[float, str]] = (),
    from_zero: bool = False,
) -> str:
    """Curves in one plot, the first at the bottom; `names` are the labels of x = 0, 1, 2, ...

    guides: (y, label) of horizontal marks, which always lie within the axis.
    """
    points = [point for line in series for point in line.points if math.isfinite(point[1])]
    heights = [y for _, y in points] + [y for y, _ in guides] + [0.0] * from_zero
    ticks = nice_ticks(min(heights), max(heights))
    places = [x for x, _ in points] if not names else [-0.5, len(names) - 0.5]
    first, last = min(places), max(places)

    def at(x: float, y: float) -> tuple[float, float]:
        across = (x - first) / (last - first) if last > first else 0.5
        return 100 * across, 100 * (ticks[-1] - y) / (ticks[-1] - ticks[0])

    parts = []
    for tick in ticks:
        y = _percent(at(0, tick)[1])
        style = "zero" if tick == 0 else "grid-line"
        parts.append(f'<line class="{style}" x1="0" x2="100%" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="-8" y="{y}" dy=".35em" text-anchor="end">{_number(tick)}</text>')
    for value, label in guides:
        y = _percent(at(0, value)[1])
        parts.append(f'<line class="guide" x1="0" x2="100%" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="100%" y="{y}" dx="-4" dy="-.45em" text-anchor="end">'
                     f"{escape(label)}</text>")
    parts += _names(names, at) if names else _places(first, last, at)
    curves = [_curve(line, at) for line in series]
    parts.append('<svg width="100%" height="100%" viewBox="0 0 100 100" overflow="visible" '
                 f'preserveAspectRatio="none">{"".join(curves)}</svg>')
    parts += [dot for line in series for dot in _dots(line, at)]
    below = f"{0.31 * max(map(len, names)) + 1.3:.2f}rem" if names else "1.8rem"
    return _frame(identity, title, PLOT_HEIGHT, parts, f".8rem .6rem {below} 3.2rem")


def legend(keys: Sequence[tuple[str, str]]) -> str:
    """A legend of (class, label) pairs, drawn like the curves."""
    items = [f'<li><span class="key {style}"></span>{escape(label)}</li>' for style, label in keys]
    return f'<ul class="legend">{"".join(items)}</ul>'


def nice_ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round numbers a round step apart, from one at or below `low` to one at or above `high`."""
    if not high > low:
        margin = abs(low) / 2 or 0.5
        low, high = low - margin, high + margin
    rough = (high - low) / about
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(f"{number * step:.12g}") for number in range(first, last + 1)]


def _bar(row: Bar, top: int, heads_group: bool) -> list[str]:
    end = _share_position(row.share)
    style = "pass" if row.passed else "fail"
    middle = top + BAR_STEP // 2
    parts = [f'<g class="{style}"><title>{escape(row.hint)}</title>']
    if heads_group:
        parts.append(f'<text class="name" x="-30" y="{middle}" dy=".35em" text-anchor="end">'
                     f"{escape(row.group)}</text>")
        parts.append(f'<line class="rule" x1="-30" x2="100%" y1="{top}" y2="{top}"/>')
    parts.append(f'<text x="-14" y="{middle}" dy=".35em" text-anchor="middle">'
                 f"{escape(row.name)}</text>")
    parts.append(f'<rect class="bar" x="0" y="{top + 4}" width="{_percent(max(end, 0.6))}" '
                 f'height="{BAR_STEP - 8}" rx="2"/>')
    if row.share > SHARE_AXIS[1]:
        parts.append(f'<svg x="100%" y="{top}" width="10" height="{BAR_STEP}" overflow="visible">'
                     f'<path class="bar" d="M-1 2 L8 {BAR_STEP / 2} L-1 {BAR_STEP - 2} z"/></svg>')
    parts.append(f'<text class="value" x="100%" y="{middle}" dx="64" dy=".35em" text-anchor="end">'
                 f"{escape(row.text)}</text></g>")
    return parts


def _share_position(value: float) -> float:
    """The position on the axis in percent; a NaN lies at the end."""
    if math.isnan(value) or value > SHARE_AXIS[1]:
        return 100.0
    low, high = (math.log10(bound) for bound in SHARE_AXIS)
    return 100 * (math.log10(max(value, SHARE_AXIS[0])) - low) / (high - low)


def _names(names: Sequence[str], at) -> list[str]:
    every = math.ceil(len(names) / MOST_LABELS)
    return [
        f'<svg x="{_percent(at(x, 0)[0])}" y="100%" overflow="visible">'
        f'<text transform="translate(3 14) rotate(-50)" text-anchor="end">{escape(name)}</text>'
        "</svg>"
        for x, name in enumerate(names) if x % every == 0
    ]


def _places(first: float, last: float, at) -> list[str]:
    inside = [tick for tick in nice_ticks(first, last) if first <= tick <= last]
    ticks = [first, *(tick for tick in inside if tick - first > (last - first) / 8)]
    return [
        f'<text x="{_percent(at(tick, 0)[0])}" y="100%" dy="1.5em" text-anchor="middle">'
        f"{_number(tick)}</text>"
        for tick in ticks
    ]


def _curve(line: Line, at) -> str:
    runs: list[list[str]] = [[]]
    for x, y in line.points:
        if math.isfinite(y):
            across, down = at(x, y)
            runs[-1].append(f"{across:.3f},{down:.3f}")
        elif runs[-1]:
            runs.append([])
    return "".join(
        f'<polyline class="curve {line.style}" points="{" ".join(run)}" '
        f'stroke-width="{line.width}" vector-effect="non-scaling-stroke"/>'
        for run in runs if run
    )


def _dots(line: Line, at) -> list[str]:
    if not line.dots or len(line.points) > MOST_DOTS:
        return []
    hints = line.hints or [f"{line.label}: {_number(y)}" for _, y in line.points]
    return [
        f'<circle class="dot {line.style}" cx="{_percent(at(x, y)[0])}" '
        f'cy="{_percent(at(x, y)[1])}" r="{line.width / 2 + 1.5}">'
        f"<title>{escape(hint)}</title></circle>"
        for (x, y), hint in zip(line.points, hints, strict=True) if math.isfinite(y)
    ]


def _frame(identity: str, title: str, height: int, parts: list[str], padding: str,
           more: str = "") -> str:
    return (
        f'<div class="plot" style="padding:{padding}">'
        f'<svg id="{escape(identity)}" role="img" aria-labelledby="{escape(identity)}-title" '
        f'{more} width="100%" height="{height}" overflow="visible">'
        f'<title id="{escape(identity)}-title">{escape(title)}</title>{"".join(parts)}</svg></div>'
    )


def _percent(value: float) -> str:
    return f"{value:.2f}%"


def _number(value: float) -> str:
    return f"{value:.4g}"
