"""`agentkit db list|schema|insights|suggest`: what databases there are, and what is in them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from agentkit.cli.common import ProgressLine, json_option, print_json, print_table
from agentkit.errors import SqlFailed, SqlTimeout
from agentkit_sql.commands.showing import aligned, cell, counted
from agentkit_sql.commands.sql import db_option

if TYPE_CHECKING:
    from agentkit_sql.insights import TableInsights


@click.command(name="list")
@json_option
def list_databases(as_json: bool) -> None:
    """List the databases by name, and whether each can be reached.

    \b
    Examples:
      agentkit db list
      agentkit db list --json
    """
    from agentkit_sql.commands.session import interruptible, services
    from agentkit_sql.listing import listed

    with services() as opened, interruptible(opened, "listing the databases"):
        found = listed(opened)
    if as_json:
        print_json([asdict(d) for d in found])
        return
    rows = [(d.name, d.kind, d.problem or counted(d.tables, "table"), d.where) for d in found]
    print_table(["name", "kind", "state", "where"], rows)


@click.command()
@db_option
@click.option("--table", "-t", help="Only this table: its columns, keys, comments and frequent values.")
@json_option
def schema(db: str | None, table: str | None, as_json: bool) -> None:
    """Show the tables of a database and how they join, or the columns of one.

    \b
    Examples:
      agentkit db schema --db shop
      agentkit db schema --db shop --table orders
      agentkit db schema --db shop --json
    """
    from agentkit.calls import call_directly
    from agentkit_sql.commands.session import services
    from agentkit_sql.describe_database import DatabaseDescription

    line = ProgressLine()
    with services() as opened:
        try:
            found = call_directly("describe_database", {"database": db, "table": table}, opened, line.tell)
        finally:
            line.clear()
    assert isinstance(found, DatabaseDescription)
    if as_json:
        print_json(found.model_dump(mode="json"))
    elif table:
        for name, described in found.tables.items():
            click.echo(name)
            click.echo("\n".join(aligned(described.columns, described.rows)))
    else:
        rows = [[n, found.rows[n], ", ".join(str(r[0]) for r in t.rows)] for n, t in found.tables.items()]
        click.echo("\n".join(aligned(["table", "rows", "columns"], rows, missing="")))
    for join in [] if as_json else found.joins:
        click.echo(f"join: {join}")


@click.command()
@click.argument("table", required=False)
@db_option
@json_option
def insights(table: str | None, db: str | None, as_json: bool) -> None:
    """Look at the values of each column: distinct, missing, min, max, mean, most frequent.

    Without TABLE every table is looked at. A huge table is sampled, and the heading says so.

    \b
    Examples:
      agentkit db insights orders --db shop
      agentkit db insights --db churn.db --json
    """
    from agentkit_sql.commands.session import interruptible, services
    from agentkit_sql.insights import insights as look
    from agentkit_sql.listing import find_table

    line = ProgressLine()
    with services() as opened, interruptible(opened, "the look at the columns"):
        database, limits = opened.databases.open(db), opened.databases.limits(db)
        tables = [find_table(database, table)] if table else list(database.schema().tables)
        found = []
        for number, info in enumerate(tables):
            line.tell(f"looking at {info.name}", number / len(tables))
            try:
                found.append(look(database, info, limits))
            except (SqlFailed, SqlTimeout) as error:
                # of many tables one may be a view that does not work
                if table:
                    raise
                line.clear()
                click.echo(f"agentkit: {info.name} is left out: {error}", err=True)
        line.clear()
    if as_json:
        print_json([asdict(t) for t in found])
        return
    for number, told in enumerate(found):
        click.echo(("\n" if number else "") + _insights_text(told))


def _insights_text(found: TableInsights) -> str:
    sampled = f", {found.sampled}" if found.sampled else ""
    rows = [
        [c.column, c.type, c.distinct, c.missing, c.min, c.max, c.mean and float(f"{c.mean:.6g}"),
         ", ".join(f"{cell(v, 20)} ({n})" for v, n in c.frequent)]
        for c in found.columns
    ]  # fmt: skip
    heads = ["column", "type", "distinct", "missing", "min", "max", "mean", "most frequent"]
    return "\n".join(
        [
            f"{found.table}: {counted(found.looked_at)}{sampled}",
            *aligned(heads, rows, missing=""),
        ]
    )


@click.command()
@db_option
@click.option("--most", type=click.IntRange(min=1, max=100), default=10, show_default=True, help="How many.")
@click.option("--show-sql", is_flag=True, help="Show the statement of each.")
@json_option
def suggest(db: str | None, most: int, show_sql: bool, as_json: bool) -> None:
    """Suggest questions that the database can answer. Each was asked, and had rows.

    \b
    Examples:
      agentkit db suggest --db shop
      agentkit db suggest --db shop --most 3 --show-sql
    """
    from agentkit_sql.commands.session import interruptible, services
    from agentkit_sql.suggest import suggestions

    with services() as opened, interruptible(opened, "the suggestions"):
        found = suggestions(opened.databases.open(db), most)
    if as_json:
        print_json([asdict(s) for s in found])
        return
    if not found:
        click.echo("there is no table with rows to ask about.", err=True)
    for suggestion in found:
        first = ", ".join(cell(value, 30) for value in suggestion.rows[0])
        click.echo(f"{suggestion.question}  ({first}{', ...' if len(suggestion.rows) > 1 else ''})")
        if show_sql:
            click.echo(f"    {suggestion.sql}")
