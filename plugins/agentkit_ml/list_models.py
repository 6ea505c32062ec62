"""The tool `list_models`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from agentkit.context import ToolContext
from agentkit.handles import Handle
from agentkit.results import BRIEF_LIMIT, Artifact, Table, ToolResult
from agentkit_ml.metrics import shown
from agentkit_ml.registry.recording import SIZE_TAG
from agentkit_ml.registry.tracking import Tracking

_MOST_SHOWN = 10
_ROOM = 60
"""Characters for the lines that say how many there are."""


class ModelEntry(BaseModel):
    """One registered model. `score` is on the rows held back at training; `created` is UTC, ISO 8601.

    `rows`: those it learned from. `bytes`: of its file. Both are None for models of earlier versions of agentkit.
    """

    model: str
    task: str
    target: str
    algorithm: str
    metric: str
    score: float
    dataset: str
    created: str
    run_id: str
    aliases: list[str] = []
    rows: int | None = None
    bytes: int | None = None

    def line(self) -> str:
        """The model in one line."""
        named = "".join(f" @{alias}" for alias in self.aliases)
        result = f"predicts {self.target!r} ({self.task}), {shown(self.metric, self.score)}"
        size = "" if self.bytes is None else f", {self.bytes / 1e6:.1f} MB"
        return f"{self.model}{named}: {result}, {self.algorithm}, from {self.dataset}, {self.created[:16]}{size}"


class ModelList(ToolResult):
    """Registered models, the newest first."""

    models: list[ModelEntry]
    name: str | None = None

    def brief(self) -> str:
        if not self.models and self.name:
            return f"No models of the name {self.name!r}. Without a name, all are listed."
        if not self.models:
            return "No models have been trained yet. Use train to make one."
        lines = [m.line() for m in self.models[:_MOST_SHOWN]]
        while sum(map(len, lines)) + len(lines) > BRIEF_LIMIT - _ROOM:
            lines.pop()
        more = len(self.models) - len(lines)
        return "\n".join([f"{len(self.models)} models:", *lines, *([f"and {more} older ones"] if more else [])])

    @property
    def artifacts(self) -> list[Artifact]:
        columns = list(ModelEntry.model_fields)
        rows = [list((m.model_dump() | {"aliases": ", ".join(m.aliases)}).values()) for m in self.models]
        return [Table(title="Models", columns=columns, rows=rows, units={"bytes": "B"})]


def list_models(
    name: Annotated[str | None, Field(description="Only versions of this model")] = None, *, ctx: ToolContext
) -> ModelList:
    """List what was trained here. Raises HandleError if `name` cannot be a model's name."""
    wanted = Handle.parse(name if ":" in name else f"model:{name}").name if name else None
    tracking = Tracking(ctx)
    aliases = tracking.aliases(wanted)
    models = [_entry(v, aliases.get((v.name, int(v.version)), [])) for v in tracking.versions(wanted)]
    return ModelList(models=models, name=wanted)


def _entry(version: Any, aliases: list[str]) -> ModelEntry:
    tags: dict[str, str] = version.tags
    created = datetime.fromtimestamp(version.creation_timestamp / 1000, UTC)
    return ModelEntry(
        model=str(Handle("model", version.name, int(version.version))),
        score=float(tags["score"]), created=created.isoformat(timespec="seconds"),
        run_id=version.run_id, aliases=sorted(aliases), rows=_number(tags.get("rows")),
        bytes=_number(tags.get(SIZE_TAG)),
        **{k: tags[k] for k in ("task", "target", "algorithm", "metric", "dataset")},
    )  # fmt: skip


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)
