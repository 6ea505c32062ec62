"""Since when: the current data cut into windows by a time column, each compared with the reference."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agentkit.errors import DatasetError, suggest
from agentkit_drift.columns import Values, read
from agentkit_drift.compare_column import compare_column
from agentkit_drift.distributions import Counter, Grid
from agentkit_drift.evidence import Compared
from agentkit_drift.result import ColumnDrift, Window
from agentkit_drift.sources import Source
from agentkit_drift.summaries import Summary, sorted_numbers
from agentkit_drift.verdict import judged, shares, verdict_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_WINDOWS = 31
LEAST_ROWS = 30
"""Rows below which a window is not judged."""

_UNITS = ("h", "D", "W", "M", "Y")


@dataclass(frozen=True)
class Cut:
    """Which window each row is in (-1: the row has no time). `starts`: of each window, and the end of the last."""

    index: NDArray[Any]
    starts: list[str]

    @property
    def count(self) -> int:
        return len(self.starts) - 1


@dataclass
class _Filling:
    """A column of all windows while it is read."""

    rows: NDArray[Any]
    missing: NDArray[Any]
    infinite: NDArray[Any]
    counters: list[Counter]
    tallies: list[Tally[str]]


def cut(source: Source, column: str) -> Cut:
    """Hours, days, weeks (from Monday), months or years in UTC: the shortest of which there are at most 31.

    Raises DatasetError if the column is not there or holds no dates.
    """
    import numpy as np

    if column not in source.columns:
        raise DatasetError(f"{source.name!r} has no column {column!r}.{suggest(column, source.columns)}")
    values = read(source.column(column), column, "date")
    if values.kind != "date" or values.numbers is None:
        raise DatasetError(f"{column!r} of {source.name!r} holds no dates ({values.kind}): name a column that does.")
    known = np.isfinite(values.numbers)
    times = np.where(known, values.numbers, 0.0).astype("int64").astype("datetime64[s]")
    for unit in _UNITS:
        places = _places(times, unit)
        there = np.unique(places[known])
        if len(there) <= MOST_WINDOWS:
            break
    index = np.where(known, np.searchsorted(there, places), -1).astype("int16")
    ends = [*(_start(int(p), unit) for p in there), _start(int(there[-1]) + 1, unit)]
    return Cut(index, ends)


def _places(times: NDArray[Any], unit: str) -> NDArray[Any]:
    """The number of each time's hour, day, ... since 1970."""
    if unit == "W":
        # 1970 began on a Thursday
        return (times.astype("datetime64[D]").astype("int64") + 3) // 7
    return times.astype(f"datetime64[{unit}]").astype("int64")


def _start(place: int, unit: str) -> str:
    import numpy as np

    if unit == "W":
        return str(np.datetime64(place * 7 - 3, "D"))
    shown = np.asarray(place).astype(f"datetime64[{unit}]").astype(f"datetime64[{'h' if unit == 'h' else 'D'}]")
    return str(shown)


def windows_of(
    source: Source,
    taken: Cut,
    pairs: Sequence[tuple[str, str]],
    references: Mapping[str, Summary],
    importance: Mapping[str, float] | None,
    show_values: bool,
) -> tuple[list[Window], dict[str, str], str | None]:
    """The windows, since when each column has drifted to the end, and since when the data set has.

    Numbers and categories are compared, as profiles. `references`: their summaries in the reference.
    """  # fmt: skip
    import numpy as np

    sizes = np.bincount(taken.index[taken.index >= 0], minlength=taken.count)
    compared: list[list[Compared]] = [[] for _ in range(taken.count)]
    for one, other in pairs:
        reference = references[one]
        if reference.kind not in ("number", "category"):
            continue
        for w, summary in enumerate(_summaries(source, taken, reference, other)):
            compared[w].append(compare_column(reference, summary, show_values))
    results = [judged(c, importance) for c in compared]
    windows = [
        Window(
            start=taken.starts[w], end=taken.starts[w + 1], rows=int(sizes[w]), verdict=verdict_of(results[w]),
            drifted_share=shares(results[w])[0], drifted=[c.name for c in results[w].values() if c.drifted],
        )
        for w in range(taken.count)
        if sizes[w] >= LEAST_ROWS
    ]  # fmt: skip
    names = {name for w in windows for name in w.drifted}
    since = {n: start for n in names if (start := _since(windows, [n in w.drifted for w in windows])) is not None}
    return windows, since, _since(windows, [w.verdict != "none" for w in windows])


def with_since(columns: Mapping[str, ColumnDrift], since: Mapping[str, str]) -> dict[str, ColumnDrift]:
    """The columns, each with the time from which on it has drifted."""
    return {n: c.model_copy(update={"since": since[n]}) if n in since else c for n, c in columns.items()}


def _since(windows: Sequence[Window], drifted: Sequence[bool]) -> str | None:
    """Start of the first window from which on all have drifted; None if the last has not."""
    first = len(drifted)
    while first and drifted[first - 1]:
        first -= 1
    return windows[first].start if first < len(windows) else None


def _summaries(source: Source, taken: Cut, reference: Summary, column: str) -> list[Summary]:
    """The column in each window."""
    import numpy as np

    count = taken.count
    edges = reference.distribution.edges if isinstance(reference.distribution, Grid) else np.zeros(1)
    rows, missing, infinite = np.zeros((3, count), dtype="int64")
    counters, tallies = [Counter(edges) for _ in range(count)], [Tally[str]() for _ in range(count)]
    filling = _Filling(rows, missing, infinite, counters, tallies)
    first = 0
    for array in source.chunks(column):
        index = taken.index[first : first + len(array)]
        first += len(array)
        order = np.argsort(index, kind="stable")
        bounds = np.searchsorted(index[order], np.arange(count + 1))
        filling.rows += np.diff(bounds)
        values = read([array], column, reference.kind)
        _fill(filling, values if values.kind == reference.kind else None, order, bounds)
    grids = [c.grid() for c in filling.counters]
    return [
        Summary(
            reference.name, reference.kind, int(filling.rows[w]), int(filling.missing[w]), int(filling.infinite[w]),
            reference.stored, distribution=grids[w] if grids[w].n else None, levels=dict(filling.tallies[w]),
        )
        for w in range(count)
    ]  # fmt: skip


def _fill(filling: _Filling, values: Values | None, order: NDArray[Any], bounds: NDArray[Any]) -> None:
    """Add a chunk: the rows `order[bounds[w]:bounds[w + 1]]` are those of window w. What cannot be read is missing."""
    import numpy as np

    for w in range(len(bounds) - 1):
        rows = order[bounds[w] : bounds[w + 1]]
        if values is None or not len(rows):
            filling.missing[w] += len(rows)
        elif values.numbers is not None:
            part, missing, infinite = sorted_numbers(values.numbers[rows])
            filling.counters[w].add_sorted(part)
            filling.missing[w] += missing
            filling.infinite[w] += infinite
        else:
            assert values.codes is not None
            counts = np.bincount(values.codes[rows] + 1, minlength=len(values.labels) + 1)
            filling.missing[w] += int(counts[0])
            filling.tallies[w].update({v: int(n) for v, n in zip(values.labels, counts[1:], strict=True) if n})
