"""A training or an evaluation as one HTML file that needs nothing else."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentkit.pages import render, write_page
from agentkit.results import Table
from agentkit_ml.assess.assessment import Assessment
from agentkit_ml.assess.significance import p_text
from agentkit_ml.engine.families import label
from agentkit_ml.metrics import METRICS, better, number

if TYPE_CHECKING:
    from agentkit_ml.assess.fairness import Fairness
    from agentkit_ml.assess.slices import Slice
    from agentkit_ml.record import Training
    from agentkit_ml.reports.pictures import Picture

_MOST_CANDIDATES = 15

TEMPLATE = Path(__file__).parent / "templates" / "report.html.jinja"


@dataclass(frozen=True)
class Report:
    """What a report tells. `model`: the handle. `dataset`: that of `assessment`, which a training shares.

    `assessment` is on rows that the model has not learned from. `tables`: more tables, each with a title, such as the
    rows with the worst errors. `next_steps`: sentences. Empty parts are left out of the page.
    """

    title: str
    model: str
    dataset: str
    training: Training
    assessment: Assessment
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()
    slices: Sequence[Slice] = ()
    fairness: Sequence[Fairness] = ()
    notes: Sequence[str] = ()
    next_steps: Sequence[str] = ()
    made: datetime = field(default_factory=lambda: datetime.now(UTC))


def write_report(path: Path, report: Report) -> Path:
    """Write the page; it appears when it is complete. Raises WorkspaceError if it cannot be written."""
    return write_page(path, html(report))


def html(report: Report) -> str:
    """The page as text."""
    return render(
        TEMPLATE, report.title, made=report.made,
        filters={"number": _shown, "cell": _cell, "p": p_text, "label": lambda m: METRICS[m].label},
        r=report, t=report.training, a=report.assessment, verdict=_verdict(report), gates=_gates(report),
        pictures=[(p, _embedded(p.path)) for p in report.pictures],
        same_data=report.dataset == report.training.dataset, candidates=_candidates(report.training),
        without_score=_without_score(report.training),
        members={label(name): weight for name, weight in report.training.weights.items()},
    )  # fmt: skip


def _shown(value: Any) -> str:
    """Numbers as in the briefs, nothing as a dash, all else as it is."""
    if value is None:
        return "–"
    return number(value) if isinstance(value, float) else f"{value:,}" if type(value) is int else str(value)


def _cell(value: Any) -> str:
    """A cell of the data: whole numbers without separators, for they may be years or ids."""
    return str(value) if type(value) is int else _shown(value)


def _embedded(path: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"


def _verdict(report: Report) -> tuple[str, str]:
    """The level (ok, warn, block) and the sentence at the top of the page."""
    found = report.assessment
    if any(f.level == "block" for f in report.training.findings):
        return "block", "The score cannot be believed: see what the checks found."
    if found.main.baseline is None:
        return "ok", "Measured without a baseline to compare with."
    if found.beats_baseline:
        return "ok", "Better than guessing without a model, and more than chance would make it."
    if better(found.metric, found.score, found.main.baseline):
        return "warn", "Better than guessing without a model, but chance alone could make such a difference."
    return "block", "No better than guessing without a model."


def _gates(report: Report) -> list[tuple[str, str, str]]:
    """(level, name, text): the findings of the training, the gravest first."""
    order = {"block": 0, "warn": 1, "ok": 2}
    made = [(f.level, f.gate, f.text) for f in report.training.findings]
    calibrated = report.assessment.calibration
    if calibrated is not None:
        how = f"The calibration error is {number(calibrated.error)}; chance makes up to {number(calibrated.chance)}."
        tendency = f" Probabilities are {calibrated.tendency}." if calibrated.tendency else ""
        made.append(("ok" if calibrated.ok else "warn", "calibration", how + tendency))
    return sorted(made, key=lambda gate: order[gate[0]])


def _candidates(training: Training) -> list[tuple[str, float, int, float, str]]:
    """Settings that were scored (algorithm, score, folds, seconds, settings), the best first, at most 15."""
    sign = -1 if METRICS[training.metric].greater_is_better else 1
    scored = [
        (c.algorithm, c.score, c.folds, c.seconds, ", ".join(f"{k}={_shown(v)}" for k, v in c.params.items()))
        for c in training.candidates
        if c.score is not None
    ]
    return sorted(scored, key=lambda c: sign * c[1])[:_MOST_CANDIDATES]


def _without_score(training: Training) -> list[tuple[int, str]]:
    """How many settings got no score, by the reason."""
    return [(n, why) for why, n in Counter(c.skipped for c in training.candidates if c.score is None).most_common()]
