"""The picture of an answer: bars over names, a line over dates.

Made as an object, without pyplot: its global list of figures is shared by all threads of a server.
"""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentkit.errors import BadInput, MissingExtra
from agentkit_sql.answer import moment
from agentkit_sql.outputs import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from agentkit_sql.answer import SqlAnswer

_BLUE = "#0072B2"
_LONGEST = 32
_DPI = 140


def draw(answer: SqlAnswer, path: Path) -> Path:
    """Write the picture that suits an answer as a PNG of 140 dots per inch: the last column over the first.

    Raises BadInput if none suits it, MissingExtra without matplotlib, StorageError.
    """
    if answer.table.handle:
        raise BadInput(f"{answer.row_count:,} rows are too many for a picture, none was written: aggregate them.")
    if answer.figure == "none":
        raise BadInput("no picture suits this answer, none was written: it takes a name or date a row, and a figure.")
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtra("pictures need matplotlib: pip install 'agentkit-ml[ml]'") from None
    values = [_number(row[-1]) for row in answer.table.rows]
    height = max(2.4, 0.28 * len(values) + 1.2) if answer.figure == "bar" else 4.0
    figure = Figure(figsize=(6.4, height), layout="constrained")
    axes = figure.subplots()
    if answer.figure == "bar":
        _bars(axes, answer, values)
    else:
        _line(axes, answer, values)
    axes.spines[["top", "right"]].set_visible(False)
    with replacing(path) as part, warnings.catch_warnings():
        # names may be written in scripts that the font lacks: boxes are no reason to fail
        warnings.simplefilter("ignore")
        figure.savefig(part, dpi=_DPI, format="png")
    return path


def _bars(axes: Axes, answer: SqlAnswer, values: list[float]) -> None:
    axes.barh(range(len(values)), values, color=_BLUE)
    axes.set_yticks(range(len(values)), [_label(row[0]) for row in answer.table.rows])
    axes.invert_yaxis()
    axes.set_ylabel(_head(answer, 0))
    axes.set_xlabel(_head(answer, -1))


def _line(axes: Axes, answer: SqlAnswer, values: list[float]) -> None:
    """Dates stand where they belong, so that a month without rows is a gap in the scale."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    days = [moment(row[0]) for row in answer.table.rows]
    points = sorted((day, value) for day, value in zip(days, values, strict=True) if day is not None)
    axes.plot([day for day, _ in points], [value for _, value in points], color=_BLUE, marker="o", markersize=3)  # type: ignore[arg-type]
    locator = AutoDateLocator()  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.set_xlabel(_head(answer, 0))
    axes.set_ylabel(_head(answer, -1))


def _head(answer: SqlAnswer, column: int) -> str:
    name = answer.table.columns[column]
    unit = answer.table.units.get(name)
    return _label(f"{name} ({unit})" if unit else name)


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _label(value: object) -> str:
    """Any text as matplotlib may draw it: one line, no formulas, cut to a length that fits."""
    plain = "".join(c if c.isprintable() else " " for c in str(value))
    plain = plain if len(plain) <= _LONGEST else f"{plain[: _LONGEST - 1]}…"
    return plain.replace("\\", "\\\\").replace("$", r"\$") if "$" in plain else plain
