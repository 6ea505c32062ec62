"""The tool `check_predictions`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from agentkit.context import ToolContext
from agentkit.errors import DatasetError
from agentkit.prediction_profiles import PREDICTIONS, PredictionProfile
from agentkit.stored_models import StoredModels, handle_of
from agentkit_drift.answers import Answers, Asked, ask
from agentkit_drift.performance import ASSUMPTIONS, calibration, estimate, measure
from agentkit_drift.prediction_findings import findings, judged
from agentkit_drift.prediction_result import PredictionCheck
from agentkit_drift.prediction_shift import class_shift, score_shift

if TYPE_CHECKING:
    from agentkit.datasets import Dataset

_MAIN = {"binary": "roc_auc", "multiclass": "accuracy", "regression": "rmse"}


def check_predictions(
    model: Annotated[
        str, Field(description="Handle of a trained model, such as model:NAME/1 or model:NAME for the latest")
    ],
    dataset: Annotated[str, Field(description="New data file, same columns as in training; true values may be there")],
    reference: Annotated[
        str | None, Field(description="Data file to compare with, instead of what was stored at training")
    ] = None,
    *,
    ctx: ToolContext,
) -> PredictionCheck:
    """Tell whether a model's answers for new data differ from those it gave at training, and how good they are now.

    The reference are its answers for the held-back rows of the training, or for the rows of `reference`. Where the new
    data have true values, metrics and calibration are measured; without, they are estimated from the probabilities,
    which holds under the assumptions that the result names. Raises HandleError for an unknown model, DatasetError if a
    column is missing.
    """
    started = time.perf_counter()
    models = StoredModels(ctx)
    version = models.find(model)
    handle = str(handle_of(version))
    kept = models.read(version.run_id, PREDICTIONS) if models.has(version.run_id, PREDICTIONS) else ""
    stored = PredictionProfile.model_validate_json(kept) if kept else None
    asked = _asked(handle, version, stored)
    data = ctx.dataset(dataset)
    ctx.progress(f"{handle} predicts for {data.name}", 0.05)
    if stored is not None and data.digest == stored.digest:
        ctx.note(_learned(handle, data))
    now = ask(asked, data, ctx)
    if not len(now.predicted):
        raise DatasetError(f"{data.name!r} has no rows.")
    before, against = _reference(asked, stored, reference, ctx)
    ctx.progress("Comparing with the reference", 0.6)
    return _result(asked, data, now, before, against, started, ctx.settings.privacy.send_values)


def _asked(handle: str, version: Any, stored: PredictionProfile | None) -> Asked:
    if stored is None:
        return Asked(handle, version.tags["task"], version.tags["target"])
    return Asked(handle, stored.task, stored.target, tuple(stored.classes), stored.positive)


def _reference(
    asked: Asked, stored: PredictionProfile | None, reference: str | None, ctx: ToolContext
) -> tuple[PredictionProfile | None, str]:
    """What to compare with, and what it is called; None and why where there is nothing."""
    if reference is None:
        if stored is not None:
            return stored, f"the {stored.rows:,} rows held back at training"
        ctx.note(
            f"{asked.handle} was stored without a profile of its answers, so there is nothing to compare with: name "
            "reference data, or train it again."
        )
        return None, "nothing"
    data = ctx.dataset(reference)
    if stored is not None and data.digest == stored.digest:
        ctx.note(_learned(asked.handle, data))
    ctx.progress(f"{asked.handle} predicts for {data.name}", 0.35)
    answers = ask(asked, data, ctx)
    labelled = answers.labelled()
    measured = measure(labelled, None) if labelled is not None else {}
    known: dict[str, Any] = {
        "metric": stored.metric if stored else _MAIN[asked.task],
        "metrics": {n: m.value for n, m in measured.items()},
        "intervals": {n: (m.low, m.high) for n, m in measured.items()},
    }
    return answers.profile(**known), data.name


def _learned(handle: str, data: Dataset) -> str:
    return f"{handle} has learned from {data.name}: its answers there are surer than they should be."


def _result(
    asked: Asked,
    data: Dataset,
    now: Answers,
    before: PredictionProfile | None,
    against: str,
    started: float,
    show: bool,
) -> PredictionCheck:
    labelled = now.labelled()
    measured = measure(labelled, before) if labelled is not None else {}
    estimated, why = estimate(now, before) if before is not None and not measured else ({}, "")
    made = PredictionCheck(
        model=asked.handle, dataset=data.name, reference=against, task=asked.task, target=asked.target,
        metric=before.metric if before else _MAIN[asked.task], rows=len(now.predicted),
        reference_rows=before.rows if before else 0, verdict="none", recommendation="",
        score=score_shift(before, now) if before else None, classes=class_shift(before, now) if before else None,
        labelled=0 if labelled is None else len(labelled.predicted), metrics=measured,
        calibration=calibration(labelled, before) if measured and labelled is not None else None,
        estimated=estimated, assumptions=list(ASSUMPTIONS) if estimated else [],
    )  # fmt: skip
    made.verdict, made.recommendation = judged(made)
    made.findings = [*findings(made, show_values=show), *([why] if why else [])]
    made.seconds = time.perf_counter() - started
    return made
