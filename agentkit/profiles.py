"""Column profiles: what a data set looked like, small enough to be stored with a model and compared later."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame, Series

ColumnKind = Literal["number", "category", "date", "text", "id", "constant", "empty"]

GRID = 257
"""Points of the quantile grid of a number column, ends included: 0, 64, 128 and 192 of 256 are the quartiles."""

_TOP = 50
_CUT = 200  # characters of a level that are kept
_SAMPLE = 2_000
_ALMOST_ALL = 0.99
_MOST = 0.9
"""Share of values that must read as numbers (if there are many different ones) or as dates of one format."""
_MANY_NUMBERS = 10
_MOSTLY_DIFFER = 0.5
_EXACT_WHOLE = 2**53
_ID_NAME = re.compile(r"(^|[_\s.\-])(id|ids|uuid|guid|key|index|row|nr|no)$|^unnamed: 0$|[a-z](ID|Id)$", re.IGNORECASE)
_SPACES = re.compile(r"\s+")
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
    def levels(self) -> list[str]:
        """All levels of a category, the most frequent first; none if the profile does not hold them all in full."""
        known = [level for level, _ in self.top or []]
        return known if len(known) == self.distinct and all(len(level) < _CUT for level in known) else []

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

    @cached_property
    def _by_name(self) -> dict[str, ColumnProfile]:
        return {c.name: c for c in reversed(self.columns)}

    def __getitem__(self, name: str) -> ColumnProfile:
        return self._by_name[name]

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
    if not isinstance(present.dtype, pd.StringDtype) and pd.api.types.infer_dtype(present) == "boolean":
        return _categories(*_counted(present), "category", base)
    if (dates := parse_dates(present, None)) is not None:
        return _dates(*dates, base)
    if (numbers := _as_number_column(present)) is not None:
        unread = len(present) - len(numbers)
        return _numbers(numbers, base | {"missing": base["missing"] + unread, "unread": unread})
    return _texts(present, base)


def _as_number_column(present: Series) -> Series | None:
    """The finite numbers of a column that holds numbers, None for one that holds something else."""
    import pandas as pd

    typed = pd.api.types.is_numeric_dtype(present)
    if not typed:
        values, rows = _sampled(present)
        if float(as_numbers(values).notna().to_numpy() @ rows) < 0.8 * _MOST * rows.sum():
            return None
    numbers = as_numbers(present).dropna()
    share = len(numbers) / len(present)
    if share >= _ALMOST_ALL or (typed and share > 0):
        return numbers
    return numbers if share >= _MOST and numbers.nunique() > _MANY_NUMBERS else None


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
    codes, texts = _text_levels(column[there])
    made = np.full(len(column), np.nan, dtype="object")
    made[there] = texts[codes]
    return pd.Series(made, index=column.index, name=column.name, dtype="object")


def _text_levels(present: Series) -> tuple[NDArray[Any], NDArray[Any]]:
    """Codes and the texts that they stand for, in order of appearance; texts of different codes may be equal."""
    import numpy as np
    import pandas as pd

    if pd.api.types.is_float_dtype(present) and (present % 1 == 0).all() and (present.abs() < _EXACT_WHOLE).all():
        present = present.astype("int64")
    levels: Any
    try:
        codes, levels = pd.factorize(present)
    except TypeError:
        # lists and the like, which cannot be told apart by hashing
        codes, levels = np.arange(len(present)), present.to_numpy()
    texts = pd.Index([_label(v) for v in levels] if levels.dtype == "object" else levels).astype("str").str.strip()
    return codes, texts.to_numpy(dtype="object")


def _counted(present: Series) -> tuple[NDArray[Any], NDArray[Any]]:
    """Each row's text as a code, and the different texts in order of appearance."""
    import pandas as pd

    codes, texts = _text_levels(present)
    merged, labels = pd.factorize(texts)
    return merged[codes], labels


def _sampled(present: Series) -> tuple[Series, NDArray[Any]]:
    """Some 2,000 values, evenly spread: the different ones, and how many rows have each.

    Columns of few levels are then judged by their levels, not by every row.
    """
    import numpy as np
    import pandas as pd

    sample = present.iloc[:: max(1, len(present) // _SAMPLE)]
    try:
        codes, values = pd.factorize(sample)
    except TypeError:
        return sample, np.ones(len(sample), dtype="int64")
    return pd.Series(values), np.bincount(codes, minlength=len(values))


def _label(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def parse_dates(column: Series, date_format: str | None) -> tuple[Series, str] | None:
    """The column as timestamps without time zone, and its format ('' for real dates); None if it does not hold dates.

    With `date_format` given, what does not fit it is missing.
    """
    import numpy as np
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column):
        return _naive(column), ""
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return (pd.Series(pd.NaT, column.index, dtype="datetime64[us]"), "") if date_format is not None else None
    if date_format is not None:
        known = date_format or "ISO8601"
        return _naive(_dated(column, known)), date_format
    values, rows = _sampled(column)
    sample = values.astype("str")
    if float(np.asarray([_DATE_LIKE.match(v) is not None for v in sample]) @ rows) < 0.8 * _MOST * rows.sum():
        return None
    read = {f: pd.to_datetime(sample, format=f, errors="coerce", utc=True).notna() for f in _DATE_FORMATS}
    found = {f: float(dates.to_numpy() @ rows) for f, dates in read.items()}
    best = max(found, key=lambda f: found[f])
    if found[best] < 0.8 * _MOST * rows.sum():
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
    if named_like_id(name):
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


def _texts(present: Series, base: dict[str, Any]) -> ColumnProfile:
    import numpy as np

    codes, labels = _counted(present)
    sample = np.bincount(codes[:: max(1, len(codes) // _SAMPLE)], minlength=len(labels))
    seen = np.flatnonzero(sample)
    rows = sample[seen] / sample.sum()
    words = float(np.asarray([len(_SPACES.findall(labels[i])) + 1 for i in seen]) @ rows)
    length = float(np.asarray([len(labels[i]) for i in seen]) @ rows)
    differ = len(labels) / len(codes)
    named = named_like_id(str(base["name"]))
    if len(labels) >= 3 and words < 1.5 and length <= 40 and differ > (_MOSTLY_DIFFER if named else 1 - 1e-12):
        return _categories(codes, labels, "id", base)
    wordy = words >= 4 and differ > 0.1
    text = wordy or (len(labels) > 20 and differ > _MOSTLY_DIFFER)
    return _categories(codes, labels, "text" if text else "category", base)


def _categories(codes: NDArray[Any], labels: NDArray[Any], kind: ColumnKind, base: dict[str, Any]) -> ColumnProfile:
    import numpy as np

    counts = np.bincount(codes, minlength=len(labels))
    # of equally frequent ones the first comes first
    most = np.argsort(-counts, kind="stable")[:_TOP]
    top = [(str(labels[i])[:_CUT], int(counts[i])) for i in most] if kind not in ("id", "text") else None
    return ColumnProfile(kind="constant" if len(counts) == 1 else kind, distinct=len(counts), top=top, **base)


def named_like_id(name: str) -> bool:
    """Whether a column's name says that it is an id, an index or a key."""
    return bool(_ID_NAME.search(name))


def listed(names: Sequence[str], most: int = 5) -> str:
    """Names in quotes for a sentence, at most `most` of them."""
    shown = ", ".join(repr(n) for n in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
