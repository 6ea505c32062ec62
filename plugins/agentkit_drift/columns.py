"""What a column of a data set holds: numbers, categories, dates, text or ids, in arrays of one value a row."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from agentkit.profiles import named_like_id
from agentkit_drift.result import Kind
from agentkit_drift.thresholds import MOST_LEVELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ALMOST_ALL = 0.99
_MOST = 0.9
_TRIED = 200
_MANY_ROWS = 100
_FEW_LEVELS = 20
_LONG_TEXT = 4
_DATE_LIKE = re.compile(r"^\s*[\dA-Z].*\d[-/.\s].*\d")
_TRUTHS = {"true": 1.0, "false": 0.0}


@dataclass(frozen=True)
class Values:
    """One value a row. Numbers and dates (seconds since 1970, UTC) are in `numbers`, NaN where missing; anything else
    in `codes`, -1 where missing, which count the `labels`.

    `stored`: how the file has them, in a word or two. `zoned`: dates with a time zone.
    """

    kind: Kind
    rows: int
    stored: str
    numbers: NDArray[Any] | None = None
    codes: NDArray[Any] | None = None
    labels: tuple[str, ...] = ()
    zoned: bool = False


def read(arrays: Sequence[Any], name: str = "", wanted: Kind | None = None) -> Values:
    """Values of Arrow arrays that are one column together, as `wanted` if they can be read so, else as what they are.

    Texts of which 99% are numbers are numbers; texts of which 90% have one date format are dates.
    """
    rows = sum(len(a) for a in arrays)
    typed = [a for a in arrays if a.null_count < len(a)]
    if not typed:
        return Values("empty", rows, "nothing")
    kinds = {_stored(a.type) for a in typed}
    if kinds <= {"number", "truth"} and (wanted == "number" or kinds == {"number"}):
        made = Values("number", rows, "truth value" if kinds == {"truth"} else "number", _joined(arrays))
        if wanted == "id":
            return replace(made, kind="id")
        return _as_labels(made, wanted) if wanted in ("category", "text") else _judged_id(made, typed, name, wanted)
    if kinds == {"date"}:
        zoned = any(getattr(a.type, "tz", None) for a in typed)
        made = Values("date", rows, "date", _seconds(arrays), zoned=zoned)
        return _as_labels(made, wanted) if wanted in ("category", "text") else made
    codes, labels = _coded(arrays)
    stored = "truth value" if kinds == {"truth"} else "text"
    return _of_labels(Values("category", rows, stored, codes=codes, labels=labels), name, wanted)


def alike(before: Callable[[Kind | None], Values], after: Callable[[Kind | None], Values]) -> tuple[Values, Values]:
    """Two columns read as the same kind, which is the first's, if that can be. Each argument reads one of them."""
    first = before(None)
    second = after(None if first.kind == "empty" else first.kind)
    if first.kind == "category" and second.stored == "number" and all(v.lower() in _TRUTHS for v in first.labels):
        # truth values in one file, 0 and 1 in the other
        return before("number"), after("number")
    if first.kind == "number" and second.kind in ("category", "text"):
        # codes that are numbers in one file and texts in the other are still codes
        labels = before("category")
        if len(labels.labels) <= 0.5 * labels.rows:
            return labels, after("category")
    return first, second


def _stored(type_: Any) -> str:
    import pyarrow as pa

    if pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_):
        return "number"
    if pa.types.is_duration(type_) or pa.types.is_time(type_):
        return "number"
    if pa.types.is_timestamp(type_) or pa.types.is_date(type_):
        return "date"
    return "truth" if pa.types.is_boolean(type_) else "text"


def _joined(arrays: Iterable[Any]) -> NDArray[Any]:
    import numpy as np

    parts = [_floats(a) for a in arrays]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _floats(array: Any) -> NDArray[Any]:
    import numpy as np
    import pyarrow as pa

    if pa.types.is_null(array.type):
        return np.full(len(array), np.nan)
    if pa.types.is_time(array.type) or pa.types.is_duration(array.type):
        unit = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[array.type.unit]
        return _floats(array.cast(pa.int32() if pa.types.is_time32(array.type) else pa.int64())) / unit
    if not pa.types.is_float64(array.type):
        array = array.cast(pa.float64(), safe=False)
    return _filled(array, "float64", np.nan)


def _filled(array: Any, dtype: str, missing: float) -> NDArray[Any]:
    """The array's own memory, or a copy with `missing` in its gaps. Arrow's `to_numpy` would import pandas."""
    import numpy as np

    valid, data = array.buffers()
    size = np.dtype(dtype).itemsize
    if not len(array) or data is None:
        return np.full(len(array), missing, dtype=dtype)
    values = np.frombuffer(data, dtype, len(array), array.offset * size)
    if not array.null_count:
        return values
    bits = np.unpackbits(np.frombuffer(valid, "uint8"), bitorder="little")
    return np.where(bits[array.offset : array.offset + len(array)], values, np.asarray(missing, dtype))


def _seconds(arrays: Iterable[Any]) -> NDArray[Any]:
    import numpy as np
    import pyarrow as pa

    parts = []
    for array in arrays:
        if pa.types.is_null(array.type):
            parts.append(np.full(len(array), np.nan))
            continue
        times = array.cast(pa.timestamp("ms")) if pa.types.is_date(array.type) else array
        unit = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[times.type.unit]
        parts.append(_floats(times.cast(pa.timestamp(times.type.unit)).cast(pa.int64())) / unit)
    return np.concatenate(parts)


def _coded(arrays: Sequence[Any]) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Codes and labels; labels lose spaces at their ends, and whole numbers their '.0'."""
    import numpy as np
    import pyarrow as pa

    encoded = pa.chunked_array([_dictionary(a) for a in arrays]).unify_dictionaries().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.chunk(0)
    codes = _filled(encoded.indices, "int32", -1)
    raw = [str(v).strip() for v in encoded.dictionary.to_pylist()]
    if any(pa.types.is_boolean(a.type) for a in arrays):
        # Arrow writes them as 'true'
        raw = [v.title() if v in _TRUTHS else v for v in raw]
    if len(set(raw)) == len(raw):
        return codes, tuple(raw)
    labels = tuple(dict.fromkeys(raw))
    place = {label: i for i, label in enumerate(labels)}
    merged = np.asarray([place[label] for label in raw] + [-1], dtype="int32")
    return merged[codes], labels


def _dictionary(array: Any) -> Any:
    import pyarrow as pa

    wanted = pa.dictionary(pa.int32(), pa.string())
    if pa.types.is_dictionary(array.type):
        return array if array.type == wanted else array.cast(wanted)
    if not pa.types.is_string(array.type):
        try:
            array = array.cast(pa.string())
        except pa.ArrowException:
            # lists, structures and bytes
            array = pa.array([None if v is None else str(v) for v in array.to_pylist()], pa.string())
    return array.dictionary_encode()


def _judged_id(values: Values, typed: Sequence[Any], name: str, wanted: Kind | None) -> Values:
    """The numbers as an id if they count the rows, or are named like one and mostly differ."""
    import numpy as np
    import pyarrow as pa

    if wanted is not None or not all(pa.types.is_integer(a.type) for a in typed):
        return values
    numbers = values.numbers
    assert numbers is not None
    counts = values.rows >= _MANY_ROWS and bool(
        (np.diff(numbers[:_TRIED]) == 1).all() and (np.diff(numbers) == 1).all()
    )
    if not counts and named_like_id(name):
        counts = len(np.unique(numbers)) > 0.5 * values.rows
    return Values("id", values.rows, values.stored, numbers) if counts else values


def _as_labels(values: Values, kind: Kind) -> Values:
    """Numbers and dates as texts: the reference holds categories or text."""
    import numpy as np

    assert values.numbers is not None
    there = ~np.isnan(values.numbers)
    levels, found = np.unique(values.numbers[there], return_inverse=True)
    codes = np.full(values.rows, -1, dtype="int32")
    codes[there] = found
    return Values(kind, values.rows, values.stored, codes=codes, labels=tuple(_label(float(v)) for v in levels))


def _label(value: float) -> str:
    """As texts have numbers: whole ones without '.0'."""
    return str(int(value)) if value.is_integer() else repr(value)


def _of_labels(values: Values, name: str, wanted: Kind | None) -> Values:
    """Texts as what they hold, or as what is wanted if they can be."""
    import numpy as np

    assert values.codes is not None
    counts = np.bincount(values.codes + 1, minlength=len(values.labels) + 1)[1:]
    present = int(counts.sum())
    if not present:
        return Values("empty", values.rows, "nothing")
    if wanted in ("category", "text", "id"):
        return Values(wanted, values.rows, values.stored, codes=values.codes, labels=values.labels)
    if values.stored == "text" or wanted == "number":
        if (numbers := _numbers(values.labels, counts, present)) is not None:
            return Values("number", values.rows, values.stored, np.append(numbers, np.nan)[values.codes])
        if (dates := _dates(values.labels, counts)) is not None:
            return Values("date", values.rows, values.stored, np.append(dates, np.nan)[values.codes])
    kind = _kind_of_labels(values.labels, counts, present, name)
    return Values(kind, values.rows, values.stored, codes=values.codes, labels=values.labels)


def _numbers(labels: Sequence[str], counts: NDArray[Any], present: int) -> NDArray[Any] | None:
    """The labels as numbers if almost all rows are; None otherwise. A few labels are tried first."""
    import numpy as np

    step = max(1, len(labels) // _TRIED)
    tried = labels[::step]
    if sum(_number(t) is not None for t in tried) < 0.5 * len(tried):
        return None
    found = [_number(label) for label in labels]
    numbers = np.asarray([np.nan if f is None else f for f in found])
    return numbers if counts[~np.isnan(numbers)].sum() >= _ALMOST_ALL * present else None


def _number(text: str) -> float | None:
    try:
        return float(text) if "_" not in text else None
    except ValueError:
        return _TRUTHS.get(text.lower())


def _dates(labels: Sequence[str], counts: NDArray[Any]) -> NDArray[Any] | None:
    """The labels as seconds since 1970 if they are dates of one format; None otherwise."""
    tried = labels[:: max(1, len(labels) // _TRIED)]
    if sum(_DATE_LIKE.match(t) is not None for t in tried) < 0.8 * len(tried):
        return None
    import pandas as pd

    from agentkit.profiles import parse_dates

    found = parse_dates(pd.Series(list(labels), dtype="str"), None)
    if found is None or counts[found[0].notna().to_numpy()].sum() < _MOST * counts.sum():
        return None
    dates = found[0].astype("datetime64[us]")
    seconds: NDArray[Any] = dates.astype("int64").to_numpy().astype("float64") / 1e6
    seconds[dates.isna().to_numpy()] = float("nan")
    return seconds


def _kind_of_labels(labels: Sequence[str], counts: NDArray[Any], present: int, name: str) -> Kind:
    """Categories unless there are very many levels: then ids if they are short and all differ, else text."""
    levels = int((counts > 0).sum())
    if levels <= _FEW_LEVELS or (levels <= MOST_LEVELS and levels <= 0.5 * present):
        return "category"
    tried = labels[:: max(1, levels // _TRIED)]
    words = sum(len(t.split()) for t in tried) / len(tried)
    short = words < 1.5 and sum(len(t) for t in tried) / len(tried) <= 40
    if short and (levels == present or (named_like_id(name) and levels > 0.5 * present)):
        return "id"
    return "text" if levels > MOST_LEVELS or words >= _LONG_TEXT or levels > 0.5 * present else "category"
