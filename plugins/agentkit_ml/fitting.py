"""One training: hold rows back, search on the others, fit what was chosen, score it on the held-back rows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agentkit.errors import TrainingError
from agentkit_ml.engine.families import FAMILIES, Algorithm, Setting, label
from agentkit_ml.features import FeatureOptions, columns_step, encode_step
from agentkit_ml.last_fits import SEARCH_SHARE, LastFits, compared_rows, last_rows
from agentkit_ml.metrics import METRICS, Outcome, number
from agentkit_ml.record import Training, baseline_of, baseline_outcome, outcome
from agentkit_ml.runtime import fitting_threads

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

    from agentkit.context import ToolContext
    from agentkit.datasets import Dataset
    from agentkit.prediction_profiles import PredictionProfile
    from agentkit.profiles import Profile
    from agentkit_ml.assess.assessment import Assessment
    from agentkit_ml.engine.committee import Choice
    from agentkit_ml.engine.folds import Folds
    from agentkit_ml.engine.search import Search
    from agentkit_ml.features import Columns
    from agentkit_ml.splits import Splitter
    from agentkit_ml.target import Target

SEED = 20
_GAP_ROWS = 5_000
"""Training rows on which the model is scored too, to tell how much it remembers rather than knows."""


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
    time_column: str | None = None
    group_column: str | None = None
    options: FeatureOptions | None = None


@dataclass(frozen=True)
class Limit:
    """How long to search: `seconds` for all that is fitted, or a number of `trials`, or both (None: no limit)."""

    seconds: float | None
    trials: int | None = None


@dataclass(frozen=True)
class Fitted:
    """`pipeline` is the model to use, `scored` the one that never saw the held-back rows: the same settings.

    `held_back`: positions in the file, `seen` what `scored` says of them. `example`: a few training rows. `learning`:
    points of the learning curve. `ended`: when the last fit was done, of `time.perf_counter`.
    """

    training: Training
    pipeline: Any
    scored: Any
    held_back: list[int]
    example: DataFrame
    seen: Outcome
    assessment: Assessment
    learning: list[tuple[int, float, float]]
    interrupted: bool
    ended: float

    def predictions(self) -> PredictionProfile:
        """What `scored` said of the held-back rows, as later answers are compared with it."""
        from agentkit.prediction_profiles import profile_predictions

        seen, training = self.seen, self.training
        return profile_predictions(
            seen.task, training.target, seen.predicted, seen.probabilities, classes=list(seen.classes),
            positive=seen.positive, truth=seen.truth, metric=training.metric, metrics=training.metrics,
            intervals=training.intervals, digest=training.digest,
        )  # fmt: skip


def fit(job: Job, limit: Limit, ctx: ToolContext) -> Fitted:
    """Search and fit within the limit. Raises TrainingError if that is too short for anything."""
    import numpy as np
    import sklearn.ensemble
    import sklearn.linear_model  # noqa: F401 - the time of imports is not the budget's

    _import_engines(job.algorithms)
    started = time.perf_counter()
    target = job.target
    train, test = job.splitter.hold_out()
    columns = columns_step(job.profile, job.columns)
    train = _without_gaps(job, train, columns, ctx)
    compared = compared_rows(target, train, len(job.columns), limit.seconds, SEED)
    prepared = columns.transform(_raw(job, compared))
    search, folds = _search(job, limit, started, prepared, compared, len(train), ctx)
    with fitting_threads(prepared.size):
        search.run(job.algorithms)
        search.deadline = None if limit.seconds is None else started + limit.seconds
        choice = _choice(search, job)
        rows = compared
        if not search.interrupted:
            rows = last_rows(choice, train, len(compared), len(job.columns), search.room(), SEED)
            ctx.progress(f"Fitting {_named(choice)} on {len(rows)} training rows", 0.88)
        _tell_of_part(len(compared), len(rows), len(train), ctx)
        last = LastFits(job.frame, target, columns, choice, folds, search.setting)
        began = time.perf_counter()
        scored = last.on(rows, prepared if len(rows) == len(compared) else None)
        del prepared
        seen = _seen(scored, job, test)
        learned = METRICS[job.metric].compute(_seen(scored, job, rows[:: -(-len(rows) // _GAP_ROWS)]))
        final = scored
        if not search.interrupted and time.perf_counter() - began < search.room():
            every = np.sort(np.concatenate([rows, test]))
            ctx.progress(f"Fitting the same once more, on {len(every)} rows", 0.92)
            final = last.on(every)
    ended = time.perf_counter()
    done = _Done(search, choice, scored, final, seen, learned, len(rows), ended - started, ended)
    return _fitted(job, done, folds, train, test)


def _raw(job: Job, rows: NDArray[Any]) -> DataFrame:
    """The columns to learn from as they were read; `rows` are positions within the target's."""
    import pandas as pd

    places = job.target.rows[rows]
    return pd.DataFrame({name: job.frame[name].iloc[places] for name in job.columns}, copy=False)


def _without_gaps(job: Job, train: NDArray[Any], columns: Columns, ctx: ToolContext) -> NDArray[Any]:
    """The training rows, without those that have gaps if that was asked for and they are few."""
    from agentkit_ml.features import complete_rows

    if job.options is None or job.options.missing != "drop":
        return train
    kept: NDArray[Any] = train[complete_rows(columns.transform(_raw(job, train)))]
    left = len(train) - len(kept)
    ctx.note(
        f"{left} training rows with missing values left out."
        if left
        else "No rows left out: none of the training rows has missing values, or 5% and more have; the median is used."
    )
    return kept


def _tell_of_part(compared: int, last: int, train: int, ctx: ToolContext) -> None:
    if compared < train:
        rest = "all of them" if last == train else f"{last}: memory and the time allow no more"
        ctx.note(
            f"Settings were compared on {compared} of {train} training rows; what was chosen has learned from {rest}."
        )


@dataclass(frozen=True)
class _Done:
    """What was fitted. `learned`: the metric on training rows. `seconds`: of the search and all fits."""

    search: Search
    choice: Choice
    scored: Any
    final: Any
    seen: Outcome
    learned: float
    fitted_rows: int
    seconds: float
    ended: float


def _fitted(job: Job, done: _Done, folds: Folds, train: NDArray[Any], test: NDArray[Any]) -> Fitted:
    """The record of what was done, with the held-back rows assessed and the data looked through for leaks."""
    from agentkit_ml.assess.assessment import assess
    from agentkit_ml.features import decisions
    from agentkit_ml.leaks.checks import find_leaks

    target, search = job.target, done.search
    baseline = baseline_of(target.values[train], target.classes)
    guessed = baseline_outcome(baseline, done.seen.truth, target.task, target.classes, target.positive)
    assessment = assess(done.seen, guessed, metric=job.metric, seed=SEED)
    if job.metric not in assessment.values:
        raise TrainingError(
            f"the held-back rows have one class of {target.name!r} only. Use split=random or metric=accuracy."
        )
    findings = find_leaks(
        job.frame, target, job.columns, job.profile, train, test, time_column=job.time_column,
        group_column=job.group_column,
    )  # fmt: skip
    best = done.choice.members[0][0].algorithm
    training = Training(
        dataset=job.data.name, digest=job.data.digest, target=target.name, task=target.task,
        classes=list(target.classes), positive=target.positive, algorithm=best, metric=job.metric,
        metrics=assessment.values, baseline=baseline,
        baseline_metrics={n: m.baseline for n, m in assessment.metrics.items() if m.baseline is not None},
        columns=job.columns, left_out=job.left_out, split=job.splitter.kind, seed=SEED, train_rows=len(train),
        compared_rows=len(folds.values), fitted_rows=done.fitted_rows, test_rows=len(test),
        seconds=done.seconds, candidates=search.candidates, split_why=job.splitter.why,
        findings=findings, train_score=done.learned, intervals=assessment.intervals,
        trials=sum(c.folds > 0 for c in search.candidates), members=_weights(done.choice),
        refit=done.final is not done.scored, choice=_told_apart(search, len(train)),
        features=[f"For {label(best)}:", *decisions(job.profile, job.columns, job.options, FAMILIES[best].encoding)],
    )  # fmt: skip
    held_back = [int(r) for r in target.rows[test]]
    return Fitted(
        training, done.final, done.scored, held_back, _raw(job, train[:100]), done.seen, assessment,
        _learning(job, done, folds), search.interrupted, done.ended,
    )  # fmt: skip


def _told_apart(search: Search, train: int) -> str:
    """Whether the best family can be told from the next one on the folds."""
    from agentkit_ml.assess.significance import SIGNIFICANT, corrected_resampled_t, p_text

    best, second = search.best, search.runner_up
    if second is None:
        return ""
    differences = [a - b for a, b in zip(best.scores, second.scores, strict=True)]
    test = train / len(best.scores) if len(best.scores) > 1 else train / 5
    found = corrected_resampled_t(differences, train - test, test)
    verdict = "can be told from chance" if found.p < SIGNIFICANT else "cannot be told from chance"
    one, other = (f"{label(t.algorithm)} ({number(search.told(t.score))})" for t in (best, second))
    return f"{one} against {other} on the folds: the difference {verdict} ({p_text(found.p)}, {found.name})."


def _learning(job: Job, done: _Done, folds: Folds) -> list[tuple[int, float, float]]:
    import numpy as np

    from agentkit_ml.engine.learning import learning_points

    if done.search.interrupted:
        return []
    target, metric = job.target, METRICS[job.metric]
    names = np.asarray(target.classes, dtype="object")

    def measure(values: NDArray[Any], predictions: NDArray[Any]) -> float:
        truth = names[values] if target.classes else values
        return metric.compute(_outcome(predictions, truth, target))

    with fitting_threads(folds.frame.size):
        return learning_points(done.search.best, folds, done.search.setting, measure)


def _search(
    job: Job, limit: Limit, started: float, prepared: DataFrame, rows: NDArray[Any], train: int, ctx: ToolContext
) -> tuple[Search, Folds]:
    """The comparison of settings on `rows`. Some of the time is left for last fits on more rows than these."""
    from agentkit_ml.engine.folds import Folds
    from agentkit_ml.engine.search import Search

    target = job.target
    setting = Setting(len(target.classes), SEED)
    pairs = job.splitter.folds(rows) if len(rows) == train else job.splitter.folds(rows)[-1:]
    folds = Folds(
        prepared, target.numbers(rows), pairs,
        lambda encoding: encode_step(job.profile, job.columns, target.task, SEED, encoding, job.options),
        setting.trees,
    )  # fmt: skip
    metric = METRICS[job.metric]
    sign = 1.0 if metric.greater_is_better else -1.0
    truths = [target.values[rows][other] for _, other in folds.pairs]

    def measure(fold: int, predictions: NDArray[Any]) -> float:
        return sign * metric.compute(_outcome(predictions, truths[fold], target))

    share = SEARCH_SHARE if len(rows) < train else 1.0
    deadline = None if limit.seconds is None else started + share * limit.seconds
    return Search(folds, setting, measure, lambda score: sign * score, ctx, deadline, limit.trials), folds


def _choice(search: Search, job: Job) -> Choice:
    """The best single model if one family was asked for or there is no time, or else the best few together."""
    from agentkit_ml.engine.committee import Choice, choose

    if search.interrupted or len(job.algorithms) <= 2 or not search.serious:
        return Choice([(search.best, 1.0)], search.best.score)
    return choose(search.serious, search.measure, search.room())


def _import_engines(algorithms: Sequence[Algorithm]) -> None:
    """Import what will be needed, so that the budget is for the work."""
    import optuna  # noqa: F401

    if "lightgbm" in algorithms:
        import lightgbm  # noqa: F401
    if "xgboost" in algorithms:
        import xgboost  # noqa: F401


def _outcome(predictions: NDArray[Any], truth: NDArray[Any], target: Target) -> Outcome:
    import numpy as np

    if not target.classes:
        return Outcome(target.task, truth.astype("float64"), predictions)
    predicted = np.asarray(target.classes, dtype="object")[predictions.argmax(axis=1)]
    return Outcome(target.task, truth, predicted, predictions, target.classes, target.positive)


def _seen(pipeline: Any, job: Job, rows: NDArray[Any]) -> Outcome:
    """What a pipeline says of these rows, beside the truth."""
    target = job.target
    return outcome(pipeline, _raw(job, rows), target.values[rows], target.task, target.classes, target.positive)


def _weights(choice: Choice) -> dict[str, float]:
    """Algorithm -> its share of the votes."""
    weights: dict[str, float] = {}
    for trial, weight in choice.members:
        weights[trial.algorithm] = weights.get(trial.algorithm, 0.0) + weight
    return {name: round(weight, 4) for name, weight in weights.items()}


def _named(choice: Choice) -> str:
    return " + ".join(dict.fromkeys(FAMILIES[t.algorithm].label for t, _ in choice.members))
