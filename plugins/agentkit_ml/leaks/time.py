"""Leaks through time: values from after the event, ids that follow the outcome, shuffled rows that have an order."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from agentkit.profiles import Profile, as_numbers, as_text, parse_dates
from agentkit_ml.leaks.columns import column_score
from agentkit_ml.record import Finding

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame, Series

    from agentkit_ml.leaks.sample import Sample
    from agentkit_ml.target import Target

LATER = (0.01, 0.5)
"""Share of rows with a date after the time column: warn, block."""
DRIFT = 0.02
"""Share of the target's variance between ten stretches of time above which it drifts, if chance is ruled out."""
AUTOCORRELATION = 0.2
ENTITY = 0.1
"""Share of the target's variance between the values of an id column above which its rows belong together."""
ID_PREDICTS = {"ROC-AUC": 0.75, "R2": 0.4}

_AFTERWARDS = re.compile(
    r"(updated|modified|changed|closed|clos(ing|ure)|resolved|finished|completed|ended|cancel|churn|left|returned|"
    r"refund|deleted|discharge|death|paid|settled|outcome|last_)",
    re.IGNORECASE,
)
_BEFOREHAND = re.compile(r"(due|plan|sched|expir|valid|until|deadline|maturity|expected|birth|dob)", re.IGNORECASE)
_TIME_NAME = re.compile(r"(^|_)(time|timestamp|date|day|datetime|year|month|week|ts|epoch)(_|$)", re.IGNORECASE)
_ENTITY_NAME = re.compile(
    r"(customer|client|user|patient|subject|person|student|account|device|machine|session|household|member|employee|"
    r"store|shop|site|hospital|(^|_)id$|[a-z]Id$|[a-z]ID$)", re.IGNORECASE,
)  # fmt: skip
_BLOCKS = 10
_TINY_P = 1e-4
_MOST_ROWS = 50_000


def later_dates(frame: DataFrame, columns: dict[str, str], profile: Profile, time_column: str | None) -> list[Finding]:
    """Date columns that are later than the time column; without one, those that are named like a later event's."""
    dates = [n for n, kind in columns.items() if kind == "date"]
    known = {n: _dates(frame[n], profile) for n in dates}
    if time_column and profile[time_column].kind == "date":
        event = known.get(time_column, _dates(frame[time_column], profile))
        found = [f for n in dates if n != time_column and (f := _later(n, known[n], time_column, event))]
    else:
        found = [f for n in dates if _AFTERWARDS.search(n) and (f := _recorded_after(n, known))]
    return found or [Finding(gate="future_time", level="ok", text="No date lies after the event.", value=0)]


def _later(name: str, values: Series, time_column: str, event: Series) -> Finding | None:
    there = values.notna() & event.notna()
    share = float((values[there] > event[there]).mean()) if there.any() else 0.0
    if share < LATER[0] or _BEFOREHAND.search(name):
        return None
    text = f"{name!r} is later than {time_column!r} in {share:.0%} of the rows: it was recorded afterwards. "
    return Finding(
        gate="future_time", level="block" if share >= LATER[1] else "warn", columns=[name], value=round(share, 4),
        text=text + "Train without it.",
    )  # fmt: skip


def _recorded_after(name: str, known: dict[str, Series]) -> Finding | None:
    """Named like the date of a later event, and later than every other date column wherever both are there."""
    others = [v for n, v in known.items() if n != name and not _BEFOREHAND.search(n)]
    shares = []
    for other in others:
        there = known[name].notna() & other.notna()
        if there.any():
            shares.append(float((known[name][there] >= other[there]).mean()))
    if not shares or min(shares) < 0.95:
        return None
    text = f"{name!r} is named like the date of a later event, and it is later than the other dates of its row. "
    return Finding(
        gate="future_time", level="warn", columns=[name], value=round(min(shares), 4),
        text=text + "If it is not known when you predict, train without it.",
    )  # fmt: skip


def _dates(column: Series, profile: Profile) -> Series:
    parsed = parse_dates(column, profile[str(column.name)].date_format or "")
    assert parsed is not None
    return parsed[0]


def shuffled_time(frame: DataFrame, target: Target, profile: Profile) -> Finding:
    """For a split that shuffles: does the target change over a column of times, or follow itself?"""
    columns = time_columns(target, profile)
    if not columns:
        return Finding(gate="shuffled_time", level="ok", text="No column of times.")
    measured = {name: _over_time(frame, target, name, profile) for name in columns}
    name = max(measured, key=lambda n: max(measured[n][0] / DRIFT, measured[n][1] / AUTOCORRELATION))
    drift, memory = measured[name]
    drifts = drift / DRIFT > memory / AUTOCORRELATION
    value = round(drift if drifts else memory, 4)
    if drift < DRIFT and memory < AUTOCORRELATION:
        text = f"{target.name!r} does not change over {name!r}: rows may be shuffled."
        return Finding(gate="shuffled_time", level="ok", columns=[name], text=text, value=value)
    drifting = f"{drift:.0%} of its variance lies between stretches of time"
    seen = drifting if drifts else f"rows next to each other in time are correlated: {memory:.2f}"
    text = f"{target.name!r} changes over {name!r} ({seen}), but the rows were shuffled before the split. "
    text += f"To predict later rows, use split=time, time_column={name}: the score will be lower and honest."
    return Finding(gate="shuffled_time", level="warn", columns=[name], text=text, value=value)


def time_columns(target: Target, profile: Profile) -> list[str]:
    """Columns that say when: dates, and numbers that are named and look like years or seconds since 1970."""
    found = []
    for column in profile.columns:
        if column.name == target.name or column.distinct < _BLOCKS:
            continue
        if column.kind == "date" and not (_BEFOREHAND.search(column.name) or _AFTERWARDS.search(column.name)):
            found.append(column.name)
        elif column.kind in ("number", "id") and _TIME_NAME.search(column.name):
            low, high = float(column.minimum or 0), float(column.maximum or 0)
            if (low >= 1900 and high <= 2100) or (low >= 1e8 and high <= 1e13):
                found.append(column.name)
    return found


def _over_time(frame: DataFrame, target: Target, name: str, profile: Profile) -> tuple[float, float]:
    """The share of the target's variance between ten stretches of time, and its correlation with the row before.

    0 where chance explains it (F test, and four standard errors of a correlation).
    """
    import numpy as np
    from scipy.stats import f as f_distribution

    rows = target.rows[:: max(1, len(target.rows) // _MOST_ROWS)]
    column = frame[name].iloc[rows]
    times = _dates(column, profile).astype("int64").to_numpy() if profile[name].kind == "date" else as_numbers(column)
    order = np.argsort(np.asarray(times, dtype="float64"), kind="stable")
    values = _as_columns(target, order * max(1, len(target.rows) // _MOST_ROWS))
    values = values - values.mean(axis=0)
    total = float((values**2).sum())
    if len(values) < 5 * _BLOCKS or not total:
        return 0.0, 0.0
    blocks = np.array_split(values, _BLOCKS)
    between = float(sum(len(b) * (b.mean(axis=0) ** 2).sum() for b in blocks))
    freedom = len(values) - _BLOCKS
    ratio = (between / (_BLOCKS - 1)) / max(1e-12, (total - between) / freedom)
    drift = between / total if f_distribution.sf(ratio, _BLOCKS - 1, freedom) < _TINY_P else 0.0
    memory = float((values[1:] * values[:-1]).sum() / total)
    return drift, memory if memory > 4 / len(values) ** 0.5 else 0.0


def _as_columns(target: Target, positions: NDArray[Any]) -> NDArray[Any]:
    """(rows, classes) of 0 and 1, or (rows, 1) of numbers, so that variance means the same for both."""
    import numpy as np

    values = target.values[positions]
    if not target.classes:
        numbers: NDArray[Any] = np.asarray(values, dtype="float64")[:, None]
        # within -1 and 1, so that no square overflows
        return np.asarray(numbers / max(1e-300, abs(numbers).max()))
    labels = values.astype(str)
    return np.stack([labels == c for c in target.classes[:_BLOCKS]], axis=1).astype("float64")


def repeated_entities(frame: DataFrame, target: Target, profile: Profile) -> Finding:
    """For a split that shuffles: columns named like an id whose values repeat and agree about the target."""
    found: dict[str, float] = {}
    for column in profile.columns:
        named = column.name != target.name and _ENTITY_NAME.search(column.name)
        whole = column.kind in ("category", "text", "id") or (column.kind == "number" and _whole(column.quantiles))
        if named and whole and 10 <= column.distinct <= 0.7 * (column.count - column.missing):
            share = _between(as_text(frame[column.name].iloc[target.rows]).fillna("").to_numpy(), target)
            if share >= ENTITY:
                found[column.name] = round(share, 4)
    if not found:
        return Finding(gate="repeated_entities", level="ok", text="No id repeats over rows that belong together.")
    name = max(found, key=lambda n: found[n])
    text = f"{name!r} repeats, and rows of the same value agree about {target.name!r} ({found[name]:.0%} of its "
    text += f"variance). To predict for new ones, use split=group, group_column={name}."
    return Finding(gate="repeated_entities", level="warn", columns=[name], text=text, value=found[name])


def _whole(quantiles: list[float] | None) -> bool:
    return bool(quantiles) and all(q % 1 == 0 for q in quantiles or [])


def _between(groups: NDArray[Any], target: Target) -> float:
    """The intraclass correlation of a one-way layout (Fisher), at least 0: variance between groups beyond chance."""
    import numpy as np

    values = _as_columns(target, np.arange(len(target.values)))
    values = values - values.mean(axis=0)
    _, codes, counts = np.unique(groups.astype(str), return_inverse=True, return_counts=True)
    rows, number = len(values), len(counts)
    sums = np.stack([np.bincount(codes, weights=v) for v in values.T], axis=1)
    between = float((sums**2 / counts[:, None]).sum())
    total = float((values**2).sum())
    if not total or rows <= number:
        return 0.0
    size = (rows - (counts**2).sum() / rows) / (number - 1)
    mean_between, mean_within = between / (number - 1), (total - between) / (rows - number)
    # chance of groups that say nothing: the F ratio has a mean near 1 and this spread
    if mean_between / max(1e-12, mean_within) < 1 + 5 * (2 / (number - 1)) ** 0.5:
        return 0.0
    return max(0.0, float((mean_between - mean_within) / (mean_between + (size - 1) * mean_within)))


def predicting_ids(frame: DataFrame, target: Target, profile: Profile, sample: Sample) -> Finding:
    """Ids are left out of training. One that tells the target says how the file was made: sorted, or joined of two."""
    measure = "ROC-AUC" if sample.classes else "R2"
    for name in [c for c in profile.of_kind("id") if c != target.name]:
        column = as_text(frame[name].iloc[sample.positions])
        number = as_numbers(column.astype("str").str.extract(r"(\d+)\D*$", expand=False))
        score = column_score(sample, number.to_numpy(), "number")
        if score >= ID_PREDICTS[measure]:
            text = f"The id {name!r} tells {target.name!r} ({measure} {score:.2f}): rows were numbered by the outcome, "
            text += "or come from several sources. It was left out; look for other columns that carry the same."
            return Finding(gate="predicting_id", level="warn", columns=[name], text=text, value=round(score, 4))
    return Finding(gate="predicting_id", level="ok", text="No id tells the target.")
