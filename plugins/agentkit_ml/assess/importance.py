"""Permutation importance: how much worse the model gets when one column's values are shuffled among the rows.

Sources: Breiman (2001); Fisher, Rudin and Dominici (2019). It tells what this model relies on, not what causes the
target; of columns that say the same, each alone looks unimportant.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from agentkit_ml.assess.shuffling import shuffler
from agentkit_ml.metrics import METRICS, Outcome
from agentkit_ml.record import outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

    from agentkit_ml.assess.statistics import Statistic
    from agentkit_ml.record import Training

MOST_ROWS = 2_000
REPEATS = 3
SECONDS = 10.0

_RESAMPLES = 200


class Importance(BaseModel):
    """A column's importance: by how much the metric worsens (in its own unit), with a 95% interval over rows."""

    model_config = ConfigDict(frozen=True)

    column: str
    value: float
    low: float
    high: float

    @property
    def matters(self) -> bool:
        """True if it can be told from chance that shuffling this column does harm."""
        return self.low > 0


class Importances(BaseModel):
    """The most important first. `unmeasured`: columns for which the time was too short."""

    model_config = ConfigDict(frozen=True)

    metric: str
    rows: int
    repeats: int
    columns: list[Importance]
    unmeasured: list[str] = []


def permutation_importance(
    pipeline: Any,
    frame: DataFrame,
    truth: NDArray[Any],
    training: Training,
    metric: str,
    *,
    seconds: float = SECONDS,
    repeats: int = REPEATS,
    seed: int = 20,
    progress: Callable[[float], None] = lambda done: None,
) -> Importances:
    """Shuffle each column `repeats` times on at most 2,000 rows, for about `seconds` at most.

    `frame`: rows with the columns that the model needs, `truth` their true values. The interval is the paired bootstrap
    of the rows: the same resamples before and after shuffling. `progress` is told the share of columns that are done.
    """
    import numpy as np

    random = np.random.default_rng(seed)
    if len(frame) > MOST_ROWS:
        kept = np.sort(random.choice(len(frame), MOST_ROWS, replace=False))
        frame, truth = frame.iloc[kept], truth[kept]
    classes = tuple(training.classes)

    def predicted(estimator: Any, rows: DataFrame) -> Outcome:
        return outcome(estimator, rows, truth, training.task, classes, training.positive)

    columns, found = list(training.columns), []
    frame = frame[columns]
    began = time.perf_counter()
    whole, shuffled = predicted(pipeline, frame), shuffler(pipeline, frame)
    for done, column in enumerate(columns):
        if done and time.perf_counter() - began > seconds:
            break
        progress(done / len(columns))
        others = [predicted(*shuffled(column, random.permutation(len(frame)))) for _ in range(repeats)]
        found.append(_importance(column, whole, others, metric, seed))
    found.sort(key=lambda i: -i.value)
    return Importances(metric=metric, rows=len(frame), repeats=repeats, columns=found, unmeasured=columns[len(found) :])


def _importance(column: str, whole: Outcome, shuffled: Sequence[Outcome], metric: str, seed: int) -> Importance:
    import numpy as np

    from agentkit_ml.assess.intervals import bootstrap, percentile, strata

    def statistics(rows: NDArray[Any]) -> dict[int, Statistic]:
        return {i: METRICS[metric].statistic(o.take(rows)) for i, o in enumerate([whole, *shuffled])}

    made = bootstrap(statistics, len(whole.truth), strata=strata(whole), resamples=_RESAMPLES, seed=seed)
    sign = 1 if METRICS[metric].greater_is_better else -1
    others = range(1, len(shuffled) + 1)
    value = sign * (made.whole[0] - np.mean([made.whole[i] for i in others]))
    drawn = sign * (made.drawn[0] - np.mean([made.drawn[i] for i in others], axis=0))
    # sums in another order differ in the 16th digit: 0 should read as 0
    low, high = (round(end, 12) + 0.0 for end in percentile(drawn))
    return Importance(column=column, value=round(float(value), 12) + 0.0, low=low, high=high)
