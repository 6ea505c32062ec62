"""Compare two data sets, or a profile and a data set: the plain function behind the tool."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from agentkit.datasets import Dataset, Workspace, open_dataset
from agentkit.errors import BadInput, DatasetError
from agentkit.profiles import listed
from agentkit_drift.columns import read
from agentkit_drift.evidence import Compared, compare_column
from agentkit_drift.pairing import Pairing, paired
from agentkit_drift.profile_file import DriftProfile, is_profile, load_profile
from agentkit_drift.result import DriftResult
from agentkit_drift.sources import Opened, Source, TableSource, frame_source, opening
from agentkit_drift.summaries import Summary, streamed, summary_of
from agentkit_drift.verdict import judged, recommendation, shares, verdict_of

if TYPE_CHECKING:
    from pandas import DataFrame

Method = Literal["auto", "exact", "profile"]

EXACT_CELLS = 400_000_000
"""Cells of both data sets together up to which `auto` compares all values."""

Progress = Callable[[str, float | None], None]


@dataclass(frozen=True)
class Options:
    """How to compare. `importance`: of the model's columns. `model`: its handle, for the recommendation."""

    columns: Sequence[str] | None = None
    method: Method = "auto"
    time_column: str | None = None
    multivariate: bool = True
    importance: Mapping[str, float] | None = None
    model: str | None = None
    show_values: bool = True
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


def compare_sources(before: Source | DriftProfile, after: Source | DriftProfile, options: Options) -> DriftResult:
    """The same for sources that are open, and profiles."""
    started = time.perf_counter()
    _check(before, after, options)
    pairing = paired(before.columns, after.columns, options.columns, (before.name, after.name))
    exact = _exact(before, after, options.method)
    compared = list(_compared(before, after, pairing, exact, options))
    columns = judged(compared, options.importance)
    plain, weighted = shares(columns)
    multivariate = None
    verdict = verdict_of(columns, pairing.missing, multivariate)
    return DriftResult(
        reference=before.name, current=after.name, method="exact" if exact else "profile", rows_reference=before.rows,
        rows_current=after.rows, verdict=verdict,
        recommendation=recommendation(verdict, columns, pairing.missing, multivariate, options.model),
        drifted_share=plain, weighted_share=weighted, weighted=options.importance is not None, columns=columns,
        findings=_findings(before, after, pairing), missing_columns=pairing.missing, added_columns=pairing.added,
        renamed=pairing.renamed, multivariate=multivariate, seconds=time.perf_counter() - started,
    )  # fmt: skip


def opened_data(data: Any, opened: Opened) -> Source | DriftProfile:
    if isinstance(data, DriftProfile):
        return data
    if isinstance(data, str | Path):
        path = Path(data).resolve()
        if is_profile(path):
            return load_profile(path)
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
    before: Source | DriftProfile, after: Source | DriftProfile, pairing: Pairing, exact: bool, options: Options
) -> Iterator[Compared]:
    for i, (one, other) in enumerate(pairing.pairs):
        options.progress(f"Comparing {one!r}", i / len(pairing.pairs))
        if exact:
            assert not isinstance(before, DriftProfile)
            assert not isinstance(after, DriftProfile)
            yield compare_column(*_whole(before, one, after, other), options.show_values)
        else:
            yield compare_column(*_summaries(before, one, after, other), options.show_values)


def _whole(before: Source, one: str, after: Source, other: str) -> tuple[Summary, Summary]:
    """Both columns in memory, read as the same kind if that can be."""
    first = read(before.column(one), one)
    second = read(after.column(other), one, None if first.kind == "empty" else first.kind)
    if first.kind == "number" and second.kind in ("category", "text"):
        # codes that are numbers in one file and texts in the other are still codes
        labels = read(before.column(one), one, "category")
        if len(labels.labels) <= 0.5 * labels.rows:
            first = labels
            second = read(after.column(other), one, "category")
    return summary_of(one, first), summary_of(one, second)


def _summaries(
    before: Source | DriftProfile, one: str, after: Source | DriftProfile, other: str
) -> tuple[Summary, Summary]:
    """Both columns as summaries that are small: the current values are counted at the reference's quantiles."""
    first = before[one] if isinstance(before, DriftProfile) else streamed(before, one)
    if isinstance(after, DriftProfile):
        return first, after[other]
    wanted = None if first.kind == "empty" else first.kind
    edges = getattr(first.distribution, "edges", None) if first.kind in ("number", "date") else None
    return first, streamed(after, other, wanted, edges)


def _findings(before: Source | DriftProfile, after: Source | DriftProfile, pairing: Pairing) -> list[str]:
    """Of the columns as such."""
    told = []
    if pairing.missing:
        told.append(f"Columns that are gone: {listed(pairing.missing)}.")
    if pairing.added:
        told.append(f"Columns that are new: {listed(pairing.added)}.")
    if pairing.renamed:
        told.append(
            "Written otherwise: " + ", ".join(f"{a!r} is {b!r}" for a, b in list(pairing.renamed.items())[:5]) + "."
        )
    elif not pairing.missing and not pairing.added and list(before.columns) != list(after.columns):
        told.append("The columns are in another order.")
    return told
