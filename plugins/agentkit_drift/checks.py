"""One check: the columns, and the model's answers if the reference is a model. What the commands and watches share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentkit.errors import BadInput, DatasetError
from agentkit_drift.prediction_result import PredictionCheck
from agentkit_drift.result import DriftResult, Verdict

if TYPE_CHECKING:
    from agentkit.context import ToolContext

_ORDER: tuple[Verdict, ...] = ("none", "watch", "drift")


@dataclass(frozen=True)
class Question:
    """What to compare. `predictions`: also check what the model says; None: if the reference is a model.

    `model`: whose answers to check, if that is not the reference.
    """

    reference: str
    current: str
    columns: Sequence[str] | None = None
    method: str = "auto"
    time_column: str | None = None
    predictions: bool | None = None
    model: str | None = None

    @property
    def asked_model(self) -> str | None:
        """The model whose answers are to be checked, None if none is. Raises BadInput if there is none to ask."""
        named = self.model or (self.reference if is_model(self.reference) else None)
        if self.predictions and named is None:
            raise BadInput("predictions can be checked of a model only: name one as the reference or with --model.")
        return None if self.predictions is False else named


@dataclass(frozen=True)
class Check:
    """What was found. `predictions` is None if none were checked."""

    drift: DriftResult
    predictions: PredictionCheck | None = None

    @property
    def verdict(self) -> Verdict:
        """The graver one of both."""
        return worst(self.drift.verdict, *([self.predictions.verdict] if self.predictions else []))

    def brief(self) -> str:
        """What was found, in a few lines."""
        return "\n\n".join([self.drift.whole(), *([self.predictions.whole()] if self.predictions else [])])

    def as_json(self) -> dict[str, Any]:
        """Plain data, as `agentkit drift check --json` prints them."""
        found = self.predictions.model_dump(mode="json") if self.predictions else None
        return {"verdict": self.verdict, "drift": self.drift.model_dump(mode="json"), "predictions": found}

    @classmethod
    def from_json(cls, data: Any, name: str) -> Check:
        """The check that `as_json` made these data of. Raises BadInput that names the file if it is another's."""
        from pydantic import ValidationError

        try:
            found = data["predictions"]
            return cls(
                DriftResult.model_validate(data["drift"]), PredictionCheck.model_validate(found) if found else None
            )
        except (KeyError, TypeError, ValidationError) as error:
            raise BadInput(f"{name!r} holds no result of `agentkit drift check --json`.") from error


def worst(*verdicts: Verdict) -> Verdict:
    """The gravest of several verdicts, 'none' of none."""
    return max(verdicts, key=_ORDER.index, default="none")


def is_model(name: str) -> bool:
    """True for a handle or an MLflow URI of a model."""
    return name.strip().startswith(("model:", "models:/", "runs:/"))


def run_check(question: Question, ctx: ToolContext) -> Check:
    """Compare, and ask the model. Columns that the model needs and the data lack are drift: a note tells of them."""
    given = {"columns": question.columns, "time_column": question.time_column}
    args: dict[str, Any] = {name: value for name, value in given.items() if value}
    model = question.asked_model
    current = _read_once(question.current, ctx)
    drift = ctx.call("detect_drift", reference=question.reference, current=current, method=question.method, **args)
    assert isinstance(drift, DriftResult)
    asked = question.current if current != question.current else None
    drift = drift.model_copy(update={"current": asked} if asked else {})
    if model is None:
        return Check(drift)
    try:
        found = ctx.call("check_predictions", model=model, dataset=current)
    except DatasetError as error:
        if question.predictions:
            raise
        return Check(drift.model_copy(update={"notes": [*drift.notes, f"Predictions could not be checked: {error}"]}))
    assert isinstance(found, PredictionCheck)
    return Check(drift, found.model_copy(update={"dataset": asked} if asked else {}))


def _read_once(name: str, ctx: ToolContext) -> str:
    """The handle of the rows that a query gives now, so that columns and answers are of the same rows."""
    from agentkit.query_datasets import is_query

    if not is_query(name) or name.strip().startswith("table:"):
        return name
    return f"table:{ctx.dataset(name).path.stem}"


def write_outputs(
    check: Check,
    *,
    html: Path | None = None,
    prometheus: Path | None = None,
    figure: Path | None = None,
    labels: Mapping[str, str] | None = None,
) -> None:
    """The files that were asked for; `labels`: of every metric. Raises WorkspaceError if one cannot be written."""
    from agentkit.pages import write_page
    from agentkit_drift.reports.figures import draw_columns
    from agentkit_drift.reports.prometheus import prometheus_text
    from agentkit_drift.reports.report import write_report

    if html is not None:
        write_report(html, check.drift, check.predictions)
    if prometheus is not None:
        write_page(prometheus, prometheus_text(check.drift, check.predictions, labels))
    if figure is not None:
        draw_columns(check.drift, figure)
