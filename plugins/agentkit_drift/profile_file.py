"""Profiles of data sets in files: made once, merged, and compared with data or with each other."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from agentkit.errors import DatasetError
from agentkit_drift.distributions import Grid, Sample, merged_grid
from agentkit_drift.sources import Source
from agentkit_drift.summaries import Summary, Words, streamed

VERSION = 1
"""Of the file's format. A file of another version is refused."""

_KEY = b"agentkit.drift.profile"
_MOST_LEVELS = 10_000
_MOST_WORDS = 20_000
_ARRAYS = ("edges", "below", "upto_edges", "sums")
_MOMENTS = ("n", "minimum", "maximum", "mean", "std", "rank_error", "area_error")


@dataclass(frozen=True)
class DriftProfile:
    """The summaries of a data set's columns. `rows`: of the data set."""

    name: str
    rows: int
    summaries: tuple[Summary, ...]

    @property
    def columns(self) -> list[str]:
        return list(self._by_name)

    @cached_property
    def _by_name(self) -> dict[str, Summary]:
        return {s.name: s for s in self.summaries}

    def __getitem__(self, column: str) -> Summary:
        return self._by_name[column]

    def save(self, path: Path | str) -> None:
        """Write it to a Parquet file, in the place of the one that was there only once it is complete."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        rows = [_row(s) for s in self.summaries]
        table = pa.table({key: pa.array([r[key] for r in rows], _types()[key]) for key in _types()})
        head = json.dumps({"version": VERSION, "name": self.name, "rows": self.rows})
        final = Path(path)
        part = final.with_name(f".{final.name}.part")
        try:
            pq.write_table(table.replace_schema_metadata({_KEY: head}), part, compression="zstd")
            part.replace(final)
        except OSError as error:
            raise DatasetError(f"{str(path)!r} cannot be written: {error.strerror}.") from error
        finally:
            part.unlink(missing_ok=True)


def profile_of(source: Source) -> DriftProfile:
    """The profile of a data set that is open, in memory that does not grow with its rows."""
    return DriftProfile(source.name, source.rows, tuple(streamed(source, c) for c in source.columns))


def is_profile(path: Path) -> bool:
    """Whether a file is a profile, of whatever version."""
    if path.suffix not in (".parquet", ".pq") or not path.is_file():
        return False
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return _KEY in (pq.read_metadata(path).metadata or {})
    except (pa.ArrowException, OSError):
        return False


def load_profile(path: Path | str) -> DriftProfile:
    """Read a profile. Raises DatasetError if it is none, of another version, or damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{str(path)!r} cannot be read as a profile. Make it again from its data.") from error
    head = json.loads((table.schema.metadata or {}).get(_KEY, b"{}"))
    if not head:
        raise DatasetError(f"{str(path)!r} is a data file, not a drift profile.")
    if head.get("version") != VERSION:
        raise DatasetError(
            f"{str(path)!r} is a profile of version {head.get('version')!r}; this agentkit reads version {VERSION}. "
            "Make it again from its data."
        )
    columns = {key: table.column(key).combine_chunks() for key in table.column_names}
    try:
        summaries = tuple(_summary(columns, i) for i in range(table.num_rows))
    except KeyError as error:
        raise DatasetError(f"{str(path)!r} is damaged: it has no {error}. Make it again from its data.") from error
    return DriftProfile(head["name"], head["rows"], summaries)


def merged_profile(profiles: Sequence[DriftProfile], name: str = "") -> DriftProfile:
    """The profile of all data together: of shards, or of days. Merge many at once rather than one after the other.

    Columns that a part does not have are missing there. Raises DatasetError if a column has different kinds.
    """
    if not profiles:
        raise DatasetError("there are no profiles to merge.")
    names = list(dict.fromkeys(c for p in profiles for c in p.columns))
    summaries = tuple(_merged(c, profiles) for c in names)
    return DriftProfile(name or profiles[0].name, sum(p.rows for p in profiles), summaries)


def _merged(column: str, profiles: Sequence[DriftProfile]) -> Summary:
    parts = [p[column] for p in profiles if column in p.columns]
    absent = sum(p.rows for p in profiles if column not in p.columns)
    filled = [s for s in parts if s.kind != "empty"]
    kinds = {s.kind for s in filled}
    if len(kinds) > 1:
        told = " and ".join(sorted(kinds))
        raise DatasetError(f"the column {column!r} is {told} in different profiles: they cannot be merged.")
    rows, missing = sum(s.rows for s in parts) + absent, sum(s.missing for s in parts) + absent
    if not filled:
        return Summary(column, "empty", rows, missing, stored="nothing")
    first = filled[0]
    levels: dict[str, int] = {}
    for s in filled:
        for level, n in s.levels.items():
            levels[level] = levels.get(level, 0) + n
    grids = [s.distribution for s in filled if isinstance(s.distribution, Grid)]
    return Summary(
        column, first.kind, rows, missing, sum(s.infinite for s in parts), first.stored, first.zoned,
        merged_grid(grids) if grids else None, dict(sorted(levels.items(), key=lambda kv: -kv[1])),
        sum(s.other for s in filled), _merged_words([s.words for s in filled if s.words]),
    )  # fmt: skip


def _merged_words(parts: Sequence[Words]) -> Words | None:
    if not parts:
        return None
    counts: dict[str, int] = {}
    for part in parts:
        for word, n in part.counts.items():
            counts[word] = counts.get(word, 0) + n
    return Words(counts, max(p.unseen for p in parts))


def _types() -> dict[str, Any]:
    import pyarrow as pa

    numbers, counts = pa.list_(pa.float64()), pa.list_(pa.int64())
    return {
        "name": pa.string(), "kind": pa.string(), "stored": pa.string(), "zoned": pa.bool_(), "rows": pa.int64(),
        "missing": pa.int64(), "infinite": pa.int64(), "other": pa.int64(), **dict.fromkeys(_ARRAYS, numbers),
        "moments": numbers, "levels": pa.list_(pa.string()), "counts": counts, "words": pa.list_(pa.string()),
        "word_counts": counts, "unseen": pa.float64(),
    }  # fmt: skip


def _row(s: Summary) -> dict[str, Any]:
    grid = s.distribution.grid() if isinstance(s.distribution, Sample) else s.distribution
    levels = list(s.levels.items())
    words = sorted(s.words.counts.items(), key=lambda kv: -kv[1])[:_MOST_WORDS] if s.words else []
    return {
        "name": s.name, "kind": s.kind, "stored": s.stored, "zoned": s.zoned, "rows": s.rows, "missing": s.missing,
        "infinite": s.infinite, "other": s.other + sum(n for _, n in levels[_MOST_LEVELS:]),
        **{key: None if grid is None else getattr(grid, key).astype("float64") for key in _ARRAYS},
        "moments": None if grid is None else [float(getattr(grid, key)) for key in _MOMENTS],
        "levels": [level for level, _ in levels[:_MOST_LEVELS]], "counts": [n for _, n in levels[:_MOST_LEVELS]],
        "words": [w for w, _ in words], "word_counts": [n for _, n in words],
        "unseen": s.words.unseen if s.words else None,
    }  # fmt: skip


def _summary(columns: dict[str, Any], i: int) -> Summary:
    def cell(key: str) -> Any:
        return columns[key][i].as_py()

    grid = None
    if columns["moments"][i].is_valid:
        moments = dict(zip(_MOMENTS, cell("moments"), strict=True))
        arrays = {key: columns[key][i].values.to_numpy() for key in _ARRAYS}
        grid = Grid(**arrays, **(moments | {"n": int(moments["n"])}))
    words = None
    if columns["unseen"][i].is_valid:
        words = Words(dict(zip(cell("words"), cell("word_counts"), strict=True)), cell("unseen"))
    plain = {key: cell(key) for key in ("name", "kind", "rows", "missing", "infinite", "stored", "zoned", "other")}
    levels = dict(zip(cell("levels"), cell("counts"), strict=True))
    return Summary(distribution=grid, levels=levels, words=words, **plain)
