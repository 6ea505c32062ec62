"""The tool `train`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from agentkit.context import ToolContext
from agentkit.datasets import Dataset
from agentkit.errors import TrainingError, suggest
from agentkit.handles import handle_name
from agentkit.profiles import listed, profile_frame
from agentkit.results import Artifact, Figure, File, Table, ToolResult
from agentkit_ml.engine.families import FAMILIES, label
from agentkit_ml.metrics import METRICS, MetricChoice, better, choose_metric, number, shown, task_of
from agentkit_ml.places import shown_path
from agentkit_ml.record import Candidate, Finding, Training
from agentkit_ml.registry import test_use
from agentkit_ml.registry.tracking import Tracking
from agentkit_ml.reports.training_report import write_training_report
from agentkit_ml.runtime import prepare_process
from agentkit_ml.settings import MLSettings

if TYPE_CHECKING:
    from agentkit_ml.fitting import Job

_LEVELS = {"block": "Do not trust this score", "warn": "Look at this"}
_TASKS = {"binary": "binary classification", "multiclass": "multiclass classification", "regression": "regression"}


class TrainResult(ToolResult):
    """A trained model. `score` is `metrics[metric]`, on the held-back rows; `baseline` is the same without a model.

    `intervals`: 95% intervals of `metrics`. `train_score`: the metric on rows that were learned from. `members`:
    algorithms that vote, with their shares. `findings`: what the checks of the data and the split found. `features`:
    what became of the columns. `choice`: whether the best family can be told from the next one. `judged`: models that
    these held-back rows have judged, this one included. `stored`: how the model was kept, and that it came
    back. `seconds`: of the search and all fits; `record_seconds`: of all that comes after, from checks to storing.
    """

    model: str
    task: str
    target: str
    dataset: str
    algorithm: str
    members: dict[str, float]
    metric: str
    score: float
    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    baseline: float
    train_score: float | None
    trials: int
    candidates: list[Candidate]
    findings: list[Finding]
    columns: dict[str, str]
    left_out: dict[str, str]
    split: str
    split_why: str
    train_rows: int
    compared_rows: int
    fitted_rows: int
    test_rows: int
    run_id: str
    seconds: float
    record_seconds: float
    figures: list[Figure]
    report: str
    features: list[str]
    choice: str
    judged: int
    stored: str

    def brief(self) -> str:
        others = [shown(m, v) for m, v in self.metrics.items() if m != self.metric][:4]
        low, high = self.intervals.get(self.metric, (self.score, self.score))
        verdict = ""
        if self.algorithm != "dummy" and not better(self.metric, self.score, self.baseline):
            verdict = " It is no better than guessing: the columns may say nothing about the target."
        told = shown(self.metric, self.score)
        guess = shown(self.metric, self.baseline)
        tried = ", ".join(f"{label(a)} {number(s)}" for a, s in self._best_of_each().items())
        found = [f for f in self.findings if f.level != "ok"]
        looks = "".join(f"{_LEVELS[f.level]}: {f.text[:200]}\n" for f in found[:2])
        looks += f"{len(found) - 2} more findings: review_training {self.model}.\n" if len(found) > 2 else ""
        return (
            f"Trained {self.model} to predict {self.target!r} ({_TASKS[self.task]}) from {len(self.columns)} columns "
            f"of {self.dataset}. Algorithm: {' + '.join(label(a) for a in self.members)}.\n"
            f"{told} (95% interval {number(low)} to {number(high)}) on {self.test_rows} held-back rows, "
            f"{', '.join(others)}. Guessing without a model: {guess}.{verdict}\n{looks}"
            f"{METRICS[self.metric].label} in cross-validation on {self.compared_rows} rows, {self.trials} trials: "
            f"{tried}.\nNext: evaluate {self.model} on other data, or predict with it."
        )

    def _best_of_each(self) -> dict[str, float]:
        best: dict[str, float] = {}
        for c in self.candidates:
            if c.score is not None and (c.algorithm not in best or better(self.metric, c.score, best[c.algorithm])):
                best[c.algorithm] = c.score
        return best

    @property
    def artifacts(self) -> list[Artifact]:
        compared = ["trial", "algorithm", self.metric, "folds", "seconds", "settings", "skipped"]
        rows = [
            [
                i,
                c.algorithm,
                c.score,
                c.folds,
                round(c.seconds, 2),
                _settings(c.params),
                "pruned" if c.folds and c.skipped else c.skipped,
            ]
            for i, c in enumerate(self.candidates, start=1)
        ]
        measured = [[METRICS[m].label, v, *self.intervals.get(m, (None, None))] for m, v in self.metrics.items()]
        held_back = f"{self.model} on {self.test_rows} held-back rows"
        checks = [[f.gate, f.level, f.text] for f in self.findings]
        return [
            Table(title="Trials, cross-validated", columns=compared, rows=rows, units={"seconds": "s"}),
            Table(title=held_back, columns=["metric", "value", "low", "high"], rows=measured),
            Table(title="Checks of the data and the split", columns=["check", "level", "finding"], rows=checks),
            *self.figures,
            File(path=self.report),
        ]


def train(
    dataset: Annotated[str, Field(description="Data file with the column to predict")],
    target: Annotated[str, Field(description="Name of the column to predict")],
    task: Annotated[
        Literal["auto", "binary", "multiclass", "regression"],
        Field(description="Kind of prediction; auto looks at the target"),
    ] = "auto",
    model: Annotated[
        Literal[
            "auto", "dummy", "linear", "random_forest", "extra_trees", "hist_gradient_boosting", "lightgbm", "xgboost"
        ],
        Field(description="Algorithm; auto compares all. linear is logistic regression for classes"),
    ] = "auto",
    split: Annotated[
        Literal["auto", "random", "time", "group"], Field(description="How rows are held back for testing")
    ] = "auto",
    time_column: Annotated[str | None, Field(description="Date column: the newest rows are held back")] = None,
    group_column: Annotated[str | None, Field(description="Column whose equal values must stay together")] = None,
    metric: Annotated[MetricChoice, Field(description="What to optimise; auto: roc_auc, accuracy or rmse")] = "auto",
    budget_seconds: Annotated[
        float | None, Field(gt=0, le=86_400, description="Most seconds to spend (usually 60)")
    ] = None,
    name: Annotated[str | None, Field(description="Name for the model; else the file's name")] = None,
    ignore: Annotated[list[str] | None, Field(description="Columns to leave out")] = None,
    trials: Annotated[
        int | None, Field(ge=2, le=10_000, description="Try this many settings, instead of a time limit")
    ] = None,
    features: Annotated[
        dict[str, Any] | None,
        Field(description='Options of features: {"lags": [1, 7]}, {"interactions": true}, {"missing": "median"}'),
    ] = None,
    *,
    ctx: ToolContext,
) -> TrainResult:
    """Train a model on one file and register it: a fifth of the rows is held back and scores what was chosen.

    Candidates are compared by cross-validation on the training rows alone, within the budget (default:
    `[ml] budget_seconds`), and the best is refitted on all of them. Everything is logged as one MLflow run.
    Raises DatasetError or TrainingError if the data cannot be read or cannot train a model for this target.
    """
    from agentkit_ml.fitting import Limit, fit

    prepare_process()
    ctx.progress(f"Reading {dataset}", 0.0)
    columns = time_column or None, group_column or None
    job = _job(ctx, dataset, target, task, model, split, *columns, metric, ignore or (), features)
    limit = Limit(budget_seconds, trials)
    if not (budget_seconds or trials):
        limit = Limit(ctx.settings.section("ml", MLSettings).budget_seconds)
    tracking = Tracking(ctx)
    tracking.ready()
    fitted = fit(job, limit, ctx)
    if not (fitted.training.refit or fitted.interrupted):
        ctx.note("There was no time to fit once more on all rows: the model has not learned from the held-back ones.")
    if fitted.interrupted:
        ctx.note("The search was interrupted: this is the best model that was found until then.")
    else:
        ctx.progress("Drawing, and storing the model", 0.95)
    model_name = handle_name(name or job.data.stem)
    written = write_training_report(model_name, job, fitted, ctx)
    stored = tracking.register(
        model_name, fitted.training, fitted.pipeline, job.profile, fitted.held_back, fitted.example,
        files=written.files, scored=fitted.scored if fitted.training.refit else None,
        predictions=fitted.predictions(),
    )  # fmt: skip
    for skipped in (c for c in fitted.training.candidates if c.skipped and not c.folds):
        ctx.note(skipped.skipped)
    judged = test_use.judged(stored)
    for note in (stored.placed.why if stored.placed else "", test_use.judged_told(stored, judged)):
        if note:
            ctx.note(note)
    return TrainResult(
        model=str(stored.handle), run_id=stored.run_id, score=fitted.training.score,
        baseline=fitted.training.baseline_metrics[fitted.training.metric],
        figures=[Figure(title=p.title, path=shown_path(p.path, ctx)) for p in written.pictures],
        report=shown_path(written.report, ctx), judged=judged,
        stored=stored.recorded.told() if stored.recorded else "", record_seconds=time.perf_counter() - fitted.ended,
        **_shared(fitted.training),
    )  # fmt: skip


def _job(
    ctx: ToolContext, dataset: str, target: str, task: Any, model: Any, split: Any, time_column: str | None,
    group_column: str | None, metric: str, ignore: Sequence[str], features: dict[str, Any] | None,
) -> Job:  # fmt: skip
    """Read the data and settle all that can be settled without fitting."""
    from agentkit_ml.feature_choice import read_features
    from agentkit_ml.features import chosen_columns
    from agentkit_ml.fitting import SEED, Job
    from agentkit_ml.splits import make_splitter
    from agentkit_ml.target import hints, read_target, repaired

    data = ctx.dataset(dataset)
    target = repaired(target, data.columns, ctx) or target
    time_column, group_column = (repaired(c, data.columns, ctx) for c in (time_column, group_column))
    unwanted = [repaired(c, data.columns, ctx) or c for c in ignore]
    _check_columns(data, target, time_column, group_column)
    data.require(unwanted, ", which ignore names")
    frame = data.frame()
    by_metric = task_of(metric) if frame[target].dtype.kind in "iuf" else "auto"
    wanted = read_target(frame[target], by_metric if task == "auto" else task)
    chosen_metric = choose_metric(metric, wanted.task, [int((wanted.values == c).sum()) for c in wanted.classes])
    if chosen_metric == "mape" and (zeros := int((wanted.values == 0).sum())):
        raise TrainingError(f"metric 'mape' divides by the true value, and {zeros} rows of {target!r} are 0. Use mae.")
    splitter = make_splitter(split, frame, wanted, time_column=time_column, group_column=group_column, seed=SEED)
    profile = profile_frame(frame, data.name, data.digest)
    for note in hints(frame, wanted, profile):
        ctx.note(note)
    asked = dict.fromkeys(unwanted, "as asked")
    asked |= {group_column: "groups rows"} if group_column and splitter.kind == "group" else {}
    columns, left_out = chosen_columns(profile, target, asked)
    if not columns:
        why = _reasons(left_out) or "there is no other column"
        raise TrainingError(f"{data.name!r} has nothing to learn from beside {target!r}: {why}. Add columns.")
    for note in (*data.notes, *wanted.notes, *([f"Left out: {_reasons(left_out)}."] if left_out else [])):
        ctx.note(note)
    algorithms: Sequence[Any] = (
        tuple(FAMILIES) if model == "auto" else ("dummy",) if model == "dummy" else ("dummy", model)
    )
    return Job(
        data, frame, wanted, profile, columns, left_out, chosen_metric, splitter, algorithms,
        time_column if splitter.kind == "time" else None, group_column if splitter.kind == "group" else None,
        read_features(features, columns, time_column, group_column),
    )  # fmt: skip


def _check_columns(data: Dataset, target: str, time_column: str | None, group_column: str | None) -> None:
    for column, role in ((target, "target"), (time_column, "time_column"), (group_column, "group_column")):
        if column is not None and column not in data.columns:
            near = suggest(column, data.columns) or f" Its columns: {listed(data.columns, 10)}."
            raise TrainingError(f"{role} {column!r} is not a column of {data.name!r}.{near}")
    if target in (time_column, group_column):
        raise TrainingError(f"{target!r} is the target: name another time_column or group_column.")


def _reasons(left_out: dict[str, str]) -> str:
    """'a', 'b' (no values); 'c' (identifies rows)."""
    by_reason: dict[str, list[str]] = {}
    for column, reason in left_out.items():
        by_reason.setdefault(reason, []).append(column)
    return "; ".join(f"{listed(columns)} ({reason})" for reason, columns in by_reason.items())


def _settings(params: Mapping[str, Any]) -> str:
    return ", ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in params.items())


def _shared(training: Training) -> dict[str, Any]:
    """The fields that the result and the record have in common."""
    own = {"baseline", "score"}
    return {n: getattr(training, n) for n in TrainResult.model_fields if n in Training.model_fields and n not in own}
