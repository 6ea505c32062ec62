"""The tables and columns of a schema, found as a statement may write them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import cached_property

from agentkit.sqlguard.schema import Column, Schema, TableInfo
from agentkit_sql.card.joins import JoinGraph, full_name, join_graph
from agentkit_sql.card.words import words

_NEAR = 0.8
_CLEARLY = 0.05
_WHOLE_WORD = 5
"""Letters of a name that can stand for a longer one that begins or ends with it: `country` for `shop_country`."""


class Names:
    """A schema as the binder asks for it. Unquoted names are found whatever their case."""

    def __init__(self, schema: Schema, graph: JoinGraph | None = None) -> None:
        self.schema = schema
        self._graph = graph

    @cached_property
    def graph(self) -> JoinGraph:
        return self._graph or join_graph(self.schema)

    @cached_property
    def _tables(self) -> dict[str, list[TableInfo]]:
        found: dict[str, list[TableInfo]] = {}
        for table in self.schema.tables:
            for name in {table.name.lower(), f"{table.schema}.{table.name}".lower()}:
                found.setdefault(name, []).append(table)
        return found

    def table(self, name: str, schema: str = "") -> TableInfo | None:
        """The table that a statement finds under this name: of several schemas that of the default one."""
        low = f"{schema}.{name}".lower() if schema else name.lower()
        found = self._tables.get(low, [])
        return next((t for t in found if schema or full_name(t) == t.name), None)

    def elsewhere(self, name: str) -> TableInfo | None:
        """The only table of this name in any schema."""
        found = self._tables.get(name.lower(), [])
        return found[0] if len(found) == 1 else None

    def near_table(self, name: str) -> TableInfo | None:
        """The only table whose name this can be a misspelling of."""
        found = nearest(name, (t.name for t in self.schema.tables))
        return self.elsewhere(found) if found else None

    def by_full_name(self, name: str) -> TableInfo:
        return self._by_full_name[name]

    @cached_property
    def _by_full_name(self) -> dict[str, TableInfo]:
        return {full_name(t): t for t in self.schema.tables}

    def with_column(self, name: str) -> list[TableInfo]:
        """All tables that have a column of this name."""
        return [t for t in self.schema.tables if column_of(t, name)]


def column_of(table: TableInfo, name: str) -> Column | None:
    """The column of this name, in any case."""
    low = name.lower()
    return next((c for c in table.columns if c.name.lower() == low), None)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The one name that this clearly is a slip or a part of; None if unsure.

    >>> nearest("customer", ["customers", "orders"])
    'customers'
    """
    candidates = list(dict.fromkeys(known))
    return written_otherwise(name, candidates) or _slip_of(name.lower(), candidates)


def written_otherwise(name: str, known: Iterable[str]) -> str | None:
    """The one name with the same words in another number or style, or that begins or ends with this one.

    >>> written_otherwise("country", ["shop_country", "shop_city"])
    'shop_country'
    """
    low = name.lower()
    candidates = list(dict.fromkeys(known))
    same = [k for k in candidates if _plain(k) == _plain(low)]
    if not same and len(low) >= _WHOLE_WORD:
        same = [k for k in candidates if k.lower().endswith(low) or k.lower().startswith(low)]
    return same[0] if len(same) == 1 else None


def _slip_of(low: str, candidates: list[str]) -> str | None:
    """The one name that has most letters in common."""
    ranked = sorted(((difflib.SequenceMatcher(None, low, k.lower()).ratio(), k) for k in candidates), reverse=True)
    if not ranked or ranked[0][0] < _NEAR or len(low) < 4:
        return None
    if len(ranked) > 1 and ranked[0][0] - ranked[1][0] < _CLEARLY:
        return None
    return ranked[0][1]


def _plain(name: str) -> str:
    return "".join(words(name))
