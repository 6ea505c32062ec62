"""`agentkit db export|keep|check`: what was found as files, answers as examples, and whether the guard stands."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agentkit.cli.common import json_option, print_json
from agentkit_sql.commands.showing import counted
from agentkit_sql.commands.sql import db_option

if TYPE_CHECKING:
    from agentkit.calls import Services
    from agentkit_sql.export import Export


@click.command()
@click.argument("what", metavar="QUERY-OR-TABLE")
@click.argument("output", metavar="OUT.csv|OUT.parquet")
@db_option
@click.option("--limit", type=click.IntRange(min=1), help="At most so many rows.  [default: 1000000]")
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
@json_option
def export(what: str, output: str, db: str | None, limit: int | None, force: bool, as_json: bool) -> int:
    """Write a table, the rows of a SELECT, or a stored result (`table:...`) to a file.

    The rows are streamed, so the file may be larger than memory; it is complete, or it is not there. If a limit cuts
    something off, the file is written all the same, and the exit code is 1.

    \b
    Examples:
      agentkit db export orders orders.parquet --db shop
      agentkit db export "SELECT * FROM orders WHERE status = 'open'" open.csv --db shop
      agentkit db export table:ab12cd34 result.csv
    """
    from agentkit_sql.commands.session import interruptible, services
    from agentkit_sql.export import SUFFIXES
    from agentkit_sql.outputs import output_file

    path = output_file(output, SUFFIXES, force=force)
    with services() as opened, interruptible(opened, "the export"):
        done = _exported(opened, what, path, db, limit)
    if as_json:
        print_json(asdict(done))
    else:
        click.echo(f"{counted(done.rows)}, {done.columns} columns in {done.file}", err=True)
    if done.cut:
        advice = "--limit raises it" if "rows" in done.cut else "leave out long columns, or write parts"
        click.echo(f"agentkit: the file is not all of it, a limit cut it ({', '.join(done.cut)}): {advice}.", err=True)
    return 1 if done.cut else 0


def _exported(opened: Services, what: str, path: Path, db: str | None, limit: int | None) -> Export:
    from agentkit.stored_tables import stored
    from agentkit_sql.engines.quoting import quoted_name
    from agentkit_sql.export import export as write
    from agentkit_sql.export import export_limits, export_stored
    from agentkit_sql.listing import find_table
    from agentkit_sql.typed import is_sql

    if what.startswith("table:"):
        return export_stored(stored(opened.settings.home, what), path)
    database = opened.databases.open(db)
    limits = export_limits(opened.databases.limits(db), limit)
    schema = database.schema()
    # a table may be called `select`
    named = any(what.strip().lower() in (t.name.lower(), f"{t.schema}.{t.name}".lower()) for t in schema.tables)
    sql = what
    if named or not is_sql(what, schema):
        sql = f"SELECT * FROM {quoted_name(find_table(database, what))}"  # noqa: S608
    return write(database.run(sql, limits), path)


@click.command()
@click.argument("question")
@click.argument("statement", metavar="SELECT")
@db_option
@json_option
def keep(question: str, statement: str, db: str | None, as_json: bool) -> None:
    """Keep a question with the statement that answers it: an example for questions like it.

    The statement is run first: one that does not work is not kept.

    \b
    Examples:
      agentkit db keep "Open orders?" "SELECT count(*) FROM orders WHERE status = 'open'" --db shop
    """
    from agentkit_sql.commands.session import interruptible, services
    from agentkit_sql.keeping import keep_verified

    with services() as opened, interruptible(opened, "the statement"):
        kept = keep_verified(opened.databases.open(db), question, statement, opened.settings)
    if as_json:
        print_json(asdict(kept))
        return
    click.echo(f"{'kept in' if kept.new else 'is already in'} {kept.file.name}", err=True)
    if not kept.rows:
        click.echo("note: the statement gives no rows now.", err=True)


@click.command()
@db_option
@json_option
def check(db: str | None, as_json: bool) -> int:
    """Check that databases are guarded: each layer is tried, without an effect if it failed.

    Without --db every configured database is checked. A role of PostgreSQL that can do more than SELECT is warned of,
    with the SQL for a right one. The exit code is 1 if a layer fails.

    \b
    Examples:
      agentkit db check
      agentkit db check --db shop --json
    """
    from agentkit_sql.checks import checks
    from agentkit_sql.commands.session import interruptible, services

    with services() as opened, interruptible(opened, "the check"):
        names = [db] if db else list(opened.settings.databases) or opened.databases.names()
        found = [c for name in names for c in checks(opened, name)]
    if as_json:
        print_json([asdict(c) for c in found])
    else:
        for c in found:
            click.echo(f"{c.state:4}  {c.database}  {c.check:8}  {c.detail}")
            if c.remedy:
                click.echo("      " + c.remedy.replace("\n", "\n      "))
    return 1 if any(c.state == "fail" for c in found) else 0
