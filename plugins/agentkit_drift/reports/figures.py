"""Figures of a check and of a watch's history as PNG.

Made as objects, without pyplot: its global list of figures is shared by all threads of a server.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentkit.errors import BadInput, MissingExtra, WorkspaceError
from agentkit_drift.reports.histograms import day
from agentkit_drift.result import ColumnDrift, DriftResult, Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, INK = "#0072B2", "#D55E00", "#009E73", "#222222"

_COLOURS = {"none": GREEN, "watch": "#E69F00", "drift": ORANGE}
_MOST = 6
_LONGEST = 32
_DPI = 140


@dataclass(frozen=True)
class Point:
    """One run of a watch, as the history shows it; `share` of drifted columns from 0 to 1."""

    at: datetime
    verdict: Verdict
    share: float


def draw_columns(drift: DriftResult, path: Path) -> Path:
    """The worst six columns, before and now, as a PNG. Raises BadInput where no column has a histogram."""
    import numpy as np

    columns = [c for c in drift.columns.values() if c.histogram is not None][:_MOST]
    if not columns:
        raise BadInput("no column of these data has a histogram, so no figure was written.")
    across = min(3, len(columns))
    down = -(-len(columns) // across)
    figure = _figure((3.4 * across, 2.5 * down + 0.4))
    made = np.atleast_1d(figure.subplots(down, across)).ravel()
    for axes, column in zip(made, columns, strict=False):
        _overlay(axes, column)
    for axes in made[len(columns) :]:
        axes.set_visible(False)
    handles, labels = made[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    return _save(figure, path)


def draw_history(points: Sequence[Point], path: Path, title: str) -> Path:
    """The share of drifted columns over time, coloured by verdict. Raises BadInput if there is no run."""
    if not points:
        raise BadInput(f"{title!r} has no finished run yet, so no figure was written.")
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    figure = _figure((7.2, 3.2))
    axes = figure.subplots()
    times: list[Any] = [p.at for p in points]
    axes.plot(times, [p.share for p in points], color="#8A8A8A", lw=1, zorder=1)
    for verdict, colour in _COLOURS.items():
        chosen = [p for p in points if p.verdict == verdict]
        if chosen:
            there: list[Any] = [p.at for p in chosen]
            axes.scatter(there, [p.share for p in chosen], color=colour, s=28, zorder=2, label=verdict)
    axes.set(ylim=(-0.02, 1.02), ylabel="share of columns that drifted", title=_label(title, 60))
    locator = AutoDateLocator()  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right upper", frameon=False)
    return _save(figure, path)


def _figure(size: tuple[float, float]) -> Figure:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtra("figures need matplotlib: pip install 'agentkit-ml[ml]'") from None
    figure = Figure(figsize=size, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _overlay(axes: Any, column: ColumnDrift) -> None:
    found = column.histogram
    assert found is not None
    if found.labels:
        places = range(len(found.labels))
        axes.bar([p - 0.2 for p in places], found.reference, 0.4, color=BLUE, alpha=0.6, label="before")
        axes.bar([p + 0.2 for p in places], found.current, 0.4, color=ORANGE, alpha=0.6, label="now")
        axes.set_xticks(list(places), [_label(t, 10) for t in found.labels], rotation=45, ha="right", fontsize=7)
    else:
        for shares, colour, name in ((found.reference, BLUE, "before"), (found.current, ORANGE, "now")):
            axes.stairs(shares, found.edges, fill=True, color=colour, alpha=0.5, label=name)
        if column.kind == "date":
            ends = [found.edges[0], found.edges[-1]]
            axes.set_xticks(ends, [day(e) for e in ends])
    axes.set_title(f"{_label(column.name)} ({column.level})", fontsize=9, color=INK)
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)


def _save(figure: Figure, path: Path) -> Path:
    part = path.with_name(f".{path.name[:60]}.{os.getpid()}.part")
    try:
        with warnings.catch_warnings():
            # names of columns may be written in scripts that the font lacks: boxes are no reason to fail
            warnings.simplefilter("ignore")
            figure.savefig(part, dpi=_DPI, format="png")
        part.replace(path)
    except OSError as error:
        raise WorkspaceError(f"{str(path)!r} cannot be written: {error.strerror or error}.") from error
    finally:
        part.unlink(missing_ok=True)
    return path


def _label(text: object, longest: int = _LONGEST) -> str:
    """Any text as matplotlib may draw it: one line, no formulas, cut to a length that fits."""
    plain = "".join(c if c.isprintable() else " " for c in str(text))
    plain = plain if len(plain) <= longest else f"{plain[: longest - 1]}…"
    return plain.replace("\\", "\\\\").replace("$", r"\$") if "$" in plain else plain
