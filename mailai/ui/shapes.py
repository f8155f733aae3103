"""Geometry of the small server-drawn pictures: sparklines, interval bars, rates. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from mailai.stats import wilson

SPARK_WIDTH, SPARK_HEIGHT, SPARK_EDGE = 84.0, 26.0, 3.0
# Below these a rate says more about luck than about the mail.
MIN_TRIALS, MIN_EVENTS = 100, 5


@dataclass(frozen=True)
class Rate:
    """A share with its 95 % range; ``early`` when there is too little data to show it."""

    k: int
    n: int
    early: bool
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Spark:
    """Path data of the line and of the area beneath it, and the last point."""

    line: str
    area: str
    x: float
    y: float


@dataclass(frozen=True)
class Interval:
    """Places on an axis from 0 to 100 %; ``clear`` when the range leaves the reference out."""

    point: float
    low: float
    high: float
    reference: float | None
    clear: bool


def rate(k: int, n: int, *, settled: bool = False) -> Rate:
    """Return the rate k / n; ``settled`` shows it however little data there is."""
    early = not settled and (n < MIN_TRIALS or k < MIN_EVENTS)
    low, high = wilson(min(k, n), n)
    return Rate(k, n, early or n == 0, k / n if n else 0.0, low, high)


def spark(values: Sequence[float | int]) -> Spark:
    """Return the drawing of a short series in a box of 84 x 26; fewer than two values draw nothing."""
    if len(values) < 2:
        return Spark("", "", 0.0, 0.0)
    low, high = float(min(values)), float(max(values))
    span = (high - low) or 1.0
    step = SPARK_WIDTH / (len(values) - 1)
    inner = SPARK_HEIGHT - 2 * SPARK_EDGE
    dots = [(i * step, SPARK_HEIGHT - SPARK_EDGE - (float(v) - low) / span * inner) for i, v in enumerate(values)]
    line = "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in dots)
    area = f"M0 {SPARK_HEIGHT:.0f} L{line[1:]} L{SPARK_WIDTH:.0f} {SPARK_HEIGHT:.0f}Z"
    return Spark(line, area, round(dots[-1][0], 1), round(dots[-1][1], 1))


def interval(
    estimate: float,
    low: float,
    high: float,
    *,
    reference: float | None = None,
    axis_low: float | None = None,
    axis_high: float | None = None,
) -> Interval:
    """Return the places of a dot, its range and the reference; without an axis one is chosen with room at both ends."""
    ends = [low, high, estimate] + ([] if reference is None else [reference])
    room = (max(ends) - min(ends)) * 0.15 or 1.0
    left = min(ends) - room if axis_low is None else axis_low
    right = max(ends) + room if axis_high is None else axis_high

    def place(value: float) -> float:
        return round(min(100.0, max(0.0, (value - left) / (right - left) * 100)), 1)

    clear = reference is None or not low <= reference <= high
    return Interval(place(estimate), place(low), place(high), None if reference is None else place(reference), clear)


def share(part: float, whole: float) -> float:
    """Return part / whole in percent within 0..100."""
    return round(min(100.0, max(0.0, float(part) / float(whole) * 100)), 1) if whole else 0.0
