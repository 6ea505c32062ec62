"""What somebody typed: a statement or a question in words?"""

from __future__ import annotations

import re

from agentkit.sqlguard.schema import Schema

_QUERY = ("SELECT", "WITH", "VALUES", "FROM")
_OTHER = (
    "ALTER", "ANALYZE", "ATTACH", "BEGIN", "CALL", "COMMIT", "COPY", "CREATE", "DELETE", "DETACH", "DO", "DROP",
    "EXPLAIN", "GRANT", "INSERT", "INSTALL", "LOAD", "MERGE", "PRAGMA", "REVOKE", "SET", "TRUNCATE", "UPDATE", "VACUUM",
)  # fmt: skip
_COMMENT = re.compile(r"\s*(?:--[^\n]*(?:\n|$)|/\*.*?\*/)", re.DOTALL)
_WORD = re.compile(r"[\s(]*([A-Za-z]+)\b")
_MARKS = re.compile(r"[*;=<>()\"']")


def statement(sql: str) -> str:
    """A statement without the blanks around it and the semicolon at its end."""
    return sql.strip().rstrip(";").rstrip()


def is_sql(text: str, schema: Schema) -> bool:
    """True for a statement, also one with a mistake or one that is refused; False for a question.

    'SELECT' in capitals begins a statement. In small letters the text must name a table of the schema, or have the
    marks of SQL: 'select the best customers' is a question.
    """
    while found := _COMMENT.match(text):
        text = text[found.end() :]
    first = _WORD.match(text)
    if first is None:
        return False
    word = first[1]
    if word in _OTHER and _is_command(text, schema):
        return True
    if word.upper() not in _QUERY:
        return False
    if word.isupper() and (word != "FROM" or _is_query(text, schema)):
        return True
    return _is_query(text, schema) or (word.lower() in ("select", "values") and bool(_MARKS.search(text)))


def _is_query(text: str, schema: Schema) -> bool:
    """Whether it reads as a query of at least one table that is there, or of none and no column."""
    from sqlglot import exp

    tree = _tree(text, schema)
    if not isinstance(tree, exp.Query):
        return False
    known = {t.name.lower() for t in schema.tables}
    tables = [t.name.lower() for t in tree.find_all(exp.Table)]
    return any(t in known for t in tables) if tables else tree.find(exp.Column) is None


def _is_command(text: str, schema: Schema) -> bool:
    """Whether it reads as another statement: 'DO customers come back?' does not."""
    return "?" not in text and _tree(text, schema) is not None


def _tree(text: str, schema: Schema) -> object:
    import logging

    import sqlglot
    from sqlglot.errors import SqlglotError

    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    try:
        return sqlglot.parse(text, dialect=schema.dialect)[0]
    except (SqlglotError, RecursionError, ValueError, TypeError, AttributeError, KeyError, IndexError):
        return None
