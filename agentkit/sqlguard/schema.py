"""What a database holds, as far as a user may read it: tables, columns, keys, comments."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Literal

Dialect = Literal["postgres", "sqlite", "duckdb"]
"""A kind of SQL, named as sqlglot names it."""


@dataclass(frozen=True)
class Column:
    """A column, its type as the engine writes it."""

    name: str
    type: str
    nullable: bool = True
    comment: str = ""


@dataclass(frozen=True)
class ForeignKey:
    """`columns` of the table that has the key point to `to_columns` of `table`."""

    columns: tuple[str, ...]
    table: str
    to_columns: tuple[str, ...]


@dataclass(frozen=True)
class TableInfo:
    """A table or view. `rows` is the engine's estimate or a count, None where neither is cheap."""

    name: str
    columns: tuple[Column, ...]
    schema: str = ""
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    comment: str = ""
    rows: int | None = None
    kind: Literal["table", "view"] = "table"


@dataclass(frozen=True)
class Schema:
    """The tables of a database."""

    dialect: Dialect
    tables: tuple[TableInfo, ...]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of names, types, keys and comments, hexadecimal; the number of rows does not matter."""
        told = [asdict(table) | {"rows": None} for table in self.tables]
        return hashlib.sha256(json.dumps([self.dialect, told]).encode()).hexdigest()
