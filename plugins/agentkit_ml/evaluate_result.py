"""What `evaluate` gives back."""

from __future__ import annotations

from pydantic import Field

from agentkit.profiles import listed
from agentkit.results import Artifact, Figure, File, Table, ToolResult
from agentkit_ml.assess.assessment import Assessment, Change
from agentkit_ml.assess.fairness import Fairness
from agentkit_ml.assess.importance import Importances
from agentkit_ml.assess.significance import p_text
from agentkit_ml.assess.slices import Slice
from agentkit_ml.metrics import METRICS, number, shown

_FAR_APART = 0.1
_FEW_OF_THE_MOST = 0.8


class EvaluateResult(ToolResult):
    """How good a model is on these rows. `score` is `metrics[metric]`, `at_training` the same when trained.

    `assessment` has the intervals, tests, calibration, threshold and costs. `change`: since training, if it can be told
    from chance. `worst`: the rows with the largest errors, by their number in the file (from 0). `held_back`: these are
    the rows held back at training; `test_uses`: how often they have been looked at, this time included. `report`: the
    HTML file, if one was asked for.
    """

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
    change: Change
    assessment: Assessment
    held_back: bool
    test_uses: int | None = None
    slices: list[Slice] = Field(default_factory=list)
    fairness: list[Fairness] = Field(default_factory=list)
    importances: Importances | None = None
    worst: Table
    confusion: Table | None = None
    figures: list[Figure] = Field(default_factory=list)
    report: str | None = None

    def brief(self) -> str:
        return "\n".join(
            [
                f"{self.model} on {self.dataset} (target {self.target!r}): {self.assessment.line()}",
                *self._since_training(),
                f"Also: {', '.join(self._others())}.",
                *self._probabilities(),
                *self._parts(),
                *self._relies_on(),
                *([f"Report: {self.report}"] if self.report else []),
            ]
        )

    def _others(self) -> list[str]:
        told = [m for m in self.metrics if m not in (self.metric, "f1_macro", "mcc", "brier")]
        return [shown(m, self.metrics[m]) for m in (told or list(self.metrics))[:5]]

    def _since_training(self) -> list[str]:
        if self.held_back:
            return []
        at = f"At training it had {number(self.at_training)} on its held-back rows"
        told = {
            "none": ": no clear change.",
            "better": ": now it is clearly better.",
            "worse": ": now it is clearly worse. Next: detect_drift tells which columns changed.",
            "unknown": ".",
        }
        return [at + told[self.change]]

    def _probabilities(self) -> list[str]:
        lines = []
        calibrated, cut, costs = self.assessment.calibration, self.assessment.threshold, self.assessment.costs
        if calibrated and calibrated.tendency:
            lines.append(f"Probabilities are {calibrated.tendency} (calibration error {number(calibrated.error)}).")
        if cut and cut.pays:
            name = "mean cost a row" if cut.metric == "cost" else METRICS[cut.metric].label
            lines.append(
                f"Best threshold: {number(cut.threshold)} instead of 0.5 makes {name} {number(cut.value)} instead of "
                f"{number(cut.default)}."
            )
        if costs:
            how = "" if costs.best <= costs.now else ", which is worse, for the probabilities do not fit"
            lines.append(
                f"Mean cost a row: {number(costs.now)} as predicted, {number(costs.baseline)} without a model, "
                f"{number(costs.best)} with the answer of the least expected cost{how}."
            )
        return lines

    def _parts(self) -> list[str]:
        lines = []
        if worse := [s for s in self.slices if s.worse]:
            told = [f"{s.column} = {s.value} ({number(s.score or 0.0)}, {s.rows} rows)" for s in worse[:3]]
            more = f" and {len(worse) - 3} more" if len(worse) > 3 else ""
            lines.append(f"Clearly worse than on other rows where {'; '.join(told)}{more}.")
        elif self.slices:
            lines.append(
                f"No part of {listed(sorted({s.column for s in self.slices}))} is clearly worse than the rest."
            )
        for f in self.fairness:
            apart = [r for r, d in f.differences.items() if d > _FAR_APART and f.ratios.get(r, 1) < _FEW_OF_THE_MOST]
            told = [f"{r} differs by {number(f.differences[r])}" for r in apart[:2]]
            lines.append(f"Groups of {f.column!r}: {', '.join(told) or 'rates are alike'}.")
        return lines

    def _relies_on(self) -> list[str]:
        strong = [i.column for i in self.importances.columns if i.matters] if self.importances else []
        return [f"It relies most on {listed(strong, 3)}."] if strong else []

    @property
    def artifacts(self) -> list[Artifact]:
        made: list[Artifact] = [self._measured()]
        made += [t for t in (self.confusion, *self._slice_tables(), self._important(), self.worst) if t and t.rows]
        return [*made, *self.figures, *([File(path=self.report)] if self.report else [])]

    def _measured(self) -> Table:
        rows = [
            [METRICS[n].label, m.value, m.low, m.high, m.baseline, "" if m.p is None else p_text(m.p)]
            for n, m in self.assessment.metrics.items()
        ]
        columns = ["metric", "value", "95% from", "to", "without a model", "difference"]
        return Table(title=f"{self.model} on {self.dataset}", columns=columns, rows=rows)

    def _slice_tables(self) -> list[Table]:
        made = []
        if self.slices:
            rows = [
                [s.column, s.value, s.rows, s.score, s.low, s.high, s.rest,
                 "worse" if s.worse else "few rows" if s.small else ""] for s in self.slices
            ]  # fmt: skip
            columns = ["column", "value", "rows", METRICS[self.metric].label, "95% from", "to", "other rows", ""]
            made.append(Table(title="Parts of the rows", columns=columns, rows=rows))
        for f in self.fairness:
            names = list(f.groups[0].rates)
            rows = [[g.group, g.rows, *g.rates.values()] for g in f.groups]
            rows += [["largest difference", None, *(f.differences.get(n) for n in names)]]
            rows += [["smallest ratio", None, *(f.ratios.get(n) for n in names)]]
            made.append(Table(title=f"Groups of {f.column}", columns=["group", "rows", *names], rows=rows))
        return made

    def _important(self) -> Table | None:
        if not self.importances:
            return None
        lost = f"{METRICS[self.importances.metric].label} worse by"
        rows = [[i.column, i.value, i.low, i.high] for i in self.importances.columns[:30]]
        return Table(title="What the model relies on", columns=["column", lost, "95% from", "to"], rows=rows)
