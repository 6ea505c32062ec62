"""Answers that a person found right, kept as examples for questions like them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agentkit.errors import BadInput
from agentkit.sqlguard.limits import Limits
from agentkit_sql.card.meaning import EXAMPLES, Example, keep_example, kept_examples
from agentkit_sql.typed import statement

if TYPE_CHECKING:
    from agentkit.databases import Database
    from agentkit.settings import Settings

_CHECKED_ROWS = 5


@dataclass(frozen=True)
class Kept:
    """Where an example is, whether it is new there, and how many rows its statement gave (at most 5)."""

    file: Path
    new: bool
    rows: int


def keep_verified(database: Database, question: str, sql: str, settings: Settings) -> Kept:
    """Run a statement, and keep it as the answer to a question if it works.

    Raises what running raises, BadInput for an empty question, SettingsError for a database without a name.
    """
    asked = " ".join(question.split())
    if not asked:
        raise BadInput("the question is empty: say in words what the statement answers.")
    example = Example(asked, statement(sql))
    rows = len(database.run(example.sql, Limits(rows=_CHECKED_ROWS)).all())
    if example in kept_examples(database.name, settings):
        return Kept(settings.folder / f"{database.name}{EXAMPLES}", new=False, rows=rows)
    return Kept(keep_example(database.name, example, settings), new=True, rows=rows)
