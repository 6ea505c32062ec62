"""Names and texts as they stand in a statement: with what they are quoted by doubled."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentkit.sqlguard.schema import TableInfo


def quoted(name: str) -> str:
    """A name: `a"b` becomes `"a""b"`."""
    return '"' + name.replace('"', '""') + '"'


def quoted_name(table: TableInfo) -> str:
    """The name of a table, with its schema."""
    return ".".join(map(quoted, (table.schema, table.name) if table.schema else (table.name,)))


def literal(text: str) -> str:
    """A text: `it's` becomes `'it''s'`."""
    return "'" + text.replace("'", "''") + "'"
