"""The tool `review_training`."""

from __future__ import annotations

import textwrap
from typing import Annotated, Literal

from pydantic import Field

from agentkit.context import ToolContext
from agentkit.results import Artifact, Table, ToolResult
from agentkit_ml.record import Finding
from agentkit_ml.registry.tracking import Tracking
from agentkit_ml.runtime import prepare_process

Verdict = Literal["READY", "NEEDS WORK", "BLOCKED"]

_MOST_TOLD = 5
_LINE = 210
_MEANS = {
    "READY": "Every gate is passed.",
    "NEEDS WORK": "A person should look at these before the model is used:",
    "BLOCKED": "Do not use this model:",
}
_NEXT = {
    "READY": "Next: evaluate it on rows that nobody has looked at, then predict.",
    "NEEDS WORK": "Next: correct the data or the call, train again and review again; or say why it does not matter.",
    "BLOCKED": "Next: correct what is blocked, train again and review again.",
}


class ReviewResult(ToolResult):
    """The gates of a training, the worst first. `verdict`: BLOCKED if one blocks, NEEDS WORK if one warns."""

    model: str
    verdict: Verdict
    gates: list[Finding]

    def brief(self) -> str:
        failed = [g for g in self.gates if g.level != "ok"]
        passed = len(self.gates) - len(failed)
        lines = [f"{self.model}: {self.verdict}. {passed} of {len(self.gates)} gates passed. {_MEANS[self.verdict]}"]
        lines += [textwrap.shorten(f"- {g.gate} ({g.level}): {g.text}", _LINE) for g in failed[:_MOST_TOLD]]
        if len(failed) > _MOST_TOLD:
            lines.append(f"- and {', '.join(g.gate for g in failed[_MOST_TOLD:])}")
        return "\n".join([*lines, _NEXT[self.verdict]])

    @property
    def artifacts(self) -> list[Artifact]:
        rows = [[g.gate, g.level, g.value, ", ".join(g.columns[:5]), g.text] for g in self.gates]
        columns = ["gate", "level", "value", "columns", "finding"]
        return [Table(title=f"{self.model}: {self.verdict}", columns=columns, rows=rows)]


def review_training(
    model: Annotated[
        str, Field(description="Handle of a trained model, such as model:NAME/1 or model:NAME for the latest")
    ],
    *,
    ctx: ToolContext,
) -> ReviewResult:
    """Check whether a training can be trusted: leaks, split, metric, baseline, record, stored model.

    Reads what was recorded and loads the stored model; nothing is trained. Raises HandleError for an unknown model.
    """
    from agentkit_ml.gates import gates

    prepare_process()
    found = Tracking(ctx).model(model)
    ctx.progress(f"Reviewing {found.handle}", 0.1)
    checked = gates(found, ctx)
    levels = {g.level for g in checked}
    verdict: Verdict = "BLOCKED" if "block" in levels else "NEEDS WORK" if "warn" in levels else "READY"
    return ReviewResult(model=str(found.handle), verdict=verdict, gates=checked)
