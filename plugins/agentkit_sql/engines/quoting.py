"""Names and texts as they stand in a statement: with what they are quoted by doubled."""

from __future__ import annotations


def quoted(name: str) -> str:
    """A name: `a"b` becomes `"a""b"`."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text: `it's` becomes `'it''s'`."""
    return "'" + text.replace("'", "''") + "'"
