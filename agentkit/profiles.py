"""Column profiles: what a data set looked like, small enough to be stored with a model and compared later."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame, Series

ColumnKind = Literal["number", "category", "date", "text", "id", "constant", "empty"]

GRID = 257
"""Points of the quantile grid of a number column, ends included: 0, 64, 128 and 192 of 256 are the quartiles."""

_TOP = 50
_SAMPLE = 2_000
_ALMOST_ALL = 0.99
_MOST = 0.9
"""Share of values that must read as numbers (if there are many different ones) or as dates of one format."""
_MANY_NUMBERS = 10
_MOSTLY_DIFFER = 0.5
_EXACT_WHOLE = 2**53
_ID_NAME = re.compile(r"(^|[_\s.\-])(id|ids|uuid|guid|key|index|row|nr|no)$|^unnamed: 0$|[a-z](ID|Id)$", re.IGNORECASE)
_DATE_LIKE = re.compile(r"^\s*(\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T\s]|$)|[A-Z][a-z]{2} \d|\d{1,2} [A-Z][a-z]{2} \d)")
_DATE_FORMATS = (
    "ISO8601",
    "%Y/%m/%d",
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%b %d %Y",
    "%d %b %Y",
)


class ColumnProfile(BaseModel):
    """One column. `minimum` and `maximum` are numbers, or ISO dates; `top` has the 50 most frequent values.

    `unread`: values that are there but are no finite number or no date of the column's format; `missing` counts them.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    kind: ColumnKind
    count: int
    missing: int
    distinct: int
    minimum: float | str | None = None
    maximum: float | str | None = None
    mean: float | None = None
    std: float | None = None
    quantiles: list[float] | None = None
    top: list[tuple[str, int]] | None = None
    date_format: str | None = None
    unread: int = 0

    @property
    def median(self) -> float | None:
        return self.quantiles[GRID // 2] if self.quantiles else None


class Profile(BaseModel):
    """All columns of a data set. `digest` is the SHA-256 of its bytes, '' if it was not a file."""

    model_config = ConfigDict(frozen=True)

    dataset: str
    digest: str
    rows: int
    columns: list[ColumnProfile]

    def __getitem__(self, name: str) -> ColumnProfile:
        return next(c for c in self.columns if c.name == name)

    def of_kind(self, *kinds: ColumnKind) -> list[str]:
        """Names of the columns of these kinds, in order."""
        return [c.name for c in self.columns if c.kind in kinds]


def profile_frame(frame: DataFrame, dataset: str = "", digest: str = "") -> Profile:
    """The profile of every column."""
    columns = [profile_column(frame[name]) for name in frame.columns]
    return Profile(dataset=dataset, digest=digest, rows=len(frame), columns=columns)


def profile_column(column: Series) -> ColumnProfile:
    """The profile of one column, its kind judged by content.

    Texts that are at least 99% numbers count as numbers, or 90% if more than 10 numbers differ; texts of which 90%
    have one date format as dates. Ids are whole numbers that count up row by row, short texts that all differ, and
    whole numbers or short texts that are named like an id and of which more than half differ. Texts of four words or
    more on average are text; others are categories unless more than half of them differ.
    """
    import pandas as pd

    name, rows = str(column.name), len(column)
    present = column.dropna()
    base: dict[str, Any] = {"name": name, "count": rows, "missing": rows - len(present)}
    if present.empty:
        return ColumnProfile(kind="empty", distinct=0, **base)
    if pd.api.types.infer_dtype(present) == "boolean":
        return _categories(as_text(present), "category", base)
    if (dates := parse_dates(present, None)) is not None:
        return _dates(*dates, base)
    if (numbers := _as_number_column(present)) is not None:
        unread = len(present) - len(numbers)
        return _numbers(numbers, base | {"missing": base["missing"] + unread, "unread": unread})
    return _texts(as_text(present), base)


def _as_number_column(present: Series) -> Series | None:
    """The finite numbers of a column that holds numbers, None for one that holds something else."""
    import pandas as pd

    typed = pd.api.types.is_numeric_dtype(present)
    if not typed and as_numbers(present.iloc[:: max(1, len(present) // _SAMPLE)]).notna().mean() < 0.8 * _MOST:
        return None
    numbers = as_numbers(present).dropna()
    share = len(numbers) / len(present)
    many = share >= _MOST and numbers.nunique() > _MANY_NUMBERS
    return numbers if share >= _ALMOST_ALL or many or (typed and share > 0) else None


def as_numbers(column: Series) -> Series:
    """Floats; what is not a finite number is missing."""
    import numpy as np
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column):
        return pd.Series(np.nan, column.index, dtype="float64")
    numbers = pd.to_numeric(column, errors="coerce").astype("float64")
    return numbers.where(np.isfinite(numbers))


def as_text(column: Series) -> Series:
    """Texts as object, without spaces at their ends; whole numbers without '.0', so that 1, 1.0 and '1' are one label.

    Missing stays missing. Equal texts are one object, so that a column of few levels is small.
    """
    import numpy as np
    import pandas as pd

    there = column.notna().to_numpy()
    present = column[there]
    if pd.api.types.is_float_dtype(present) and (present % 1 == 0).all() and (present.abs() < _EXACT_WHOLE).all():
        present = present.astype("int64")
    levels: Any
    try:
        codes, levels = pd.factorize(present)
    except TypeError:
        # lists and the like, which cannot be told apart by hashing
        codes, levels = np.arange(len(present)), present.to_numpy()
    texts = pd.Index([_label(v) for v in levels] if levels.dtype == "object" else levels).astype("str").str.strip()
    made = np.full(len(column), np.nan, dtype="object")
    made[there] = texts.to_numpy(dtype="object")[codes]
    return pd.Series(made, index=column.index, name=column.name, dtype="object")


def _label(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def parse_dates(column: Series, date_format: str | None) -> tuple[Series, str] | None:
    """The column as timestamps without time zone, and its format ('' for real dates); None if it does not hold dates.

    With `date_format` given, what does not fit it is missing.
    """
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column):
        return _naive(column), ""
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return (pd.Series(pd.NaT, column.index, dtype="datetime64[us]"), "") if date_format is not None else None
    if date_format is not None:
        known = date_format or "ISO8601"
        return _naive(_dated(column, known)), date_format
    sample = column.iloc[:: max(1, len(column) // _SAMPLE)].astype("str")
    if sample.str.match(_DATE_LIKE).mean() < 0.8 * _MOST:
        return None
    found = {f: pd.to_datetime(sample, format=f, errors="coerce", utc=True).notna().mean() for f in _DATE_FORMATS}
    best = max(found, key=lambda f: found[f])
    if found[best] < 0.8 * _MOST:
        return None
    parsed = _dated(column, best)
    return (_naive(parsed), best) if parsed.notna().mean() >= _MOST else None


def _dated(column: Series, date_format: str) -> Series:
    """Timestamps in UTC; each different text is read once."""
    import pandas as pd

    codes, levels = pd.factorize(column)
    read: Any = pd.to_datetime(pd.Series(levels).astype("str"), format=date_format, errors="coerce", utc=True)
    return pd.Series(read.array.take(codes, allow_fill=True), index=column.index, name=column.name)


def _naive(dates: Series) -> Series:
    return dates.dt.tz_convert("UTC").dt.tz_localize(None) if dates.dt.tz is not None else dates


def _numbers(values: Series, base: dict[str, Any]) -> ColumnProfile:
    import numpy as np

    array = np.sort(values.to_numpy())
    distinct = 1 + int((array[1:] != array[:-1]).sum())
    grid = _quantiles(array)
    kind: ColumnKind = (
        "constant" if distinct == 1 else "id" if _counts_rows(values, distinct, str(base["name"])) else "number"
    )
    return ColumnProfile(
        kind=kind, distinct=distinct, minimum=grid[0], maximum=grid[-1], mean=_finite(array.mean),
        std=_finite(lambda: array.std(ddof=1)) if len(array) > 1 else None, quantiles=grid, **base,
    )  # fmt: skip


def _finite(moment: Callable[[], Any]) -> float | None:
    """A moment of finite numbers, None if they are too large for one."""
    import numpy as np

    with np.errstate(over="ignore", invalid="ignore"):
        value = float(moment())
    return value if np.isfinite(value) else None


def _quantiles(array: NDArray[Any]) -> list[float]:
    """The quantile grid of sorted numbers, by linear interpolation as numpy's."""
    import numpy as np

    places = np.linspace(0, len(array) - 1, GRID)
    below = places.astype("int64")
    above = np.minimum(below + 1, len(array) - 1)
    # weights, not differences: those of huge numbers overflow
    share = places - below
    return [float(q) for q in (1 - share) * array[below] + share * array[above]]


def _counts_rows(values: Series, distinct: int, name: str) -> bool:
    if distinct < 3 or distinct <= _MOSTLY_DIFFER * len(values) or bool((values % 1 != 0).any()):
        return False
    # repeated rows repeat their ids
    if _ID_NAME.search(name):
        return True
    return distinct == len(values) and bool((values.diff().iloc[1:] == 1).all())


def _dates(values: Series, date_format: str, base: dict[str, Any]) -> ColumnProfile:
    present = values.dropna()
    distinct = int(present.nunique())
    unread = len(values) - len(present)
    base = base | {"missing": base["missing"] + unread, "unread": unread}
    return ColumnProfile(
        kind="constant" if distinct == 1 else "date", distinct=distinct, minimum=present.min().isoformat(),
        maximum=present.max().isoformat(), date_format=date_format, **base,
    )  # fmt: skip


def _texts(values: Series, base: dict[str, Any]) -> ColumnProfile:
    distinct = int(values.nunique())
    sample = values.iloc[:: max(1, len(values) // _SAMPLE)].astype("str")
    words = float((sample.str.count(r"\s+") + 1).mean())
    differ = distinct / len(values)
    named = bool(_ID_NAME.search(str(base["name"])))
    if (
        distinct >= 3
        and words < 1.5
        and sample.str.len().mean() <= 40
        and differ > (_MOSTLY_DIFFER if named else 1 - 1e-12)
    ):
        return _categories(values, "id", base)
    wordy = words >= 4 and differ > 0.1
    text = wordy or (distinct > 20 and differ > _MOSTLY_DIFFER)
    return _categories(values, "text" if text else "category", base)


def _categories(values: Series, kind: ColumnKind, base: dict[str, Any]) -> ColumnProfile:
    counts = values.value_counts()
    top = [(str(v)[:200], int(n)) for v, n in counts.head(_TOP).items()] if kind not in ("id", "text") else None
    return ColumnProfile(kind="constant" if len(counts) == 1 else kind, distinct=len(counts), top=top, **base)


def listed(names: Sequence[str], most: int = 5) -> str:
    """Names in quotes for a sentence, at most `most` of them."""
    shown = ", ".join(repr(n) for n in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
