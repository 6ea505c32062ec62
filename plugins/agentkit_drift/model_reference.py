"""A model as the reference: the profile of its training data, and what its columns mean to it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agentkit.errors import AgentkitError
from agentkit.handles import Handle
from agentkit.profiles import ColumnProfile, Profile
from agentkit_drift.distributions import quantile_grid
from agentkit_drift.profile_file import DriftProfile
from agentkit_drift.result import Kind
from agentkit_drift.summaries import Summary

if TYPE_CHECKING:
    from agentkit.context import ToolContext
    from agentkit.datasets import Dataset

TRAINING = "training.json"


@dataclass(frozen=True)
class ModelReference:
    """What drift needs of a model. `importance`: by column, None if it is not known. `unused`: the target, and columns
    that the training left out. `data`: what it was trained on, None if that is not there any more as it was.
    """

    handle: str
    profile: DriftProfile
    importance: Mapping[str, float] | None
    unused: frozenset[str]
    data: Dataset | None


def is_model(name: str) -> bool:
    """Whether a reference names a model rather than a data set."""
    return name.strip().startswith(("model:", "models:/", "runs:/"))


def model_reference(name: str, current: str, ctx: ToolContext) -> ModelReference:
    """The columns that a model learned from, as they were in training. Raises HandleError if there is no such model.

    The importances are those that the tool `explain` measures; without it, or if it cannot, all columns count the same.
    """
    from agentkit.stored_models import PROFILE, StoredModels, handle_of

    models = StoredModels(ctx)
    version = models.find(name)
    handle = str(handle_of(version))
    stored = Profile.model_validate_json(models.read(version.run_id, PROFILE))
    training = json.loads(models.read(version.run_id, TRAINING))
    profile = profile_of_training(stored, list(training["columns"]), handle)
    unused = frozenset({training["target"], *training["left_out"]})
    data = _unchanged(training, ctx)
    importance = _importance(Handle.parse(handle), data, current, ctx)
    return ModelReference(handle, profile, importance, unused, data)


def profile_of_training(stored: Profile, used: list[str], name: str) -> DriftProfile:
    """The columns that were used, as summaries. Shares of numbers are off by up to 1/256 between the quantiles."""
    summaries = tuple(_summary(stored[c]) for c in used if c in {s.name for s in stored.columns})
    return DriftProfile(f"training data of {name}", stored.rows, summaries)


def _summary(c: ColumnProfile) -> Summary:
    kind = _kind(c)
    base: dict[str, Any] = {"name": c.name, "rows": c.count, "missing": c.missing}
    present = c.count - c.missing
    if kind == "number" and c.quantiles and present:
        std = (c.std or 0.0) * ((present - 1) / present) ** 0.5
        grid = quantile_grid(c.quantiles, present, c.mean or 0.0, std)
        return Summary(kind="number", distribution=grid, **base)
    if kind == "date":
        ends = _date_ends(c)
        return Summary(kind="date", distribution=quantile_grid(ends, present, sum(ends) / 2, 0.0), **base)
    if kind == "category":
        levels = dict(c.top or [])
        return Summary(kind="category", levels=levels, other=present - sum(levels.values()), **base)
    return Summary(kind="id" if present else "empty", **base)


def _kind(c: ColumnProfile) -> Kind:
    if c.kind == "constant":
        return "number" if c.quantiles else "date" if c.date_format is not None else "category"
    return c.kind


def _date_ends(c: ColumnProfile) -> list[float]:
    import numpy as np

    return [float(np.datetime64(str(end)[:26], "us").astype("int64")) / 1e6 for end in (c.minimum, c.maximum)]


def _importance(handle: Handle, data: Dataset | None, current: str, ctx: ToolContext) -> Mapping[str, float] | None:
    """Measured once and kept: by what the model lost on its training file's held-back rows if the file is there."""
    kept = ctx.storage.artifacts() / "importance" / f"{handle.name}-{handle.version}.json"
    if kept.is_file():
        found: dict[str, float] = json.loads(kept.read_text(encoding="utf-8"))
        return found
    try:
        explained: Any = ctx.call("explain", model=str(handle), dataset=data.name if data else current)
        values = {i.column: max(float(i.value), 0.0) for i in explained.importances.columns}
    except (AgentkitError, AttributeError) as error:
        ctx.note(f"What the columns mean to {handle} is not known, so that all count the same: {error}")
        return None
    total = sum(values.values())
    if not total:
        return None
    shares = {column: value / total for column, value in values.items()}
    if data:
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(shares), encoding="utf-8")
        part.replace(kept)
    else:
        ctx.note(f"The training file of {handle} is not there any more: importances were measured on the current data.")
    return shares


def _unchanged(training: Mapping[str, Any], ctx: ToolContext) -> Dataset | None:
    """What the model was trained on, if it is there as it was."""
    try:
        data = ctx.dataset(training["dataset"])
        return data if data.digest == training["digest"] else None
    except AgentkitError:
        return None
