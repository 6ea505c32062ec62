"""Bind a statement to a schema: parse, repair, and say what was repaired."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from agentkit.sqlguard.schema import Schema

if TYPE_CHECKING:
    from sqlglot import exp

    from agentkit_sql.binder.names import Names
    from agentkit_sql.card.joins import JoinGraph


@dataclass(frozen=True)
class Bound:
    """`sql` is the text as it was given where nothing had to be repaired. `problems` are names that stay unknown."""

    sql: str
    repairs: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def bind(
    sql: str, schema: Schema, *, graph: JoinGraph | None = None, today: date | None = None, light: bool = False
) -> Bound:
    """Repair a statement that was written for this schema, where there is one way to do so.

    `graph`: the joins that are known beyond the declared ones. `today`: stands for the current date in the statement.
    `light`: repair only what gives wrong figures, for a statement that the database accepts. A statement that cannot
    be parsed comes back as it is, with the parser's words as its problem.
    """
    from agentkit_sql.binder.names import Names
    from agentkit_sql.binder.parsing import parsed
    from agentkit_sql.binder.tables import full_names
    from agentkit_sql.typed import statement

    tree, repairs, problem = parsed(sql, schema.dialect)
    if tree is None:
        return Bound(sql.strip(), (), (problem,))
    names = Names(schema, graph)
    problems: list[str] = []
    if light:
        full_names(tree, names, repairs)
    else:
        problems = _names_and_shape(tree, names, repairs)
    _figures(tree, names, repairs, today)
    if not repairs:
        return Bound(statement(sql), (), tuple(problems))
    return Bound(tree.sql(dialect=schema.dialect), tuple(dict.fromkeys(repairs)), tuple(problems))


def _names_and_shape(tree: exp.Expr, names: Names, repairs: list[str]) -> list[str]:
    from agentkit_sql.binder.casts import repair_casts
    from agentkit_sql.binder.columns import repair_columns
    from agentkit_sql.binder.functions import repair_functions
    from agentkit_sql.binder.quotes import quote_names
    from agentkit_sql.binder.shape import repair_shape
    from agentkit_sql.binder.tables import drop_unknown, repair_tables, swap_tables
    from agentkit_sql.binder.wrapping import wrap_steps

    repair_tables(tree, names, repairs)
    swap_tables(tree, names, repairs)
    repair_columns(tree, names, repairs)
    for step in (drop_unknown, quote_names, wrap_steps, repair_functions, repair_shape, repair_casts):
        step(tree, names, repairs)
    return repair_columns(tree, names, repairs)


def _figures(tree: exp.Expr, names: Names, repairs: list[str], today: date | None) -> None:
    from agentkit_sql.binder.figures import fix_today, safe_division

    safe_division(tree, names, repairs)
    if today is not None:
        fix_today(tree, today, repairs)
