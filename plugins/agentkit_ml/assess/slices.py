"""How good a model is for parts of the rows: by the values or the quarters of a column.

A model that is good on average can be bad for a group; with many groups some look bad by chance, so p-values are
corrected for their number (Holm 1979).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from agentkit.profiles import as_numbers, as_text, parse_dates
from agentkit_ml.metrics import METRICS, Outcome, better, measurable

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame, Series

    from agentkit_ml.assess.statistics import Statistic

SMALL = 30
"""Rows below which a slice says little."""

MISSING = "(missing)"
OTHERS = "(other values)"

_MOST_VALUES = 10
_QUANTILES = 4
_RESAMPLES = 500


class Slice(BaseModel):
    """The metric on the rows where `column` has `value`. `score` is None where these rows do not allow the metric.

    `p`: of the difference from all other rows, corrected for the number of slices. `small`: fewer than 30 rows.
    """

    model_config = ConfigDict(frozen=True)

    column: str
    value: str
    rows: int
    score: float | None
    low: float | None = None
    high: float | None = None
    rest: float | None = None
    p: float | None = None
    worse: bool = False
    small: bool = False


def bins(column: Series) -> tuple[NDArray[Any], list[str]]:
    """A text for each row, its value or the quarter of the numbers or dates that it lies in; and the order to tell.

    Texts, and numbers of at most 10 different values, keep the 10 most frequent values.
    """
    import pandas as pd

    numbers = as_numbers(column)
    mostly = numbers.notna().sum() >= 0.99 * column.notna().sum()
    if not mostly and (dates := parse_dates(column.dropna(), None)):
        days = (dates[0].reindex(column.index) - pd.Timestamp(2000, 1, 1)) / pd.Timedelta(days=1)
        return _quarters(days, lambda d: str((pd.Timestamp(2000, 1, 1) + pd.Timedelta(days=d)).date()))
    if mostly and numbers.nunique() > _MOST_VALUES:
        return _quarters(numbers, lambda x: f"{x:.6g}")
    text = as_text(column)
    frequent = [str(v) for v in text.value_counts().head(_MOST_VALUES).index]
    values = text.where(text.isin(frequent) | text.isna(), OTHERS).fillna(MISSING).to_numpy(dtype="object")
    return values, [*frequent, *(v for v in (OTHERS, MISSING) if (values == v).any())]


def _quarters(numbers: Series, shown: Any) -> tuple[NDArray[Any], list[str]]:
    import numpy as np

    borders = np.unique(numbers.quantile(np.linspace(0, 1, _QUANTILES + 1)).to_numpy())
    place = np.clip(np.searchsorted(borders, numbers.to_numpy(), side="right") - 1, 0, max(len(borders) - 2, 0))
    names = [f"{shown(a)} to {shown(b)}" for a, b in itertools.pairwise(borders)] or [shown(borders[0])]
    made = np.array([names[i] for i in place], dtype="object")
    made[numbers.isna().to_numpy()] = MISSING
    return made, [*dict.fromkeys(names), *([MISSING] if numbers.isna().any() else [])]


def measure_slices(frame: DataFrame, columns: Sequence[str], seen: Outcome, metric: str, seed: int = 20) -> list[Slice]:
    """The metric for each value of each column, with intervals; `frame` has the rows of `seen`, in the same order."""
    import numpy as np

    from agentkit_ml.assess.significance import SIGNIFICANT, holm

    made: list[Slice] = []
    for column in columns:
        values, order = bins(frame[column])
        made += [_slice(column, v, np.asarray(values == v), seen, metric, seed) for v in order]
    tested = [i for i, s in enumerate(made) if s.p is not None]
    corrected = dict(zip(tested, holm([p for s in made if (p := s.p) is not None]), strict=True))
    for i, p in corrected.items():
        s = made[i]
        assert s.score is not None
        assert s.rest is not None
        worse = p < SIGNIFICANT and better(metric, s.rest, s.score)
        made[i] = s.model_copy(update={"p": p, "worse": worse})
    return made


def _slice(column: str, value: str, mask: NDArray[Any], seen: Outcome, metric: str, seed: int) -> Slice:
    from agentkit_ml.assess.intervals import percentile
    from agentkit_ml.assess.significance import paired_bootstrap

    rows = int(mask.sum())
    inside, outside = seen.take(mask), seen.take(~mask)
    small = rows < SMALL
    if metric not in measurable(inside):
        return Slice(column=column, value=value, rows=rows, score=None, small=small)
    score, drawn = _drawn(inside, metric, seed)
    low, high = percentile(drawn) if rows > 1 else (None, None)
    if rows == len(mask) or metric not in measurable(outside):
        return Slice(column=column, value=value, rows=rows, score=score, low=low, high=high, small=small)
    rest, others = _drawn(outside, metric, seed + 1)
    # inside and outside share no row, so that their resamples are independent
    p = paired_bootstrap(drawn - others, min(rows, len(mask) - rows)).p
    return Slice(column=column, value=value, rows=rows, score=score, low=low, high=high, rest=rest, p=p, small=small)


def _drawn(outcome: Outcome, metric: str, seed: int) -> tuple[float, NDArray[Any]]:
    from agentkit_ml.assess.intervals import bootstrap, strata

    def statistics(rows: NDArray[Any]) -> dict[str, Statistic]:
        return {metric: METRICS[metric].statistic(outcome.take(rows))}

    made = bootstrap(statistics, len(outcome.truth), strata=strata(outcome), resamples=_RESAMPLES, seed=seed)
    return made.whole[metric], made.drawn[metric]
