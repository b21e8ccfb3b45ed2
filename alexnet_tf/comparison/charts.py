"""Charts as inline SVG for the report: they follow the page's colours, light or dark, and need no script.

Series are coloured by the classes `s0`, `s1` ... that the page's style sheet defines.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

NUM_COLOURS = 6  # as many as the page's style sheet defines
WIDTH, HEIGHT = 420, 260
_MOST_LEFT = 195  # of the width, for the names of bars
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 26, 38


@dataclass(frozen=True)
class Line:
    """One curve.

    Attributes:
        x: Positions.
        y: Values, None where there is none.
        series: Number of its colour.
        dashed: Whether it is drawn dashed.
        name: Shown when the pointer rests on it.
    """

    x: Sequence[float]
    y: Sequence[float | None]
    series: int
    dashed: bool
    name: str


def line_chart(lines: Sequence[Line], *, label: str, x_title: str, y_title: str) -> str:
    """Draw curves over a common axis that starts at zero.

    Args:
        lines: At least one value in all.
        label: What the chart shows, for readers who do not see it.
        x_title: Under the horizontal axis.
        y_title: Above the vertical axis.

    Returns:
        An `<svg>` element, or a sentence when there is nothing to draw.
    """
    points = [(x, y) for line in lines for x, y in zip(line.x, line.y, strict=True) if y is not None]
    if not points:
        return "<p>Nothing was recorded.</p>"
    ticks = nice_ticks(max(y for _, y in points))
    x_low, x_high = min(x for x, _ in points), max(x for x, _ in points)
    x_span = (x_high - x_low) or 1

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            LEFT + (x - x_low) / x_span * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - y / ticks[-1] * (HEIGHT - TOP - BOTTOM),
        )

    parts = [_open(label, WIDTH, HEIGHT)]
    for tick in ticks:
        _, y = place(x_low, tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for tick in _whole_ticks(x_low, x_high):
        x, y = place(tick, 0)
        parts.append(f'<text x="{x:.1f}" y="{y + 15:.1f}" text-anchor="middle">{tick:g}</text>')
    for line in lines:
        drawn = [place(x, y) for x, y in zip(line.x, line.y, strict=True) if y is not None]
        shape = " ".join(f"{x:.1f},{y:.1f}" for x, y in drawn)
        style = f"line s{line.series}" + (" dashed" if line.dashed else "")
        tip = f"<title>{escape(line.name)}</title>"
        if len(drawn) > 1:
            parts.append(f'<polyline class="{style}" points="{shape}">{tip}</polyline>')
        for x, y in drawn if len(drawn) == 1 else drawn[-1:]:
            parts.append(f'<circle class="dot s{line.series}" cx="{x:.1f}" cy="{y:.1f}" r="3">{tip}</circle>')
    middle = LEFT + (WIDTH - LEFT - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{escape(x_title)}</text>')
    parts.append(f'<text x="{LEFT - 6}" y="{TOP - 14}" text-anchor="end">{escape(y_title)}</text></svg>')
    return "".join(parts)


@dataclass(frozen=True)
class Bar:
    """A value with its interval, in per cent.

    Attributes:
        name: On the left.
        value: What was measured.
        low: Low end of the interval.
        high: High end.
        series: Number of its colour.
    """

    name: str
    value: float
    low: float
    high: float
    series: int


def bar_chart(bars: Sequence[Bar], *, label: str, x_title: str) -> str:
    """Draw horizontal bars with their intervals as whiskers, on an axis that starts at zero.

    Args:
        bars: From top to bottom, at least one.
        label: What the chart shows, for readers who do not see it.
        x_title: Under the axis.

    Returns:
        An `<svg>` element.
    """
    step, top = 30, 4
    left = 12 + 6.3 * max(len(bar.name) for bar in bars)
    width = max(WIDTH, WIDTH + left - _MOST_LEFT)  # for the name of an experiment or a commit, all becomes smaller
    height = top + step * len(bars) + BOTTOM
    ticks = nice_ticks(max(bar.high for bar in bars))
    span = width - left - 58

    def place(value: float) -> float:
        return left + value / ticks[-1] * span

    parts = [_open(label, width, height)]
    for tick in ticks:
        x = place(tick)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{height - BOTTOM}"/>')
        parts.append(f'<text x="{x:.1f}" y="{height - BOTTOM + 15}" text-anchor="middle">{tick:g}</text>')
    for index, bar in enumerate(bars):
        y = top + step * index + step / 2
        low, high, value = place(bar.low), place(bar.high), place(bar.value)
        tip = f"<title>{escape(bar.name)}: {bar.value:.2f} % ({bar.low:.2f} to {bar.high:.2f})</title>"
        parts.append(f'<text x="{left - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">{escape(bar.name)}</text>')
        parts.append(
            f'<rect class="bar s{bar.series}" x="{left:.1f}" y="{y - 9:.1f}" width="{value - left:.1f}"'
            f' height="18">{tip}</rect>'
        )
        ends = f"M{low:.1f} {y - 4:.1f}v8M{high:.1f} {y - 4:.1f}v8"
        parts.append(f'<path class="whisker" d="M{low:.1f} {y:.1f}H{high:.1f}{ends}"/>')
        parts.append(f'<text class="strong" x="{high + 6:.1f}" y="{y + 4:.1f}">{bar.value:.1f} %</text>')
    middle = left + span / 2
    parts.append(f'<text x="{middle:.1f}" y="{height - 6}" text-anchor="middle">{escape(x_title)}</text></svg>')
    return "".join(parts)


@dataclass(frozen=True)
class Point:
    """A group of images at a place in per cent.

    Attributes:
        x: From the left.
        y: From below.
        num_images: Decides the area of its disc.
    """

    x: float
    y: float
    num_images: int


@dataclass(frozen=True)
class Points:
    """Groups of images from left to right, joined by a line.

    Attributes:
        points: Where they are.
        series: Number of their colour.
        dashed: Whether the line is drawn dashed and the discs hollow.
    """

    points: Sequence[Point]
    series: int
    dashed: bool


def scatter_chart(groups: Sequence[Points], *, label: str, x_title: str, y_title: str) -> str:
    """Draw discs on two axes from 0 to 100, with the diagonal.

    Args:
        groups: What to draw, the last on top.
        label: What the chart shows, for readers who do not see it.
        x_title: Under the horizontal axis.
        y_title: Above the vertical axis.

    Returns:
        An `<svg>` element.
    """
    side = HEIGHT - TOP
    width, height = LEFT + side + RIGHT, TOP + side + BOTTOM
    most = max((point.num_images for group in groups for point in group.points), default=1)

    def place(x: float, y: float) -> tuple[float, float]:
        return LEFT + x / 100 * side, TOP + (1 - y / 100) * side

    parts = [_open(label, width, height)]
    for tick in range(0, 101, 20):
        x, y = place(tick, tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{LEFT + side}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{TOP + side}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick}</text>')
        parts.append(f'<text x="{x:.1f}" y="{TOP + side + 15}" text-anchor="middle">{tick}</text>')
    parts.append(f'<path class="whisker" stroke-dasharray="2 3" d="M{LEFT} {TOP + side}L{LEFT + side} {TOP}"/>')
    for group in groups:
        drawn = [(*place(point.x, point.y), point.num_images) for point in group.points]
        shape = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in drawn)
        line, dot = ("line dashed", "dot hollow") if group.dashed else ("line", "dot")
        parts.append(f'<polyline class="{line} s{group.series}" points="{shape}"/>')
        for x, y, number in drawn:
            radius = 2 + 5 * math.sqrt(number / most)
            tip = f"<title>{number:,} images</title>"
            disc = f'<circle class="{dot} s{group.series}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}">'
            parts.append(f"{disc}{tip}</circle>")
    parts.append(f'<text x="{LEFT + side / 2}" y="{height - 6}" text-anchor="middle">{escape(x_title)}</text>')
    parts.append(f'<text x="{LEFT - 6}" y="{TOP - 14}">{escape(y_title)}</text></svg>')
    return "".join(parts)


def nice_ticks(highest: float) -> list[float]:
    """Return four to six round numbers from 0 to the first at or above `highest`."""
    if highest <= 0:
        return [0.0, 1.0]
    raw = highest / 5
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * magnitude for factor in (1, 2, 2.5, 5, 10) if factor * magnitude >= raw)
    return [round(index * step, 10) for index in range(math.ceil(highest / step - 1e-9) + 1)]


def _whole_ticks(low: float, high: float) -> list[float]:
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 1000, 10_000) if (high - low) / step <= 7)
    return [low, *(tick for tick in range(0, math.floor(high) + 1, step) if tick > low + step / 2)]


def _open(label: str, width: float, height: float) -> str:
    return f'<svg role="img" aria-label="{escape(label)}" viewBox="0 0 {width:g} {height:g}">'
