"""The tool `evaluate`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from agentkit.context import ToolContext
from agentkit.datasets import Dataset
from agentkit.errors import WorkspaceError
from agentkit.pages import is_page
from agentkit.results import Figure, Table
from agentkit_ml.assess.assessment import Assessment, assess, changed
from agentkit_ml.assess.costs import Costs, read_costs
from agentkit_ml.assess.scoring import ScoredRows, scored_rows
from agentkit_ml.evaluate_result import EvaluateResult
from agentkit_ml.metrics import Outcome, number
from agentkit_ml.places import shown_path
from agentkit_ml.record import baseline_outcome
from agentkit_ml.registry.tracking import Tracking, TrainedModel
from agentkit_ml.reports.pictures import MOST_CLASSES
from agentkit_ml.runtime import fitting_threads, prepare_process

if TYPE_CHECKING:
    from agentkit_ml.assess.importance import Importances
    from agentkit_ml.reports.pictures import Picture

_WORST = 10
_CELLS = 6


def evaluate(
    model: Annotated[
        str, Field(description="Handle of a trained model, such as model:NAME/1 or model:NAME for the latest")
    ],
    dataset: Annotated[str, Field(description="Data file with the true values, same columns as in training")],
    slices: Annotated[list[str] | None, Field(description="Columns: how good is it for each of their values?")] = None,
    sensitive: Annotated[list[str] | None, Field(description="Columns whose groups must be treated alike")] = None,
    costs: Annotated[
        dict[str, float] | None, Field(description='Cost of each mistake: {"TRUE>PREDICTED": number}')
    ] = None,
    report: Annotated[
        str | bool, Field(description="true, or the name of an .html file: write a report to read and to share")
    ] = False,
    *,
    ctx: ToolContext,
) -> EvaluateResult:
    """Score a trained model on a file that has the target column.

    Every metric has a 95% interval and a test against the baseline. On the very file that it was trained on, only the
    rows that were held back count. Raises HandleError for an unknown model, DatasetError if a column is missing or no
    row can be scored, BadInput for a cost matrix that is wrong, WorkspaceError for the report's name.
    """
    prepare_process()
    data = ctx.dataset(dataset)
    found = Tracking(ctx).model(model)
    page = _report_path(report, ctx)
    groups = _Groups(tuple(_columns(slices, data, ctx)), tuple(_columns(sensitive, data, ctx)))
    matrix = read_costs(costs, found.training.classes) if costs and found.training.classes else None
    ctx.progress(f"Evaluating {found.handle}", 0.1)
    with fitting_threads():
        rows = scored_rows(found, data, ctx, purpose="evaluate", more=(*groups.slices, *groups.sensitive))
        training, seen = found.training, rows.outcome
        guess = baseline_outcome(training.baseline, seen.truth, seen.task, seen.classes, seen.positive)
        assessment = assess(seen, guess, metric=training.metric, seed=training.seed, costs=costs)
        ctx.progress("Which columns matter", 0.5)
        importances = _importances(found, rows, assessment.metric, ctx)
    work = _Work(found, data, rows, assessment, importances, _worst(rows, importances))
    folder = ctx.storage.artifacts() / "evaluations" / _place(found, data, groups, costs)
    return _result(work, groups, matrix, folder, page, ctx)


@dataclass(frozen=True)
class _Groups:
    slices: tuple[str, ...]
    sensitive: tuple[str, ...]


@dataclass(frozen=True)
class _Work:
    """What was measured."""

    found: TrainedModel
    data: Dataset
    rows: ScoredRows
    assessment: Assessment
    importances: Importances
    worst: Table


def _columns(names: Sequence[str] | None, data: Dataset, ctx: ToolContext) -> list[str]:
    from agentkit_ml.target import repaired

    chosen = [repaired(name, data.columns, ctx) or name for name in names or []]
    data.require(chosen)
    return list(dict.fromkeys(chosen))


def _report_path(report: str | bool, ctx: ToolContext) -> Path | bool:
    """Where a report goes: a path if one was named, else whether there is to be one."""
    if isinstance(report, bool) or report.strip().lower() in ("", "true", "false", "yes", "no"):
        return report is True or (isinstance(report, str) and report.strip().lower() in ("true", "yes"))
    path = ctx.path(report)
    if path.suffix.lower() not in (".html", ".htm") or path.is_dir():
        raise WorkspaceError(f"report {report!r} must be a file that ends in .html.")
    if path.exists() and not is_page(path):
        raise WorkspaceError(f"report {report!r} exists and is no report of agentkit. Choose another name.")
    return path


def _importances(found: TrainedModel, rows: ScoredRows, metric: str, ctx: ToolContext) -> Importances:
    from agentkit_ml.assess.importance import permutation_importance

    pipeline = found.scored if rows.held_back else found.pipeline
    made = permutation_importance(
        pipeline, rows.frame, rows.outcome.truth, found.training, metric, seed=found.training.seed,
        progress=lambda done: ctx.progress("Which columns matter", 0.5 + 0.3 * done),
    )  # fmt: skip
    if made.unmeasured:
        ctx.note(f"The importance of {len(made.unmeasured)} columns was not measured: the time was too short.")
    return made


def _place(found: TrainedModel, data: Dataset, groups: _Groups, costs: Any) -> str:
    """A folder's name: the same call writes to the same place again."""
    asked = repr((data.digest, groups, sorted((costs or {}).items()))).encode()
    return f"{found.handle.name}-{found.handle.version}-{hashlib.sha256(asked).hexdigest()[:10]}"


def _result(
    work: _Work, groups: _Groups, costs: Costs | None, folder: Path, page: Path | bool, ctx: ToolContext
) -> EvaluateResult:
    from agentkit_ml.assess.fairness import fairness
    from agentkit_ml.assess.slices import measure_slices
    from agentkit_ml.reports.pictures import draw

    training, seen, found = work.found.training, work.rows.outcome, work.assessment
    ctx.progress("Measuring parts of the rows", 0.8)
    parts = measure_slices(work.rows.frame, groups.slices, seen, found.metric, training.seed)
    fair = [fairness(work.rows.frame[column], seen) for column in groups.sensitive]
    ctx.progress("Drawing", 0.85)
    pictures = draw(folder, seen, found, target=training.target, importances=work.importances, costs=costs)
    for note in found.notes:
        ctx.note(note)
    result = EvaluateResult(
        model=str(work.found.handle), dataset=work.data.name, task=training.task, target=training.target,
        rows=found.rows, metric=found.metric, score=found.score, metrics=found.values, baseline=found.main.baseline,
        at_training=training.metrics[training.metric if found.metric not in training.metrics else found.metric],
        change=changed(found, training.metrics.get(found.metric), training.intervals.get(found.metric)),
        assessment=found, held_back=work.rows.held_back, test_uses=work.rows.test_uses, slices=parts, fairness=fair,
        importances=work.importances, worst=work.worst, confusion=_confusion(seen),
        figures=[Figure(title=p.title, path=shown_path(p.path, ctx)) for p in pictures],
    )  # fmt: skip
    if page:
        path = page if isinstance(page, Path) else folder / "report.html"
        result.report = shown_path(_report(path, work, result, pictures), ctx)
    return result


def _report(path: Path, work: _Work, result: EvaluateResult, pictures: list[Picture]) -> Path:
    from agentkit_ml.reports.report import Report, write_report

    return write_report(
        path,
        Report(
            title=f"{result.model} on {result.dataset}", model=result.model, dataset=result.dataset,
            training=work.found.training, assessment=work.assessment, pictures=pictures, tables=[work.worst],
            slices=result.slices, fairness=result.fairness, notes=work.rows.notes, next_steps=_next_steps(result),
        ),
    )  # fmt: skip


def _next_steps(result: EvaluateResult) -> list[str]:
    found, steps = result.assessment, []
    if not found.beats_baseline:
        steps.append("Do not use this model as it is: look for columns that say more about the target, or more rows.")
    if not result.held_back and result.change == "worse":
        steps.append("It was better at training: find out which columns changed (detect_drift), and train again.")
    if found.threshold and found.threshold.pays:
        steps.append(f"Decide from a probability of {number(found.threshold.threshold)} on.")
    if found.calibration and not found.calibration.ok:
        steps.append("Do not read the probabilities as frequencies before they are calibrated.")
    steps += [f"Look at the rows where {s.column} is {s.value}." for s in result.slices if s.worse][:3]
    return steps or ["Use it, and evaluate it again on later data."]


def _worst(rows: ScoredRows, importances: Importances) -> Table:
    """The rows with the largest errors, with the cells of the columns that matter most."""
    import numpy as np

    seen = rows.outcome
    if seen.task == "regression":
        error, name = abs(seen.truth - seen.predicted), "error"
    else:
        assert seen.probabilities is not None
        places = {c: i for i, c in enumerate(seen.classes)}
        true = np.array([places.get(t, -1) for t in seen.truth])
        chance = np.where(true < 0, 0.0, seen.probabilities[np.arange(len(true)), true])
        error, name = 1 - chance, "probability of the true class"
    worst = [i for i in np.argsort(-error, kind="stable")[:_WORST] if seen.truth[i] != seen.predicted[i]]
    columns = [i.column for i in importances.columns[:_CELLS]]
    numbers = rows.frame.index.to_numpy()
    told = [
        [int(numbers[i]), _cell(seen.truth[i]), _cell(seen.predicted[i]),
         float(error[i] if name == "error" else 1 - error[i]), *(_cell(rows.frame[c].iloc[i]) for c in columns)]
        for i in worst
    ]  # fmt: skip
    head = ["row", "true", "predicted", name, *columns]
    return Table(title="Rows with the worst errors (row numbers from 0)", columns=head, rows=told)


def _cell(value: Any) -> Any:
    """A value of a frame as JSON can hold it."""
    if value is None or value != value:  # noqa: PLR0124
        return None
    plain = value.item() if hasattr(value, "item") else value
    return plain if isinstance(plain, bool | int | float | str) else str(plain)


def _confusion(seen: Outcome) -> Table | None:
    if seen.task == "regression" or len(seen.classes) > MOST_CLASSES:
        return None
    counts = [[int(((seen.truth == t) & (seen.predicted == p)).sum()) for p in seen.classes] for t in seen.classes]
    rows = [[label, *row] for label, row in zip(seen.classes, counts, strict=True)]
    return Table(
        title="Rows by true class (down) and predicted class (across)", columns=["true", *seen.classes], rows=rows
    )
