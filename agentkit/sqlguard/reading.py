"""How a text becomes a tree and a tree a text: sqlglot's ways, changed where they would change a result."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from agentkit.sqlguard import functions
from agentkit.sqlguard.schema import Dialect

if TYPE_CHECKING:
    from sqlglot.expressions import Expr

AS_IT_CAME = "as it came"
"""Of an expression behind SELECT: its text in the statement."""


@lru_cache
def parser_of(dialect: Dialect) -> Any:
    """A parser that reads functions by their names alone, and keeps the texts of what is selected.

    sqlglot knows many functions, and writes some of them in another way than they came: near enough for translating,
    not for a query whose result must not change. So with keys of JSON, which it would take for paths.
    """
    from sqlglot import exp
    from sqlglot.dialects.dialect import Dialect as Sqlglot

    usual = type(Sqlglot.get_or_raise(dialect).parser())
    arrows = {"ARROW": exp.JSONExtract, "DARROW": exp.JSONExtractScalar}
    changed: dict[str, Any] = {
        table: {
            token: partial(_arrow, arrows[token.name]) if token.name in arrows else read
            for token, read in getattr(usual, table, {}).items()
        }
        for table in ("COLUMN_OPERATORS", "JSON_OPERATORS")
    }
    special = {name: read for name, read in usual.FUNCTION_PARSERS.items() if name in functions.SPECIAL}
    return type("ByName", (_KeepsTexts, usual), changed | {"FUNCTIONS": {}, "FUNCTION_PARSERS": special})


@lru_cache
def writer_of(dialect: Dialect) -> Any:
    """What writes a tree as text.

    In SQLite types keep their names: each gives values another affinity. DuckDB takes WITHIN GROUP and IGNORE NULLS as
    they came; sqlglot would write them for the functions that it knows.
    """
    from sqlglot import exp
    from sqlglot.dialects.dialect import Dialect as Sqlglot
    from sqlglot.generator import Generator

    usual = type(Sqlglot.get_or_raise(dialect).generator())
    changed: dict[str, Any] = {}
    if dialect == "sqlite":
        kept = {exp.DType.DECIMAL: "NUMERIC", exp.DType.BOOLEAN: "BOOLEAN"}
        changed = {"TYPE_MAPPING": usual.TYPE_MAPPING | kept, "cast_sql": Generator.cast_sql}
    elif dialect == "duckdb":
        changed = {
            name: getattr(Generator, name) for name in ("withingroup_sql", "ignorenulls_sql", "respectnulls_sql")
        }
    return type("AsItCame", (usual,), changed)


class _KeepsTexts:
    """A parser's part that reads what stands behind SELECT."""

    def _parse_projections(self: Any) -> tuple[list[Expr], None]:
        return self._parse_csv(self._parse_projection), None

    def _parse_projection(self: Any) -> Expr | None:
        first = self._curr
        found: Expr | None = self._parse_expression()
        if found is not None and first is not None:
            found.meta[AS_IT_CAME] = self._find_sql(first, self._prev)
        return found


def _arrow(kind: type[Expr], _parser: Any, this: Expr, path: Expr) -> Expr:
    return kind(this=this, expression=path, only_json_types=True)
