"""Values of PostgreSQL as Python has them: what Python cannot hold, and what people read as text, stays text."""

from __future__ import annotations

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


_TEXTS = frozenset({"text", "character varying", "name"})
_AS_TEXTS = frozenset({"json", "jsonb", "xml"})
_SHORT = frozenset(
    "bigint integer smallint boolean real numeric money date time interval uuid oid inet cidr".split()  # noqa: SIM905
) | {"double precision", "timestamp without time zone", "timestamp with time zone", "time without time zone",
     "time with time zone"}  # fmt: skip


def bounded(sql: str, columns: list[tuple[str, int]], most: int) -> str:
    """The query with values of more than `most` characters or bytes cut by the server; as it is if none can be so long.

    Arrays and values of other types are cut to their first elements, or made text, only where they are so long: never
    both in one column, so arrays keep `most` elements.
    """
    kinds = [type_name(code) if psycopg.adapters.types.get(code) else "" for _, code in columns]
    if all(kind in _SHORT for kind in kinds):
        return sql
    shown = ", ".join(
        f"{_cut(f'c{i}', kind, most)} AS {_quoted(name)}"
        for i, ((name, _), kind) in enumerate(zip(columns, kinds, strict=True))
    )
    names = ", ".join(f"c{i}" for i in range(len(columns)))
    return f"SELECT {shown} FROM (\n{sql}\n) AS result({names})"  # noqa: S608


def _cut(column: str, kind: str, most: int) -> str:
    if kind in _SHORT:
        return column
    if kind == "character":  # left() takes the blanks at its end away
        return f"CASE WHEN octet_length({column}) > {most} THEN left({column}::text, {most})::bpchar ELSE {column} END"
    if kind in _TEXTS:
        return f"left({column}, {most})"
    if kind in _AS_TEXTS:
        return f"left({column}::text, {most})"
    if kind == "bytea":
        return f"substring({column} from 1 for {most})"
    if kind.endswith("[]"):
        return f"{column}[:{most // 2}]"
    return f"left({column}::text, {most})"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
