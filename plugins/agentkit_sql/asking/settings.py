"""`[sql]` of agentkit.toml, and the steps of asking that can be switched off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Annotated

import msgspec

from agentkit.errors import SettingsError

if TYPE_CHECKING:
    from agentkit.settings import Settings


class SqlSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`today` (ISO): the day that dates are relative to; None is the real one. `prompt_tokens`: of card and rules.

    `candidates`: 2 has another draft made, in another form, where the first is no good; None: 2 with a small model, 1
    with others. `corrections`: how often a model gets its statement back with the cause. `seconds`: after so many no
    further statement is begun.
    """

    today: str | None = None
    prompt_tokens: Annotated[int, msgspec.Meta(ge=500)] = 2_900
    candidates: Annotated[int, msgspec.Meta(ge=1, le=2)] | None = None
    corrections: Annotated[int, msgspec.Meta(ge=0, le=5)] = 2
    seconds: Annotated[float, msgspec.Meta(gt=0)] = 45.0


@dataclass(frozen=True)
class Steps:
    """What asking does beside the first draft; each can be left out to see what it is worth."""

    comments: bool = True
    values: bool = True
    constrained: bool = True
    binder: bool = True
    literals: bool = True
    completion: bool = True
    examples: bool = True
    feedback: bool = True
    votes: bool = True


def sql_settings(settings: Settings) -> SqlSettings:
    """The `[sql]` table. Raises SettingsError, also for a day that is none."""
    chosen = settings.section("sql", SqlSettings)
    stated_day(chosen.today)
    return chosen


def stated_day(text: str | None) -> date | None:
    """The day of an ISO date. Raises SettingsError."""
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(f"today must be a day such as 2026-03-31, not {text!r}.") from error
