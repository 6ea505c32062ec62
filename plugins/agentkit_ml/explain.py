"""The tool `explain`."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from agentkit.context import ToolContext
from agentkit.errors import BadInput
from agentkit.profiles import as_numbers
from agentkit.results import Figure
from agentkit_ml.explain_result import ExplainResult
from agentkit_ml.metrics import measurable
from agentkit_ml.registry.tracking import Tracking, TrainedModel
from agentkit_ml.runtime import fitting_threads, prepare_process

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.figure import Figure as Drawing
    from pandas import DataFrame

    from agentkit.datasets import Dataset
    from agentkit_ml.assess.importance import Importances
    from agentkit_ml.reasons.contributions import Contributions
    from agentkit_ml.reasons.response import Response

_EFFECTS = 6
_BARS = 20
_PARTS = 12
_GLOBAL = (
    "permutation importance (Breiman 2001; Fisher, Rudin and Dominici 2019) with bootstrap intervals over rows; "
    "partial dependence (Friedman 2001)"
)
_LOCAL = "; other answers by trying changes of one or two columns (Wachter, Mittelstadt and Russell 2018)"


def explain(
    model: Annotated[
        str, Field(description="Handle of a trained model, such as model:NAME/1 or model:NAME for the latest")
    ],
    dataset: Annotated[str, Field(description="Data file with the columns of the training")],
    row: Annotated[int | None, Field(ge=0, description="Number of one row, from 0: why this answer for it?")] = None,
    *,
    ctx: ToolContext,
) -> ExplainResult:
    """Tell what a model relies on and in which direction, or with `row` why it gives this row its answer.

    Without true values in the file, importance is how much the model's own answers change. Raises HandleError for an
    unknown model, DatasetError if a column is missing, BadInput if there is no such row.
    """
    prepare_process()
    data = ctx.dataset(dataset)
    found = Tracking(ctx).model(model)
    data.require(found.training.columns, f", which {str(found.handle)!r} needs")
    ctx.progress(f"Explaining {found.handle}", 0.1)
    asked = f"{found.handle} {data.digest} {row}".encode()
    folder = ctx.storage.artifacts() / "explanations" / f"{found.handle.name}-{hashlib.sha256(asked).hexdigest()[:10]}"
    folder.mkdir(parents=True, exist_ok=True)
    with fitting_threads():
        return _model(found, data, folder, ctx) if row is None else _row(found, data, row, folder, ctx)


def _model(found: TrainedModel, data: Dataset, folder: Path, ctx: ToolContext) -> ExplainResult:
    from agentkit_ml.reasons.effects import effect
    from agentkit_ml.reasons.response import Response
    from agentkit_ml.reports import figures

    training = found.training
    frame, importances = _importances(found, data, ctx)
    shares = training.baseline.shares
    of = training.positive or (training.classes[shares.index(max(shares))] if training.classes else "")
    response, profile = Response(found.pipeline, training, of), found.profile()
    ctx.progress("In which direction", 0.8)
    columns = [i.column for i in importances.columns if i.matters][:_EFFECTS]
    effects = [e for c in columns if (e := effect(response, frame[list(training.columns)], profile, c))]
    drawn = [("Importance", "importance.png", _importance_figure(importances))]
    if effects:
        panels = [(e.column, e.values, e.answers, e.kind != "category") for e in effects]
        drawn.append(("Direction of effect", "effects.png", figures.effects(panels, f"mean {response.label}")))
    return ExplainResult(
        model=str(found.handle), dataset=data.name, target=training.target, explains=response.label, method=_GLOBAL,
        importances=importances, effects=effects, figures=_saved(drawn, folder, ctx),
    )  # fmt: skip


def _importances(found: TrainedModel, data: Dataset, ctx: ToolContext) -> tuple[DataFrame, Importances]:
    """The rows that were used, and what shuffling a column costs on them."""
    from agentkit_ml.assess.importance import permutation_importance
    from agentkit_ml.assess.scoring import scored_rows

    training = found.training

    def progress(done: float) -> None:
        ctx.progress("Which columns matter", 0.2 + 0.6 * done)

    if training.target in data.columns and _has_truth(found, data):
        # no score is told, and what matters on the held-back rows stands in the training's report: no new look
        rows = scored_rows(found, data, ctx, purpose="")
        frame, truth = rows.frame, rows.outcome.truth
        pipeline = found.scored if rows.held_back else found.pipeline
        possible = measurable(rows.outcome)
        metric = training.metric if training.metric in possible else possible[-1]
    else:
        ctx.note(f"{data.name!r} has no true values: importance is how much the model's own answers change.")
        frame = data.frame(list(training.columns))
        pipeline, truth = found.pipeline, found.pipeline.predict(frame)
        metric = "accuracy" if training.classes else "rmse"
    made = permutation_importance(
        pipeline, frame, truth, training, metric, seed=training.seed, progress=progress, seconds=20
    )
    if made.unmeasured:
        ctx.note(f"The importance of {len(made.unmeasured)} columns was not measured: the time was too short.")
    return frame, made


def _has_truth(found: TrainedModel, data: Dataset) -> bool:
    column = data.frame([found.training.target])[found.training.target]
    return bool((as_numbers(column) if found.training.task == "regression" else column).notna().any())


def _row(found: TrainedModel, data: Dataset, number: int, folder: Path, ctx: ToolContext) -> ExplainResult:
    from agentkit_ml.reasons.contributions import FEWEST_OTHERS, METHOD, OTHERS, contributions
    from agentkit_ml.reasons.response import Response
    from agentkit_ml.reasons.what_if import cell_text, other_answers

    training = found.training
    named = [*training.columns, *([training.target] if training.target in data.columns else [])]
    frame, others = _one_row(data, number, named)
    response = Response(found.pipeline, training)
    predicted = str(found.pipeline.predict(frame)[0])
    if training.classes:
        response = replace(response, of=training.positive or predicted)
    else:
        predicted = cell_text(float(predicted))
    profile = found.profile()
    ctx.progress("What moves the answer", 0.4)
    if len(others) < FEWEST_OTHERS:
        ctx.note("This file has few other rows: the row is compared with usual values of the training data.")
    made = contributions(response, frame, profile, others, training.seed)
    ctx.progress("Looking for other answers", 0.7)
    row = frame[list(training.columns)]
    important = [c.column for c in made.columns if c.column != OTHERS]
    what_if = other_answers(response, row, profile, important)
    truth = cell_text(frame[training.target].iloc[0]) if training.target in named else None
    return ExplainResult(
        model=str(found.handle), dataset=data.name, target=training.target, explains=response.label,
        method=METHOD + _LOCAL, row=number, predicted=predicted, truth=None if truth == "missing" else truth,
        contributions=made, what_if=what_if,
        figures=_saved([("Contributions", "contributions.png", _contribution_figure(made, response))], folder, ctx),
    )  # fmt: skip


def _one_row(data: Dataset, number: int, columns: Sequence[str]) -> tuple[DataFrame, DataFrame]:
    """The row, and the other rows of its batch: up to 50,000 that stand near it in the file."""
    seen = 0
    for frame in data.batches(columns=columns):
        if number < seen + len(frame):
            place = number - seen
            return frame.iloc[[place]], frame.drop(index=frame.index[place])
        seen += len(frame)
    raise BadInput(f"{data.name!r} has no row {number}: its rows are 0 to {seen - 1}.")


def _importance_figure(importances: Importances) -> Drawing:
    from agentkit_ml.metrics import METRICS
    from agentkit_ml.reports.figures import bars

    shown = importances.columns[:_BARS]
    return bars(
        [i.column for i in shown], [i.value for i in shown], [(i.low, i.high) for i in shown],
        title="What the model relies on", reference=("no effect", 0.0),
        axis=f"how much worse {METRICS[importances.metric].label} gets when the column is shuffled (95% interval)",
    )  # fmt: skip


def _contribution_figure(made: Contributions, response: Response) -> Drawing:
    from agentkit_ml.reports.figures import contributions

    shown = made.columns[:_PARTS]
    names, values = [f"{c.column} = {c.value}" for c in shown], [c.contribution for c in shown]
    if rest := made.columns[_PARTS:]:
        names.append(f"{len(rest)} more")
        values.append(sum(c.contribution for c in rest))
    return contributions(names, values, usual=made.usual, answer=made.answer, axis=response.label)


def _saved(drawn: Sequence[tuple[str, str, Any]], folder: Path, ctx: ToolContext) -> list[Figure]:
    from agentkit_ml.places import shown_path
    from agentkit_ml.reports.figures import save

    return [Figure(title=title, path=shown_path(save(figure, folder / file), ctx)) for title, file, figure in drawn]
