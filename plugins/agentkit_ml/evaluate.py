"""The tool `evaluate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from agentkit.context import ToolContext
from agentkit.datasets import Dataset
from agentkit.errors import DatasetError
from agentkit.profiles import as_numbers
from agentkit.results import Artifact, Table, ToolResult
from agentkit_ml.metrics import METRICS, Outcome, better, score, shown
from agentkit_ml.record import baseline_outcome, outcome
from agentkit_ml.runtime import fitting_threads, prepare_process
from agentkit_ml.tracking import Tracking, TrainedModel

if TYPE_CHECKING:
    from pandas import DataFrame

_MOST_CLASSES = 30


class EvaluateResult(ToolResult):
    """How good a model is on these rows. `score` is `metrics[metric]`, `at_training` the same when trained."""

    model: str
    dataset: str
    task: str
    target: str
    rows: int
    metric: str
    score: float
    metrics: dict[str, float]
    baseline: float | None
    at_training: float
    confusion: Table | None = None

    def brief(self) -> str:
        others = [shown(m, v) for m, v in self.metrics.items() if m != self.metric][:5]
        where = f"{self.model} on {self.rows} rows of {self.dataset} (target {self.target!r})"
        before = shown(self.metric, self.at_training)
        worse = better(self.metric, self.at_training, self.score)
        lines = [
            f"{where}: {shown(self.metric, self.score)}, {', '.join(others)}.",
            f"That is {'worse than' if worse else 'no worse than'} on its own held-back rows at training ({before}).",
        ]
        if self.baseline is not None:
            word = "better" if better(self.metric, self.score, self.baseline) else "NOT better"
            lines.append(f"Guessing without a model: {shown(self.metric, self.baseline)}; the model is {word}.")
        return "\n".join(lines)

    @property
    def artifacts(self) -> list[Artifact]:
        measured = [[METRICS[m].label, v] for m, v in self.metrics.items()]
        table = Table(title=f"{self.model} on {self.dataset}", columns=["metric", "value"], rows=measured)
        return [table, self.confusion] if self.confusion else [table]


def evaluate(
    model: Annotated[
        str, Field(description="Handle of a trained model, such as model:NAME/1 or model:NAME for the latest")
    ],
    dataset: Annotated[str, Field(description="Data file with the true values, same columns as in training")],
    *,
    ctx: ToolContext,
) -> EvaluateResult:
    """Score a trained model on a file that has the target column.

    On the very file that it was trained on, only the rows that were held back count. Raises HandleError for an
    unknown model, DatasetError if a column is missing or no row can be scored.
    """
    prepare_process()
    data = ctx.dataset(dataset)
    found = Tracking(ctx).model(model)
    training = found.training
    data.require([training.target], f", the target of {str(found.handle)!r}")
    data.require(training.columns, f", which {str(found.handle)!r} needs")
    ctx.progress(f"Evaluating {found.handle}", 0.1)
    for note in data.notes:
        ctx.note(note)
    frame = _scorable(found, data, ctx)
    with fitting_threads():
        seen = _seen(found, frame, ctx)
    metrics = score(seen)
    metric = training.metric if training.metric in metrics else "accuracy" if seen.classes else next(iter(metrics))
    baseline = score(baseline_outcome(training.baseline, seen.truth, seen.task, seen.classes, seen.positive))
    return EvaluateResult(
        model=str(found.handle), dataset=data.name, task=training.task, target=training.target, rows=len(seen.truth),
        metric=metric, score=metrics[metric], metrics=metrics, baseline=baseline.get(metric),
        at_training=training.metrics[metric], confusion=_confusion(seen),
    )  # fmt: skip


def _scorable(found: TrainedModel, data: Dataset, ctx: ToolContext) -> DataFrame:
    """The rows that may be scored: with a true value, and not learned from."""
    training = found.training
    frame = data.frame([*training.columns, training.target])
    if data.digest == training.digest:
        frame = frame.iloc[found.held_back()]
        ctx.note(f"{data.name!r} is what the model was trained on: only its {len(frame)} held-back rows were scored.")
    truth = as_numbers(frame[training.target]) if training.task == "regression" else frame[training.target]
    kept = frame[truth.notna()]
    if not len(kept):
        raise DatasetError(
            f"{data.name!r} has no true values in {training.target!r}. Use predict for data without them."
        )
    if missing := len(frame) - len(kept):
        ctx.note(f"{missing} rows without a value of {training.target!r} were left out.")
    return kept


def _seen(found: TrainedModel, frame: DataFrame, ctx: ToolContext) -> Outcome:
    from agentkit_ml.target import labels_of

    training = found.training
    classes = tuple(training.classes)
    if training.task == "regression":
        return outcome(found.pipeline, frame, as_numbers(frame[training.target]).to_numpy(), "regression", classes, "")
    truth = labels_of(frame[training.target])
    unknown = sum(label not in classes for label in truth)
    if unknown == len(truth):
        raise DatasetError(f"no row has a value of {training.target!r} that {str(found.handle)!r} was trained on.")
    if unknown:
        ctx.note(f"{unknown} rows have a class that the model was not trained on; they count as wrong.")
    return outcome(found.pipeline, frame, truth, training.task, classes, training.positive)


def _confusion(seen: Outcome) -> Table | None:
    if seen.task == "regression" or len(seen.classes) > _MOST_CLASSES:
        return None
    counts = [[int(((seen.truth == t) & (seen.predicted == p)).sum()) for p in seen.classes] for t in seen.classes]
    rows = [[label, *row] for label, row in zip(seen.classes, counts, strict=True)]
    return Table(
        title="Rows by true class (down) and predicted class (across)", columns=["true", *seen.classes], rows=rows
    )
