"""Aliases of a model's versions: `champion`, which is used, and `challenger`, which may take its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentkit.handles import Handle
from agentkit_ml.metrics import better, shown

if TYPE_CHECKING:
    from agentkit_ml.registry.tracking import Tracking, TrainedModel

CHAMPION = "champion"
CHALLENGER = "challenger"


@dataclass(frozen=True)
class Placed:
    """The alias that a new version got, and why, as a sentence."""

    alias: str
    why: str


def place(found: TrainedModel, held_back: list[int]) -> Placed:
    """Give a new version its alias: the first is the champion, a later one only if it is better on the same rows.

    The metric is the champion's. Other data, other held-back rows or another target make no fair comparison: such a
    version is the challenger until a person promotes it.
    """
    tracking, name = found.tracking, found.handle.name
    champion = tracking.by_alias(name, CHAMPION)
    if champion is None:
        tracking.set_alias(found.handle, CHAMPION)
        return Placed(CHAMPION, f"{found.handle} is the first version, so it is the champion.")
    ahead, why = _compared(found, champion, held_back)
    if ahead:
        promote(tracking, found.handle)
        return Placed(CHAMPION, f"{found.handle} is the champion now: {why}.")
    tracking.set_alias(found.handle, CHALLENGER)
    return Placed(
        CHALLENGER,
        f"{found.handle} is the challenger of {champion.handle}: {why}. "
        f"`agentkit ml promote {found.handle}` makes it the champion.",
    )


def promote(tracking: Tracking, handle: Handle) -> Handle | None:
    """Make a version the champion. The handle of the one before, None if there was none or it was this one."""
    before = tracking.by_alias(handle.name, CHAMPION)
    tracking.set_alias(handle, CHAMPION)
    # it was the challenger, or the challenger of another champion
    tracking.remove_alias(handle.name, CHALLENGER)
    return before.handle if before is not None and before.handle != handle else None


def _compared(new: TrainedModel, champion: TrainedModel, held_back: list[int]) -> tuple[bool, str]:
    one, other = new.training, champion.training
    metric = other.metric
    if one.target != other.target or metric not in one.metrics:
        return False, f"it predicts {one.target!r}, the champion {other.target!r}"
    if one.digest != other.digest or sorted(champion.held_back()) != sorted(held_back):
        return False, "they were scored on different rows"
    ahead = better(metric, one.metrics[metric], other.metrics[metric])
    scores = f"{shown(metric, one.metrics[metric])} against {shown(metric, other.metrics[metric])}"
    return ahead, f"{scores} on the same {one.test_rows} held-back rows"
