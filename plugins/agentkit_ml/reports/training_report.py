"""What a training leaves for people to look at: figures and a report in HTML, on its held-back rows."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from agentkit_ml.assess.importance import permutation_importance
from agentkit_ml.reports.pictures import Picture, draw
from agentkit_ml.reports.report import Report, write_report
from agentkit_ml.runtime import fitting_threads

if TYPE_CHECKING:
    from agentkit.context import ToolContext
    from agentkit_ml.fitting import Fitted, Job

_IMPORTANCE_SECONDS = 4.0


@dataclass(frozen=True)
class Written:
    """`pictures` and the `report`, and the seconds that they took."""

    pictures: list[Picture]
    report: Path
    seconds: float

    @property
    def files(self) -> list[Path]:
        return [*(p.path for p in self.pictures), self.report]


def write_training_report(name: str, job: Job, fitted: Fitted, ctx: ToolContext) -> Written:
    """Figures and the report of a training, in a folder of its own below the artifacts. Raises WorkspaceError."""
    began = time.perf_counter()
    training, seen = fitted.training, fitted.seen
    folder = ctx.storage.artifacts() / "trainings" / f"{name}-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
    rows = job.frame.iloc[fitted.held_back]
    with fitting_threads(rows.size):
        importances = permutation_importance(
            fitted.scored, rows, seen.truth, training, training.metric, seconds=_IMPORTANCE_SECONDS, seed=training.seed
        )
    pictures = draw(
        folder, seen, fitted.assessment, target=training.target, importances=importances, learning=fitted.learning
    )
    report = Report(
        title=f"Training of {training.target!r} on {training.dataset}", model=f"model:{name}",
        dataset=training.dataset, training=training,
        assessment=fitted.assessment, pictures=pictures, notes=fitted.assessment.notes, next_steps=_next_steps(fitted),
    )  # fmt: skip
    return Written(pictures, write_report(folder / "report.html", report), time.perf_counter() - began)


def _next_steps(fitted: Fitted) -> list[str]:
    training = fitted.training
    steps = [f.text for f in training.findings if f.level != "ok"]
    if not fitted.assessment.beats_baseline:
        steps.append("Do not use this model as it is: look for columns that say more about the target, or more rows.")
    return steps or ["Evaluate it on later data, and review it (review_training) before it is used."]
