"""The tool `describe_database`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from agentkit.context import ToolContext
from agentkit.errors import BadInput, suggest
from agentkit.results import Artifact, Table, ToolResult
from agentkit_sql.card.card import Card
from agentkit_sql.listing import keys_of

_ROOM = 1_000


class DatabaseDescription(ToolResult):
    """What a database holds. `tables`: name -> columns with type, key, comment and frequent values."""

    database: str
    dialect: str
    tables: dict[str, Table]
    rows: dict[str, int | None]
    joins: list[str]
    text: str

    def brief(self) -> str:
        lines = [f"Database {self.database} ({self.dialect}), {len(self.tables)} tables."]
        room = _ROOM - len(lines[0])
        for name, table in self.tables.items():
            columns = ", ".join(str(row[0]) for row in table.rows)
            rows = f" [{self.rows[name]} rows]" if self.rows[name] is not None else ""
            line = f"{name}{rows}: {columns}"
            line = line if len(line) <= 300 else line[:297].rsplit(",", 1)[0] + ", ..."
            if len(line) > room:
                lines.append(f"and {len(self.tables) - len(lines) + 1} more tables. Name one with table=.")
                break
            lines.append(line)
            room -= len(line)
        return "\n".join([*lines, "Next: query_database answers a question about them."])

    @property
    def artifacts(self) -> list[Artifact]:
        return list(self.tables.values())


def describe_database(
    database: Annotated[str | None, Field(description="Name of the database; leave out if there is one")] = None,
    table: Annotated[str | None, Field(description="Only this table, in detail")] = None,
    *,
    ctx: ToolContext,
) -> DatabaseDescription:
    """Tell which tables and columns a database has, how they join, and what values are frequent.

    Raises BadInput for a table that is not there, DatabaseUnavailable.
    """
    from agentkit_sql.card.cache import card_of

    chosen = ctx.databases.open(database)
    card = card_of(chosen, ctx.settings)
    names = _names(card, table)
    return DatabaseDescription(
        database=chosen.name, dialect=chosen.dialect, tables={n: _table(card, n) for n in names},
        rows={n: card.names[n].rows for n in names},
        joins=[str(j) for j in card.graph.joins if {j.left, j.right} & set(names)],
        text=card.text(names),
    )  # fmt: skip


def _names(card: Card, table: str | None) -> list[str]:
    if not table:
        return list(card.names)
    found = [n for n in card.names if table.lower() in {n.lower(), n.rpartition(".")[2].lower()}]
    if not found:
        known = ", ".join(list(card.names)[:30])
        raise BadInput(f"there is no table {table!r}.{suggest(table, card.names)} Tables: {known}.")
    return found


def _table(card: Card, name: str) -> Table:
    info = card.names[name]
    keys = keys_of(info)
    rows = [
        [
            column.name,
            column.type,
            keys.get(column.name, ""),
            card.comment(info, column),
            ", ".join(card.frequent(info, column)),
        ]
        for column in info.columns
    ]
    return Table(title=name, columns=["column", "type", "key", "comment", "frequent values"], rows=rows)
