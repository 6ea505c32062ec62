"""The picture of an answer: bars over names, a line over dates.

Made as an object, without pyplot: its global list of figures is shared by all threads of a server.
"""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentkit.errors import BadInput, MissingExtra
from agentkit_sql.outputs import replacing

if TYPE_CHECKING:
    from agentkit_sql.answer import SqlAnswer

_BLUE = "#0072B2"
_LONGEST = 32
_MOST_TICKS = 12
_DPI = 140


def draw(answer: SqlAnswer, path: Path) -> Path:
    """Write the picture that suits an answer as a PNG of 140 dots per inch: the last column over the first.

    Raises BadInput if none suits it, MissingExtra without matplotlib, StorageError.
    """
    if answer.figure == "none":
        raise BadInput("no picture suits this answer, none was written: it takes a name or date a row, and a figure.")
    if answer.table.handle:
        raise BadInput(f"{answer.row_count:,} rows are too many for a picture, none was written: aggregate them.")
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtra("pictures need matplotlib: pip install 'agentkit-ml[ml]'") from None
    names = [_label(row[0]) for row in answer.table.rows]
    values = [_number(row[-1]) for row in answer.table.rows]
    bars = answer.figure == "bar"
    figure = Figure(figsize=(6.4, max(2.4, 0.28 * len(names) + 1.2) if bars else 4.0), layout="constrained")
    axes = figure.subplots()
    if bars:
        axes.barh(range(len(names)), values, color=_BLUE)
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.set_xlabel(_head(answer, -1))
        axes.set_ylabel(_head(answer, 0))
    else:
        order = sorted(range(len(names)), key=lambda i: names[i])
        axes.plot(range(len(names)), [values[i] for i in order], color=_BLUE, marker="o", markersize=3)
        step = max(1, math.ceil(len(names) / _MOST_TICKS))
        axes.set_xticks(range(0, len(names), step), [names[i] for i in order[::step]], rotation=45, ha="right")
        axes.set_ylabel(_head(answer, -1))
        axes.set_xlabel(_head(answer, 0))
    axes.spines[["top", "right"]].set_visible(False)
    with replacing(path) as part, warnings.catch_warnings():
        # names may be written in scripts that the font lacks: boxes are no reason to fail
        warnings.simplefilter("ignore")
        figure.savefig(part, dpi=_DPI, format="png")
    return path


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
