"""Values of PostgreSQL as Python has them: what Python cannot hold, and what people read as text, stays text."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.adapt import Loader
from psycopg.types.datetime import DateLoader, IntervalLoader, TimestampLoader, TimestamptzLoader
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


_LOADERS = {
    "date": _or_text(DateLoader),
    "timestamp": _or_text(TimestampLoader),
    "timestamptz": _or_text(TimestamptzLoader),
    "interval": _or_text(IntervalLoader),
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
    return f"{known.name}[]" if known.array_oid == code else known.regtype
