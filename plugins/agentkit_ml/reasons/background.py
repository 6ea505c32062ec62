"""Usual values of a model's columns, drawn from the profile of its training data: what a row is compared with."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from agentkit.profiles import ColumnProfile, Profile

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

_INNER = (0.05, 0.95)


def usual_rows(profile: Profile, columns: dict[str, str], count: int, random: Any) -> DataFrame:
    """`count` rows, each cell drawn for itself: numbers by their quantiles, categories by how frequent they were, dates
    evenly between the first and the last, missing as often as in training. Free text, of which a profile keeps nothing,
    is missing. `columns`: name -> kind, as in the training's record.
    """
    import pandas as pd

    made: dict[str, Any] = {}
    for name, kind in columns.items():
        column = profile[name]
        # one draw from each of `count` equal parts (a Latin hypercube): less noise than free draws
        shares = (random.permutation(count) + random.random(count)) / count
        cells = _drawn(column, kind, shares)
        gaps = random.random(count) < column.missing / max(column.count, 1)
        made[name] = pd.Series([None if gap else cell for gap, cell in zip(gaps, cells, strict=True)], dtype="object")
    return pd.DataFrame(made)


def choices(column: ColumnProfile, kind: str, count: int = 9) -> list[Any]:
    """Values worth trying: `count` quantiles from 5% to 95%, dates from first to last, or the frequent categories."""
    import numpy as np

    if kind == "number" and column.quantiles:
        places = np.linspace(*_INNER, count) * (len(column.quantiles) - 1)
        values = np.interp(places, range(len(column.quantiles)), column.quantiles)
        return list(dict.fromkeys(v if v.is_integer() else float(f"{v:.4g}") for v in _whole(column, values)))
    if kind == "date" and column.minimum:
        return list(dict.fromkeys(_dates(column, np.linspace(*_INNER, count))))
    if kind == "category" and column.top:
        return [value for value, _ in column.top[:count]]
    return []


def rank(column: ColumnProfile, value: float) -> float:
    """Which share of the training rows lies below a number."""
    import numpy as np

    assert column.quantiles
    # equal quantiles are a jump: the middle of it
    low, high = (np.searchsorted(column.quantiles, value, side=side) for side in ("left", "right"))
    if high > low:
        return float((low + high - 1) / 2 / (len(column.quantiles) - 1))
    return float(np.interp(value, column.quantiles, np.linspace(0, 1, len(column.quantiles))))


def _drawn(column: ColumnProfile, kind: str, shares: NDArray[Any]) -> list[Any]:
    """The values at these shares (0 to 1) of the column's distribution."""
    import numpy as np

    if kind == "number" and column.quantiles:
        grid = np.linspace(0, 1, len(column.quantiles))
        return _whole(column, np.interp(shares, grid, column.quantiles))
    if kind == "date" and column.minimum:
        return _dates(column, shares)
    if kind == "category" and column.top:
        passed = np.cumsum([n for _, n in column.top])
        return [column.top[i][0] for i in np.searchsorted(passed, shares * passed[-1], side="right")]
    return [None] * len(shares)


def _whole(column: ColumnProfile, values: NDArray[Any]) -> list[Any]:
    """Whole numbers where the training data had only those."""
    import numpy as np

    assert column.quantiles
    ends = [column.quantiles[0], column.quantiles[len(column.quantiles) // 2], column.quantiles[-1]]
    if all(float(q).is_integer() for q in ends):
        values = np.round(values)
    return [float(v) for v in values]


def _dates(column: ColumnProfile, shares: NDArray[Any]) -> list[str]:
    """Dates written as the column writes them."""
    first, last = (datetime.fromisoformat(str(end)) for end in (column.minimum, column.maximum))
    moments = [first + (last - first) * float(share) for share in shares]
    written = column.date_format if column.date_format and column.date_format.startswith("%") else None
    return [m.strftime(written) if written else m.isoformat(timespec="seconds") for m in moments]
