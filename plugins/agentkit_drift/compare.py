"""Compare two data sets, or a profile and a data set: the plain function behind the tool."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from agentkit.datasets import Dataset, Workspace, open_dataset
from agentkit.errors import BadInput, DatasetError
from agentkit.profiles import listed
from agentkit_drift.columns import alike, read
from agentkit_drift.compare_column import compare_column
from agentkit_drift.distributions import Sample
from agentkit_drift.evidence import Compared
from agentkit_drift.pairing import Pairing, paired
from agentkit_drift.profile_file import DriftProfile, is_profile, load_profile, profile_of
from agentkit_drift.result import ColumnDrift, DriftResult, Multivariate, Window
from agentkit_drift.sources import Opened, Source, TableSource, frame_source, opening
from agentkit_drift.summaries import Summary, streamed, summary_of
from agentkit_drift.verdict import judged, recommendation, shares, verdict_of
from agentkit_drift.windows import Cut, cut, windows_of, with_since

if TYPE_CHECKING:
    from pandas import DataFrame

Method = Literal["auto", "exact", "profile"]

EXACT_CELLS = 400_000_000
"""Cells of both data sets together up to which `auto` compares all values."""

_FEW_ROWS = 30
_MOST_TOLD = 50

Progress = Callable[[str, float | None], None]


@dataclass(frozen=True)
class Options:
    """How to compare. `importance`: of the model's columns. `model`: its handle, for the recommendation. `unused`:
    columns that it does not use, such as its target. `rows`: the data behind a reference that is a profile.
    """

    columns: Sequence[str] | None = None
    method: Method = "auto"
    time_column: str | None = None
    multivariate: bool = True
    importance: Mapping[str, float] | None = None
    model: str | None = None
    show_values: bool = True
    unused: frozenset[str] = frozenset()
    rows: Source | None = None
    progress: Progress = lambda _message, _fraction: None


def compare(
    reference: str | Path | Dataset | DataFrame | DriftProfile,
    current: str | Path | Dataset | DataFrame | DriftProfile,
    columns: Sequence[str] | None = None,
    method: Method = "auto",
    time_column: str | None = None,
    multivariate: bool = True,
    importance: Mapping[str, float] | None = None,
) -> DriftResult:
    """How far `current` is from `reference`: files, data frames, profiles.

    `columns`: only these. `method`: `exact` compares all values, `profile` counts the current data at the reference's
    quantiles (memory does not grow with the rows; the error is in each column's `error`), `auto` is exact where it
    can be up to 400 million cells. `time_column` cuts the current data into windows. `multivariate`: a classifier
    looks for changes of the columns together. `importance`: what the columns mean to a model.

    Raises DatasetError if a data set cannot be read, has no rows, or shares no column with the other.
    """
    with opening() as opened:
        before, after = (opened_data(data, opened) for data in (reference, current))
        options = Options(columns, method, time_column, multivariate, importance)
        return compare_sources(before, after, options)


def profile(data: str | Path | Dataset | DataFrame) -> DriftProfile:
    """The profile of a file or a data frame, to be saved, merged and compared. Raises DatasetError."""
    with opening() as opened:
        found = opened_data(data, opened)
        return found if isinstance(found, DriftProfile) else profile_of(found)


def compare_sources(before: Source | DriftProfile, after: Source | DriftProfile, options: Options) -> DriftResult:
    """The same for sources that are open, and profiles."""
    started = time.perf_counter()
    _check(before, after, options)
    pairing = paired(before.columns, after.columns, options.columns, (before.name, after.name))
    taken = _cut(after, options)
    exact = _exact(before, after, options.method)
    summaries: dict[str, Summary] = {}
    columns = judged(
        list(_compared(before, after, pairing, exact, options, summaries if taken else None)), options.importance
    )
    windows: list[Window] = []
    since = None
    if taken:
        assert not isinstance(after, DriftProfile)
        options.progress("Comparing the windows", 0.7)
        pairs = [pair for pair in pairing.pairs if pair[1] != options.time_column]
        windows, starts, since = windows_of(after, taken, pairs, summaries, options.importance, options.show_values)
        columns = with_since(columns, starts)
    multivariate = _together(before, after, pairing, columns, options)
    added = [c for c in pairing.added if c not in options.unused and c != options.time_column]
    plain, weighted = shares(columns)
    verdict = verdict_of(columns, pairing.missing, multivariate)
    return DriftResult(
        reference=before.name, current=after.name, method="exact" if exact else "profile", rows_reference=before.rows,
        rows_current=after.rows, verdict=verdict,
        recommendation=recommendation(verdict, columns, pairing.missing, multivariate, options.model),
        drifted_share=plain, weighted_share=weighted, weighted=options.importance is not None, columns=columns,
        findings=_findings(before, after, replace(pairing, added=added), multivariate), missing_columns=pairing.missing,
        added_columns=added, renamed=pairing.renamed, multivariate=multivariate, windows=windows,
        since=since if verdict != "none" else None, seconds=time.perf_counter() - started,
    )  # fmt: skip


def _cut(after: Source | DriftProfile, options: Options) -> Cut | None:
    if options.time_column is None:
        return None
    if isinstance(after, DriftProfile):
        raise BadInput(f"{after.name!r} is a profile: it cannot be cut into windows. Give the data.")
    return cut(after, options.time_column)


def _together(
    before: Source | DriftProfile, after: Source | DriftProfile, pairing: Pairing, columns: Mapping[str, ColumnDrift],
    options: Options,
) -> Multivariate | None:  # fmt: skip
    """The domain classifier, where both sides have rows."""
    rows = options.rows if isinstance(before, DriftProfile) else before
    if not options.multivariate or rows is None or isinstance(after, DriftProfile):
        return None
    from agentkit_drift.multivariate import told_apart

    options.progress("Looking at the columns together", 0.8)
    pairs = [pair for pair in pairing.pairs if pair[1] != options.time_column]
    return told_apart(rows, after, pairs, columns)


def opened_data(data: Any, opened: Opened) -> Source | DriftProfile:
    """A file, a data set, a data frame or an Arrow table as a source; a profile as it is. Raises BadInput."""
    if isinstance(data, DriftProfile):
        return data
    if isinstance(data, str | Path):
        path = Path(data).resolve()
        if is_profile(path):
            return load_profile(path)
        # what a plain Parquet file needs no import of pyarrow.dataset and pandas for
        if path.suffix == ".parquet" and path.is_file():
            return opened.parquet(path.name, [path])
        return opened.dataset(open_dataset(path.name, Workspace(path.parent)))
    if isinstance(data, Dataset):
        return load_profile(data.path) if is_profile(data.path) else opened.dataset(data)
    if hasattr(data, "iloc"):
        return frame_source("data frame", data)
    import pyarrow as pa

    if hasattr(data, "__arrow_c_stream__"):
        return TableSource("table", [pa.table(data)])
    raise BadInput(f"{type(data).__name__} is no data set: give a file name, a data frame or a profile.")


def _check(before: Source | DriftProfile, after: Source | DriftProfile, options: Options) -> None:
    for side, what in ((before, "reference"), (after, "current data")):
        if not side.rows:
            raise DatasetError(f"{side.name!r} ({what}) has no rows: there is nothing to compare.")
    if options.method == "exact" and (isinstance(before, DriftProfile) or isinstance(after, DriftProfile)):
        raise BadInput("method 'exact' needs all values of both data sets, and a profile has not: use 'profile'.")


def _exact(before: Source | DriftProfile, after: Source | DriftProfile, method: Method) -> bool:
    if isinstance(before, DriftProfile) or isinstance(after, DriftProfile) or method == "profile":
        return False
    cells = before.rows * len(before.columns) + after.rows * len(after.columns)
    return method == "exact" or cells <= EXACT_CELLS


def _compared(
    before: Source | DriftProfile, after: Source | DriftProfile, pairing: Pairing, exact: bool, options: Options,
    kept: dict[str, Summary] | None,
) -> Iterator[Compared]:  # fmt: skip
    """Column by column. `kept` gets the reference's summaries, in a form that is small."""
    for i, (one, other) in enumerate(pairing.pairs):
        if i % (1 + len(pairing.pairs) // _MOST_TOLD) == 0:
            options.progress(f"Comparing {one!r}", 0.7 * i / len(pairing.pairs))
        if exact:
            assert not isinstance(before, DriftProfile)
            assert not isinstance(after, DriftProfile)
            first, second = _whole(before, one, after, other)
        else:
            first, second = _summaries(before, one, after, other)
        if kept is not None:
            small = first.distribution.grid() if isinstance(first.distribution, Sample) else first.distribution
            kept[one] = replace(first, distribution=small)
        yield compare_column(first, second, options.show_values)


def _whole(before: Source, one: str, after: Source, other: str) -> tuple[Summary, Summary]:
    """Both columns in memory, exact."""
    first, second = alike(
        lambda wanted: read(before.column(one), one, wanted), lambda wanted: read(after.column(other), one, wanted)
    )
    return summary_of(one, first), summary_of(one, second)


def _summaries(
    before: Source | DriftProfile, one: str, after: Source | DriftProfile, other: str
) -> tuple[Summary, Summary]:
    """Both columns as summaries that are small: the current values are counted at the reference's quantiles."""
    first = before[one] if isinstance(before, DriftProfile) else streamed(before, one)
    if isinstance(after, DriftProfile):
        return first, after[other]
    wanted = None if first.kind == "empty" else first.kind
    edges = getattr(first.distribution, "edges", None) if first.kind in ("number", "date", "id") else None
    return first, _as_truths(streamed(after, other, wanted, edges), first)


def _as_truths(summary: Summary, like: Summary) -> Summary:
    """0 and 1 under the names that the reference has for truth values, if these are its levels."""
    names = {level.lower(): level for level in like.levels}
    if (
        summary.stored != "number"
        or not names
        or not (names.keys() <= {"true", "false"} and summary.levels.keys() <= {"0", "1"})
    ):
        return summary
    told = {"0": names.get("false", "False"), "1": names.get("true", "True")}
    return replace(summary, levels={told[level]: n for level, n in summary.levels.items()})


def _findings(
    before: Source | DriftProfile, after: Source | DriftProfile, pairing: Pairing, multivariate: Multivariate | None
) -> list[str]:
    """Of the columns as such, and of all of them together."""
    told = []
    if pairing.missing:
        told.append(f"Columns that are gone: {listed(pairing.missing)}.")
    if pairing.added:
        told.append(f"Columns that are new: {listed(pairing.added)}.")
    if pairing.renamed:
        told.append(
            "Written otherwise: " + ", ".join(f"{a!r} is {b!r}" for a, b in list(pairing.renamed.items())[:5]) + "."
        )
    elif _reordered([b for _, b in pairing.pairs], after.columns):
        told.append("The columns are in another order.")
    if min(before.rows, after.rows) < _FEW_ROWS:
        told.append(f"Only {min(before.rows, after.rows)} rows on one side: little can be told from so few.")
    if multivariate is not None:
        apart = "can" if multivariate.drifted else "can NOT"
        interval = f"AUC {multivariate.auc:.2f}, 95% interval {multivariate.low:.2f} to {multivariate.high:.2f}"
        told.append(f"A classifier {apart} tell the rows of the two data sets apart ({interval}).")
    return told


def _reordered(common: Sequence[str], columns: Sequence[str]) -> bool:
    known = set(common)
    return list(common) != [c for c in columns if c in known]
