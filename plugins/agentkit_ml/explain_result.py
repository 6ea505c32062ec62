"""What `explain` gives back."""

from __future__ import annotations

from pydantic import Field

from agentkit.results import Artifact, Figure, Table, ToolResult
from agentkit_ml.assess.importance import Importances
from agentkit_ml.metrics import METRICS, number
from agentkit_ml.reasons.contributions import Contributions
from agentkit_ml.reasons.effects import Effect
from agentkit_ml.reasons.what_if import WhatIf

_TOLD = 5


class ExplainResult(ToolResult):
    """What a model relies on (`importances`, `effects`), or with `row` why it says what it says of one row
    (`contributions`, `what_if`).

    `explains`: the number that is explained, such as 'probability of yes'. `method` names the methods and their
    sources. `predicted` and `truth` are of the row; `truth` is None where the file has none.
    """

    model: str
    dataset: str
    target: str
    explains: str
    method: str
    importances: Importances | None = None
    effects: list[Effect] = Field(default_factory=list)
    row: int | None = None
    predicted: str | None = None
    truth: str | None = None
    contributions: Contributions | None = None
    what_if: list[WhatIf] = Field(default_factory=list)
    figures: list[Figure] = Field(default_factory=list)

    def brief(self) -> str:
        return self._of_the_row() if self.contributions else self._of_the_model()

    def _of_the_model(self) -> str:
        assert self.importances
        found = self.importances
        strong = [i for i in found.columns if i.matters]
        label = METRICS[found.metric].label
        told = [f"{i.column} ({i.value:.3g}, 95% interval {i.low:.3g} to {i.high:.3g})" for i in strong[:_TOLD]]
        first = (
            f"{self.model} on {found.rows} rows of {self.dataset} (target {self.target!r}). It relies on (in brackets, "
            f"how much worse {label} gets when the column is shuffled): "
            f"{', '.join(told) or 'no column that can be told from chance'}."
        )
        lines = [first]
        if weak := len(found.columns) - len(strong):
            lines.append(f"{weak} columns make no difference that can be told from chance.")
        lines += [f"By {e.column} the {self.explains} {e.line()}." for e in self.effects[:_TOLD]]
        lines.append("This is what the model uses, not what causes the target. Next: explain one row with row=NUMBER.")
        return "\n".join(lines)

    def _of_the_row(self) -> str:
        assert self.contributions
        c = self.contributions
        lines = [
            f"{self.model} on row {self.row} of {self.dataset}: predicts {self.predicted!r} for {self.target!r}"
            + (f", the true value is {self.truth!r}." if self.truth is not None else "."),
            f"The {self.explains} is {number(c.answer)}; for usual rows it is {number(c.usual)}. What moves it: "
            + ", ".join(f"{k.column} = {k.value} ({k.contribution:+.3g})" for k in c.columns[:_TOLD])
            + ".",
        ]
        was = {k.column: k.value for k in c.columns}
        lines += [f"The model would say {w.answer!r} with {w.line(was)}." for w in self.what_if[:3]]
        if not self.what_if:
            lines.append("No change of one column or of two of the most important ones changes the answer.")
        return "\n".join(lines)

    @property
    def artifacts(self) -> list[Artifact]:
        made: list[Artifact] = []
        if self.importances:
            lost = f"{METRICS[self.importances.metric].label} worse by"
            rows = [[i.column, i.value, i.low, i.high] for i in self.importances.columns[:50]]
            made.append(Table(title="Permutation importance", columns=["column", lost, "95% from", "to"], rows=rows))
        if self.effects:
            told = [
                [e.column, e.direction, v, a] for e in self.effects for v, a in zip(e.values, e.answers, strict=True)
            ]
            columns = ["column", "direction", "value", self.explains]
            made.append(Table(title="Partial dependence", columns=columns, rows=told))
        if self.contributions:
            parts = [[k.column, k.value, k.contribution, k.error] for k in self.contributions.columns]
            columns = ["column", "value", "contribution", "standard error"]
            made.append(Table(title=f"What makes the {self.explains} of row {self.row}", columns=columns, rows=parts))
        if self.what_if:
            changed = [
                [", ".join(f"{c} = {v}" for c, v in w.changes.items()), w.answer, w.chance, w.distance]
                for w in self.what_if
            ]
            columns = ["change", "answer", "probability", "distance"]
            made.append(Table(title="Nearest other answers", columns=columns, rows=changed))
        return [*made, *self.figures]
