"""The card of a database: its tables as the text that a chat model reads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from agentkit.sqlguard.schema import Column, Schema, TableInfo
from agentkit_sql.card.joins import Join, JoinGraph, full_name, join_graph
from agentkit_sql.card.meaning import Meaning
from agentkit_sql.card.values import FREQUENT, Values, is_text, table_key
from agentkit_sql.card.words import near, telling, words

_SHORT_COMMENT = 100
_MOST_COLUMNS = 80
_MOST_JOINS = 40


@dataclass(frozen=True)
class Card:
    """A schema, what is known of its values, and what its users said about it."""

    schema: Schema
    values: Values = field(default_factory=dict)
    meaning: Meaning = field(default_factory=Meaning)
    comments: bool = True

    @cached_property
    def graph(self) -> JoinGraph:
        return join_graph(self.schema, self.meaning.joins)

    @cached_property
    def names(self) -> dict[str, TableInfo]:
        """The tables by the name that a statement uses."""
        return {full_name(t): t for t in self.schema.tables}

    def comment(self, table: TableInfo, column: Column | None = None, longest: int = _SHORT_COMMENT) -> str:
        """What a user, or the database itself, says about a table or a column; one line of `longest` characters."""
        said = self.meaning.table(full_name(table))
        if column is None:
            return _short(said.description or table.comment, said.synonyms, longest)
        own = said.column(column.name)
        unit = f"in {own.unit}" if own.unit and own.unit not in own.description else ""
        text = own.description or column.comment
        told = text if says_more(text, f"{table.name} {column.name}") else ""
        return _short(", ".join(filter(None, (told, unit))), own.synonyms, longest)

    def frequent(self, table: TableInfo, column: Column) -> list[str]:
        return self.values.get(table_key(table), {}).get(column.name, [])

    def text(self, names: Sequence[str] | None = None, *, values: int = FREQUENT, others: int = 80) -> str:
        """The tables of these names (None: all), their joins, and the names of `others` tables that are left out."""
        chosen = list(self.names) if names is None else [n for n in self.names if n in set(names)]
        parts = [self.table_text(self.names[n], values=values) for n in chosen]
        joins = self._joins(chosen)
        if joins:
            parts.append("\n".join(["-- joins:", *(f"-- {j}" for j in joins)]))
        left_out = [n for n in self.names if n not in set(chosen)]
        if left_out and others:
            parts.append(f"-- other tables: {_listed(left_out, others)}")
        return "\n".join(parts)

    def table_text(self, table: TableInfo, *, values: int = FREQUENT) -> str:
        """One table as a CREATE statement with comments."""
        about = [self.comment(table)] if self.comments else []
        if table.rows is not None:
            about.append(f"{table.rows} rows" if table.rows != 1 else "1 row")
        head = f"CREATE {table.kind.upper()} {self._name(full_name(table))} ("
        note = ". ".join(a for a in about if a)
        lines = [f"{head} -- {note}" if note else head]
        shown = table.columns[:_MOST_COLUMNS]
        for at, column in enumerate(shown):
            lines.append(self._column(table, column, values, last=at == len(shown) - 1))
        if len(table.columns) > len(shown):
            lines.append(f"  -- and {_listed([c.name for c in table.columns[_MOST_COLUMNS:]])}")
        return "\n".join([*lines, ");"])

    def _column(self, table: TableInfo, column: Column, values: int, *, last: bool) -> str:
        line = f"  {self._name(column.name)} {short_type(column.type)}".rstrip()
        if table.primary_key == (column.name,):
            line += " PRIMARY KEY"
        line += "" if last else ","
        notes = []
        if self.comments and (said := self.comment(table, column)):
            notes.append(said)
        if self.comments and column.name.lower() in _COUNTS and kind_is_number(column.type):
            notes.append("a number to add up with SUM")
        found = self.frequent(table, column)[:values]
        if found and not _said_already(found, notes):
            shown = [f"'{v}'" if is_text(column) else v[:10] for v in found]
            notes.append((", " if is_text(column) else " to ").join(dict.fromkeys(shown)))
        return f"{line} -- {'; '.join(notes)}" if notes else line

    def _name(self, name: str) -> str:
        return ".".join(written_name(p, self.schema.dialect) for p in name.split("."))

    def _joins(self, chosen: Iterable[str]) -> list[Join]:
        shown = set(chosen)
        return [j for j in self.graph.joins if j.left in shown and j.right in shown][:_MOST_JOINS]


_FILLING = frozenset(
    re.findall(
        r"\w+",
        "assigned associated belong column contain corresponding current describe description designated field "
        "foreign given hold identifier identify identifying indicate indicating key overall particular primary record "
        "referencing related represent representing row specific specified store table unique used whether ",
    )
)
"""Words of data dictionaries that tell nothing about a column."""


def says_more(comment: str, name: str) -> bool:
    """Whether a comment has a word that the name does not: `The unique identifier of the fare` of fare.id has none."""
    known = set(words(name))
    new = telling(comment) - known - _FILLING
    return any(not near(w, known) for w in new) or bool(re.search(r"\d", comment))


_COUNTS = frozenset(("count", "cnt", "counts", "total_count", "quantity", "qty"))
"""Names of columns that hold numbers of things: rows of such a table are not what is counted."""


def kind_is_number(kind: str) -> bool:
    return any(k in kind.lower() for k in ("int", "num", "dec", "real", "double", "float"))


def short_type(kind: str) -> str:
    """A type in few letters: `timestamp`, not `timestamp without time zone`."""
    low = kind.lower()
    for long, short in (
        ("timestamp without time zone", "timestamp"),
        ("timestamp with time zone", "timestamptz"),
        ("character varying", "varchar"),
        ("double precision", "float"),
    ):
        low = low.replace(long, short)
    return re.sub(r"\((?!.*,)\d+\)", "", low)


def written_name(name: str, dialect: str) -> str:
    """The name as a statement has to write it."""
    plain = r"[a-z_][a-z0-9_$]*" if dialect == "postgres" else r"[A-Za-z_][A-Za-z0-9_]*"
    if re.fullmatch(plain, name) and name.upper() not in _RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


_RESERVED = frozenset(
    re.findall(
        r"\w+",
        "ALL AND ANY AS ASC BETWEEN BY CASE CAST CHECK COLUMN CREATE CROSS CURRENT_DATE DEFAULT DESC DISTINCT ELSE "
        "END EXCEPT FALSE FETCH FOR FOREIGN FROM FULL GRANT GROUP HAVING IN INNER INTERSECT INTO IS JOIN LEFT LIKE "
        "LIMIT NATURAL NOT NULL OFFSET ON OR ORDER OUTER PRIMARY REFERENCES RIGHT SELECT SOME TABLE THEN TO TRUE "
        "UNION UNIQUE USER USING VALUES WHEN WHERE WINDOW WITH ",
    )
)


def _short(text: str, synonyms: Iterable[str], longest: int) -> str:
    line = " ".join(text.split()).rstrip(".")
    line = line if len(line) <= longest else line[: longest - 3].rsplit(" ", 1)[0] + "..."
    also = ", ".join(synonyms)
    return "; ".join(filter(None, (line, f"also called {also}" if also else "")))


def _said_already(values: list[str], notes: list[str]) -> bool:
    return bool(notes) and all(v in notes[0] for v in values)


def _listed(names: list[str], most: int = 80) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
