"""Two histograms over each other as SVG: small enough that dozens of them fit into a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from agentkit_drift.result import Histogram

WIDTH, HEIGHT = 240, 72
_MOST_BARS = 40


@dataclass(frozen=True)
class Overlay:
    """A picture of a column. `reference` and `current`: path data of filled shapes; `ends`: what its ends stand for."""

    reference: str
    current: str
    ends: tuple[str, str]


def overlay(histogram: Histogram, *, dates: bool = False) -> Overlay:
    """Shares of bins as shapes of the same scale: side by side for categories, over each other for numbers."""
    before, now = list(histogram.reference[:_MOST_BARS]), list(histogram.current[:_MOST_BARS])
    top = max([*before, *now, 1e-12])
    if histogram.labels:
        labels = histogram.labels[:_MOST_BARS]
        slot = WIDTH / len(labels)
        return Overlay(
            _bars(before, top, slot, 0.08 * slot, 0.4 * slot), _bars(now, top, slot, 0.52 * slot, 0.4 * slot),
            (labels[0], labels[-1] if len(labels) > 1 else ""),
        )  # fmt: skip
    slot = WIDTH / max(len(before), 1)
    ends = (histogram.edges[0], histogram.edges[-1]) if histogram.edges else (0.0, 0.0)
    told = (day(ends[0]), day(ends[1])) if dates else (f"{ends[0]:.4g}", f"{ends[1]:.4g}")
    return Overlay(_bars(before, top, slot, 0, slot), _bars(now, top, slot, 0, slot), told)


def _bars(shares: Sequence[float], top: float, slot: float, start: float, width: float) -> str:
    """Path data; bars of no height are left out."""
    made = []
    for i, share in enumerate(shares):
        height = round(share / top * (HEIGHT - 2), 1)
        if height > 0:
            made.append(f"M{i * slot + start:.1f} {HEIGHT}v-{height:g}h{width:.1f}v{height:g}z")
    return "".join(made)


def day(seconds: float) -> str:
    """The day of a time in seconds since 1970, UTC."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
    except (OverflowError, OSError, ValueError):
        return f"{seconds:.4g}"
