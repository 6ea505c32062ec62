"""How the answer changes with one column: partial dependence (Friedman 2001), summarised in words.

Every row gets the same value in the column, the answers are averaged, and so for several values. Where columns go
together, some of these rows could not exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from agentkit_ml.reasons.background import choices
from agentkit_ml.reasons.what_if import cell_text

if TYPE_CHECKING:
    from pandas import DataFrame

    from agentkit.profiles import Profile
    from agentkit_ml.reasons.response import Response

MOST_ROWS = 300

_MIXED = 0.2
_FLAT = 0.02

Direction = Literal["rises", "falls", "rises and falls", "hardly changes", "differs by value"]


class Effect(BaseModel):
    """The mean answer for each value tried; `direction` as the values grow, or `differs by value` for categories."""

    model_config = ConfigDict(frozen=True)

    column: str
    kind: str
    values: list[str]
    answers: list[float]
    direction: Direction

    def line(self) -> str:
        """'rises from 0.2 (at 1) to 0.8 (at 28)'."""
        low, high = (self.answers.index(f(self.answers)) for f in (min, max))
        if self.direction in ("rises", "falls"):
            first, last = (low, high) if self.direction == "rises" else (high, low)
            return f"{self.direction} from {self._at(first)} to {self._at(last)}"
        if self.direction == "hardly changes":
            return "hardly changes"
        return f"{self.direction}: least {self._at(low)}, most {self._at(high)}"

    def _at(self, i: int) -> str:
        return f"{self.answers[i]:.3g} (at {self.values[i]})"


def effect(response: Response, frame: DataFrame, profile: Profile, column: str, seed: int = 20) -> Effect | None:
    """Of one column on at most 300 of these rows. None where there are no values to try, as for free text."""
    import numpy as np
    import pandas as pd

    kind = response.training.columns[column]
    values = choices(profile[column], kind)
    if len(values) < 2:
        return None
    if len(frame) > MOST_ROWS:
        frame = frame.iloc[np.random.default_rng(seed).choice(len(frame), MOST_ROWS, replace=False)]
    frames = [frame.assign(**{column: pd.Series([value] * len(frame), index=frame.index)}) for value in values]
    answers = response(pd.concat(frames, ignore_index=True)).reshape(len(values), len(frame)).mean(axis=1)
    spread = float(np.std(response(frame)))
    return Effect(
        column=column, kind=kind, values=[cell_text(v) for v in values], answers=[float(a) for a in answers],
        direction=_direction(answers, kind, spread),
    )  # fmt: skip


def _direction(answers: Any, kind: str, spread: float) -> Direction:
    import numpy as np

    if np.ptp(answers) <= _FLAT * max(spread, 1e-12):
        return "hardly changes"
    if kind == "category":
        return "differs by value"
    steps = np.diff(answers)
    up, down = float(steps[steps > 0].sum()), float(-steps[steps < 0].sum())
    if min(up, down) > _MIXED * max(up, down):
        return "rises and falls"
    return "rises" if up > down else "falls"
