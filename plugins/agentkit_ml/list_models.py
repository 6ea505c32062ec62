"""The tool `list_models`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from agentkit.context import ToolContext
from agentkit.handles import Handle
from agentkit.results import Artifact, Table, ToolResult
from agentkit_ml.metrics import shown
from agentkit_ml.tracking import Tracking

_MOST_SHOWN = 10


class ModelEntry(BaseModel):
    """One registered model. `score` is on the rows held back at training; `created` is UTC, ISO 8601."""

    model: str
    task: str
    target: str
    algorithm: str
    metric: str
    score: float
    dataset: str
    created: str
    run_id: str

    def line(self) -> str:
        """The model in one line."""
        result = f"predicts {self.target!r} ({self.task}), {shown(self.metric, self.score)}"
        return f"{self.model}: {result}, {self.algorithm}, from {self.dataset}, {self.created[:16]}"


class ModelList(ToolResult):
    """Registered models, the newest first."""

    models: list[ModelEntry]

    def brief(self) -> str:
        if not self.models:
            return "No models have been trained yet. Use train to make one."
        lines = [m.line() for m in self.models[:_MOST_SHOWN]]
        more = len(self.models) - len(lines)
        return "\n".join([f"{len(self.models)} models:", *lines, *([f"and {more} older ones"] if more else [])])

    @property
    def artifacts(self) -> list[Artifact]:
        columns = list(ModelEntry.model_fields)
        return [Table(title="Models", columns=columns, rows=[list(m.model_dump().values()) for m in self.models])]


def list_models(
    name: Annotated[str | None, Field(description="Only versions of this model")] = None, *, ctx: ToolContext
) -> ModelList:
    """List what was trained here. Raises HandleError if `name` cannot be a model's name."""
    wanted = Handle.parse(name if ":" in name else f"model:{name}").name if name else None
    return ModelList(models=[_entry(v) for v in Tracking(ctx).versions(wanted)])


def _entry(version: Any) -> ModelEntry:
    tags: dict[str, str] = version.tags
    created = datetime.fromtimestamp(version.creation_timestamp / 1000, UTC)
    return ModelEntry(
        model=str(Handle("model", version.name, int(version.version))),
        score=float(tags["score"]), created=created.isoformat(timespec="seconds"),
        run_id=version.run_id,
        **{k: tags[k] for k in ("task", "target", "algorithm", "metric", "dataset")},
    )  # fmt: skip
