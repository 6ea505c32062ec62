"""One training: hold rows back, compare the candidates on the others, refit the best, score it on the held-back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agentkit.errors import TrainingError
from agentkit_ml.candidates import Algorithm
from agentkit_ml.features import columns_step, encode_step
from agentkit_ml.metrics import score
from agentkit_ml.record import Training, baseline_of, baseline_outcome, outcome
from agentkit_ml.runtime import fitting_threads
from agentkit_ml.search import Problem, Search

if TYPE_CHECKING:
    from pandas import DataFrame

    from agentkit.context import ToolContext
    from agentkit.datasets import Dataset
    from agentkit.profiles import Profile
    from agentkit_ml.splits import Splitter
    from agentkit_ml.target import Target

SEED = 20


@dataclass(frozen=True)
class Job:
    """Everything that is settled before the first fit. `columns` and `left_out` are as in `Training`."""

    data: Dataset
    frame: DataFrame
    target: Target
    profile: Profile
    columns: dict[str, str]
    left_out: dict[str, str]
    metric: str
    splitter: Splitter
    algorithms: Sequence[Algorithm]


@dataclass(frozen=True)
class Fitted:
    """`held_back`: positions in the file. `example`: a few training rows."""

    training: Training
    pipeline: Any
    held_back: list[int]
    example: DataFrame


def fit(job: Job, budget: float, ctx: ToolContext) -> Fitted:
    """Search and fit for at most `budget` seconds. Raises TrainingError if that is too short."""
    import sklearn.ensemble
    import sklearn.linear_model  # noqa: F401 - the time of imports is not the budget's
    from sklearn.pipeline import Pipeline

    started = time.perf_counter()
    target = job.target
    train, test = job.splitter.hold_out()
    raw = job.frame[list(job.columns)].iloc[target.rows]
    columns = columns_step(job.profile, job.columns)
    prepared = columns.transform(raw.iloc[train])
    values = target.values[train]
    problem = Problem(
        prepared, values, target.task, target.classes, target.positive,
        encode_step(job.profile, job.columns, target.task, SEED), job.metric, SEED,
    )  # fmt: skip
    search = Search(problem, job.splitter.folds(train), started + budget, ctx)
    chosen = search.run(job.algorithms)
    ctx.progress(f"Fitting {chosen} on all {len(train)} training rows", 0.9)
    with fitting_threads():
        fitted = problem.fit(chosen, slice(None))
    pipeline = Pipeline([("columns", columns), *fitted.steps])
    seconds = time.perf_counter() - started

    truth = target.values[test]
    metrics = score(outcome(pipeline, raw.iloc[test], truth, target.task, target.classes, target.positive))
    if job.metric not in metrics:
        raise TrainingError(
            f"the held-back rows have one class of {target.name!r} only. Use split=random or metric=accuracy."
        )
    baseline = baseline_of(values, target.classes)
    guessed = baseline_outcome(baseline, truth, target.task, target.classes, target.positive)
    training = Training(
        dataset=job.data.name, digest=job.data.digest, target=target.name, task=target.task,
        classes=list(target.classes),
        positive=target.positive, algorithm=chosen, metric=job.metric, metrics=metrics, baseline=baseline,
        baseline_metrics=score(guessed), columns=job.columns, left_out=job.left_out, split=job.splitter.kind, seed=SEED,
        train_rows=len(train), test_rows=len(test), seconds=seconds, candidates=search.tried,
    )  # fmt: skip
    return Fitted(training, pipeline, [int(r) for r in target.rows[test]], raw.iloc[train[:5]])
