"""A check as one HTML file below 1 MB, however many columns there are: the verdict first, then the worst columns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentkit.pages import render, write_page
from agentkit_drift.checks import worst
from agentkit_drift.prediction_result import PredictionCheck
from agentkit_drift.reports.histograms import HEIGHT, WIDTH, Overlay, overlay
from agentkit_drift.result import ColumnDrift, DriftResult

MOST_BYTES = 950_000
PICTURES = 40
"""Columns that get a picture: the drifted ones first, then those that changed most."""

TEMPLATE = Path(__file__).parent / "templates" / "drift.html.jinja"

_LONGEST = 60
_LABELS = 8
_CLASS = {"none": "ok", "watch": "warn", "drift": "block"}
_WORDS = {
    "none": "No drift: nothing to do.",
    "watch": "Something changed: look at it.",
    "drift": "Drift: the data are no longer what they were.",
}


@dataclass(frozen=True)
class Picture:
    """A column to look at closely. `labels`: (level, share before, share now) of the largest levels."""

    column: ColumnDrift
    overlay: Overlay
    labels: list[tuple[str, float, float]]


def write_report(path: Path, drift: DriftResult | None, predictions: PredictionCheck | None = None) -> Path:
    """Write the page; it appears when it is complete. Raises WorkspaceError if it cannot be written."""
    return write_page(path, html(drift, predictions))


def html(drift: DriftResult | None, predictions: PredictionCheck | None = None) -> str:
    """The page as text, at most 950,000 bytes: the least changed columns are left out if there are too many."""
    rows = len(drift.columns) if drift else 0
    while True:
        page = _page(drift, predictions, rows)
        size = len(page.encode())
        if size <= MOST_BYTES or rows == 0:
            return page
        rows = min(rows - 1, int(0.95 * rows * MOST_BYTES / size))


def _page(drift: DriftResult | None, predictions: PredictionCheck | None, rows: int) -> str:
    verdict = worst(*(r.verdict for r in (drift, predictions) if r is not None))
    columns = list(drift.columns.values()) if drift else []
    title = f"{drift.current} against {drift.reference}" if drift else predictions.dataset if predictions else ""
    return render(
        TEMPLATE, f"Drift: {title}", filters={"number": _number, "share": _share, "short": _short},
        d=drift, p=predictions, verdict=verdict, tone=_CLASS[verdict], words=_WORDS[verdict],
        pictures=[_picture(c) for c in columns[:PICTURES] if c.histogram is not None],
        rows=columns[:rows], left_out=len(columns) - rows, width=WIDTH, height=HEIGHT,
        scores=overlay(predictions.score.histogram) if predictions and predictions.score else None,
        seconds=sum(r.seconds for r in (drift, predictions) if r is not None),
    )  # fmt: skip


def _picture(column: ColumnDrift) -> Picture:
    found = column.histogram
    assert found is not None
    shares = list(zip(found.labels, found.reference, found.current, strict=False))
    return Picture(column, overlay(found, dates=column.kind == "date"), shares[:_LABELS])


def _number(value: Any) -> str:
    """Three digits that tell something, nothing as a dash."""
    if value is None:
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3f}" if 0.001 <= abs(value) < 1_000 or value == 0 else f"{value:.3g}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _short(text: object) -> str:
    plain = str(text)
    return plain if len(plain) <= _LONGEST else f"{plain[: _LONGEST - 1]}…"
