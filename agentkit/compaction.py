"""Columns in as little memory as they need without losing a value. Used by `agentkit.tables` for big files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

BIG_CELLS = 5_000_000
"""From this many cells on, columns are kept small: below, a frame is what the file's reader makes of it."""
_FEW_LEVELS = 0.5
_CELLS_AT_ONCE = 1_000_000
_PROBE = 1_000


def compact(column: Any) -> Any:
    """A column in its smallest type that holds every value exactly: int8 to int64, float32 if equal, levels for texts.

    Texts of which more than half differ stay as they are, and so does everything else.
    """
    import numpy as np
    import pandas as pd

    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iuf":
        return pd.Series(_small(column.to_numpy()), index=column.index, name=column.name, copy=False)
    if isinstance(column.dtype, pd.StringDtype):
        levels = column.astype("category")
        return levels if len(levels.cat.categories) <= _FEW_LEVELS * len(column) else column
    return column


def _small(values: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    if values.dtype.kind == "f":
        with np.errstate(over="ignore"):
            # most columns show in a few values that they need all digits
            if not np.array_equal(values[:_PROBE].astype("float32"), values[:_PROBE], equal_nan=True):
                return values
            small = values.astype("float32")
        return small if np.array_equal(small, values, equal_nan=True) else values
    if not len(values):
        return values
    low, high = int(values.min()), int(values.max())
    for wanted in ("int8", "int16", "int32", "int64"):
        limits = np.iinfo(wanted)
        if limits.min <= low and high <= limits.max:
            return values.astype(wanted, copy=False)
    return values


def from_arrow(data: Any, columns: list[str], rows: int) -> DataFrame:
    """A compact frame of a pyarrow data set, a few columns at a time, so that never two copies of all are there."""
    import pandas as pd
    import pyarrow as pa

    made: dict[str, Any] = {}
    at_once = max(1, _CELLS_AT_ONCE // max(1, rows))
    for start in range(0, len(columns), at_once):
        table = _with_levels(data.to_table(columns=columns[start : start + at_once], use_threads=False))
        part = table.to_pandas(ignore_metadata=True, self_destruct=True, split_blocks=True)
        del table
        for name in list(part.columns):
            made[name] = compact(part.pop(name))
        del part
        # what was read lies in arrow's pool until it is asked for
        pa.default_memory_pool().release_unused()
    return pd.DataFrame(made, copy=False)


def _with_levels(table: Any) -> Any:
    """The same table with texts of few different values as dictionaries, which become pandas' categories."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for place, field in enumerate(table.schema):
        if not (pa.types.is_string(field.type) or pa.types.is_large_string(field.type)):
            continue
        if len(pc.unique(table.column(place))) <= _FEW_LEVELS * table.num_rows:
            levels = pc.dictionary_encode(table.column(place)).unify_dictionaries()
            table = table.set_column(place, field.name, levels)
    return table


def from_chunks(chunks: Iterable[DataFrame], columns: list[str]) -> tuple[DataFrame, list[str]]:
    """A compact frame of frames, and the columns that are texts in some of them and numbers in others.

    Those must be read again as texts: what the numbers looked like is lost.
    """
    import pandas as pd

    parts: dict[str, list[Any]] = {name: [] for name in columns}
    for chunk in chunks:
        for name in columns:
            parts[name].append(compact(chunk[name]))
        del chunk
    mixed = [name for name in columns if _is_mixed(parts[name])]
    made = {name: _joined(parts.pop(name)) for name in columns if name not in mixed}
    return pd.DataFrame(made, copy=False).reindex(columns=[c for c in columns if c in made]), mixed


def _is_mixed(parts: list[Any]) -> bool:
    return len({_kind(p) for p in parts} - {"nothing"}) > 1


def _kind(part: Any) -> str:
    import pandas as pd

    if part.isna().all():
        return "nothing"
    if isinstance(part.dtype, pd.CategoricalDtype | pd.StringDtype):
        return "text"
    if pd.api.types.infer_dtype(part, skipna=True) == "boolean":
        return "flag"
    return "number" if pd.api.types.is_numeric_dtype(part) else str(part.dtype)


def _joined(parts: list[Any]) -> Any:
    """One column of several of the same kind."""
    import pandas as pd
    from pandas.api.types import union_categoricals

    texts = next((p for p in parts if _kind(p) == "text"), None)
    if texts is None:
        return pd.concat(parts, ignore_index=True)
    if all(isinstance(p.dtype, pd.CategoricalDtype) or _kind(p) == "nothing" for p in parts):
        levels = [p.astype("str").astype("category") if _kind(p) == "nothing" else p for p in parts]
        return pd.Series(union_categoricals(levels), copy=False)
    return compact(pd.concat([p.astype("str") for p in parts], ignore_index=True))


def rows_at_once(columns: int) -> int:
    """Rows of a chunk: some two million cells."""
    return max(1_000, 2_000_000 // max(1, columns))
