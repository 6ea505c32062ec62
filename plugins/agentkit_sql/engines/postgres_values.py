"""Values of PostgreSQL as Python has them: what Python cannot hold, and what people read as text, stays text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.adapt import Loader
from psycopg.types.datetime import (
    DateLoader,
    IntervalLoader,
    TimeLoader,
    TimestampLoader,
    TimestamptzLoader,
    TimetzLoader,
)
from psycopg.types.string import TextLoader

from agentkit_sql.engines.quoting import quoted

_AS_TEXT = ("json", "jsonb", "uuid", "inet", "cidr", "jsonpath")


def _or_text(loader: type[Loader]) -> type[Loader]:
    class OrText(loader):  # type: ignore[valid-type, misc]
        """Falls back to the server's text: 'infinity', years before 1 or after 9999, months in intervals."""

        def load(self, data: Any) -> Any:
            try:
                return super().load(data)
            except (psycopg.DataError, OverflowError, ValueError):
                return bytes(data).decode()

    return OrText


class _Span(_or_text(IntervalLoader)):  # type: ignore[misc]
    """Months have no length of their own: an interval with some stays the server's text."""

    def load(self, data: Any) -> Any:
        text = bytes(data)
        return text.decode() if b"mon" in text or b"year" in text else super().load(data)


_LOADERS: dict[str, Any] = {
    "date": _or_text(DateLoader),
    "time": _or_text(TimeLoader),
    "timetz": _or_text(TimetzLoader),
    "timestamp": _or_text(TimestampLoader),
    "timestamptz": _or_text(TimestamptzLoader),
    "interval": _Span,
}


def widened(connection: psycopg.Connection[Any]) -> None:
    """Let a connection return every value of every type."""
    for name in _AS_TEXT:
        connection.adapters.register_loader(name, TextLoader)
    for name, loader in _LOADERS.items():
        connection.adapters.register_loader(name, loader)


def type_name(code: int) -> str:
    """The name of a type as people write it, 'text' for one that psycopg does not know."""
    known = psycopg.adapters.types.get(code)
    if known is None:
        return "text"
    return f"{known.regtype}[]" if known.array_oid == code else known.regtype


_SHORT_WIDTH = 32
_DIGITS = 1_000
_ARRAY = 4
"""So many times the characters of another value an array's text may have before it is cut by the server."""
_TEXTS = frozenset({"text", "character varying", "name"})
_AS_TEXTS = frozenset({"json", "jsonb", "xml"})
_SHORT = frozenset(
    "bigint integer smallint boolean real money date time interval uuid oid inet cidr".split()  # noqa: SIM905
) | {"double precision", "timestamp without time zone", "timestamp with time zone", "time without time zone",
     "time with time zone"}  # fmt: skip


@dataclass(frozen=True)
class Described:
    """A column as the server describes it: its type's number, and what the type was declared with (-1: nothing)."""

    name: str
    code: int
    modifier: int

    @property
    def kind(self) -> str:
        """The name of its type, '' for one that psycopg does not know."""
        return type_name(self.code) if psycopg.adapters.types.get(self.code) else ""

    @property
    def is_short(self) -> bool:
        """True for values of some bytes: numbers, dates, and what is declared with a precision."""
        return self.kind in _SHORT or (self.kind == "numeric" and self.modifier >= 0)

    def width(self, most: int) -> int:
        """The most characters of a value that is cut at `most`."""
        if self.is_short:
            return _SHORT_WIDTH
        if self.kind.endswith("[]"):
            return _ARRAY * most
        declared = self.modifier - 4 if self.kind in ("character varying", "character") and self.modifier >= 4 else most
        return min(declared, most)


def bounded(sql: str, columns: list[Described], most: int) -> str:
    """The query with values of more than `most` characters or bytes cut by the server; as it is if none can be so long.

    What is cut keeps its type, and stays longer than `most` by a little where it must: whoever counts its characters
    cuts it again, and tells so.
    """
    if all(column.is_short for column in columns):
        return sql
    shown = ", ".join(
        f"{f'c{i}' if column.is_short else _cut(f'c{i}', column.kind, most)} AS {quoted(column.name)}"
        for i, column in enumerate(columns)
    )
    names = ", ".join(f"c{i}" for i in range(len(columns)))
    return f"SELECT {shown} FROM (\n{sql}\n) AS result({names})"  # noqa: S608


def _cut(column: str, kind: str, most: int) -> str:
    if kind == "numeric":  # its first digits: too many all the same, so the rest of agentkit tells that it is cut
        is_short = f"{column} > -1e{_DIGITS} AND {column} < 1e{_DIGITS} AND scale({column}) < {_DIGITS}"
        return f"CASE WHEN {is_short} THEN {column} ELSE left({column}::text, {most})::numeric END"
    if kind == "character":  # left() takes the blanks at its end away
        return f"CASE WHEN octet_length({column}) > {most} THEN left({column}::text, {most})::bpchar ELSE {column} END"
    if kind in _TEXTS:
        return f"left({column}, {most})"
    if kind in _AS_TEXTS:
        return f"left({column}::text, {most})"
    if kind == "bytea":
        return f"substring({column} from 1 for {most})"
    if kind.endswith("[]"):
        return _cut_array(column, kind.removesuffix("[]"), most)
    return f"left({column}::text, {most})"


def _cut_array(column: str, element: str, most: int) -> str:
    """Short elements: the first ones. Others: where they are too long in all, the array's text as one element."""
    if element in _SHORT or element == "name":
        return f"{column}[:{most // 2}]"
    text = f"left({column}::text, {most})"
    whole = {
        "numeric": f"{column}[:4]", "bytea": f"ARRAY[convert_to({text}, 'UTF8')]", "json": f"ARRAY[to_json({text})]",
        "jsonb": f"ARRAY[to_jsonb({text})]", **{kind: f"ARRAY[{text}]::{kind}[]" for kind in (*_TEXTS, "character")},
    }  # fmt: skip
    if element not in whole:
        return text
    return f"CASE WHEN octet_length({column}::text) > {_ARRAY * most} THEN {whole[element]} ELSE {column} END"
