"""`agentkit sql`: a question or a statement, and its rows."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agentkit.cli.common import json_option, model_option, print_json
from agentkit.errors import AgentkitError, BadInput
from agentkit_sql.commands.showing import FORMATS, Format, show

if TYPE_CHECKING:
    from agentkit_sql.answer import SqlAnswer

db_option = click.option(
    "--db", metavar="DB", help="A name of [databases], a URL or a file; not needed if there is one."
)


@click.command()
@click.argument("question", required=False)
@db_option
@click.option("--show-sql", is_flag=True, help="Show the statement.")
@click.option("--dry-run", "dry", is_flag=True, help="Write, check and plan the statement; do not run it.")
@click.option("--explain", is_flag=True, help="Show how the answer came about, and the database's plan.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
@click.option("--limit", type=click.IntRange(min=1), help="At most so many rows.")
@click.option("--today", metavar="DAY", help="The day that dates are relative to, such as 2026-03-31.")
@click.option("--figure", metavar="FILE.png", help="Write a picture of the answer, where one suits it.")
@click.option("--force", is_flag=True, help="Replace the file of --figure.")
@model_option
@json_option
def sql(
    question: str | None, db: str | None, show_sql: bool, dry: bool, explain: bool, form: Format, limit: int | None,
    today: str | None, figure: str | None, force: bool, model: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Ask a database, in words or in SQL. Without a QUESTION it is a conversation; `-` reads it from stdin.

    \b
    Examples:
      agentkit sql "How many customers churned by region?" --db shop
      agentkit sql "Revenue by month" --db shop --show-sql --figure revenue.png
      agentkit sql "SELECT count(*) FROM orders" --db orders.sqlite --format csv
      agentkit sql "Which plan has the most customers?" --db churn.csv --dry-run
      agentkit sql --db shop
    """
    from agentkit_sql.commands.session import Session, services
    from agentkit_sql.outputs import output_file

    if question == "-":
        question = sys.stdin.read()
    if question is None and not sys.stdin.isatty():
        raise BadInput("there is no terminal to talk on: give a QUESTION, or `-` to read it from stdin.")
    if question is not None and not question.strip():
        raise BadInput("the question is empty: say what you want to know, or give a SELECT.")
    picture = output_file(figure, (".png",), force=force) if figure else None
    with services(model) as opened:
        session = Session(opened, db, limit, today, dry)
        if question is None:
            from agentkit_sql.commands.repl import converse

            return converse(session, form, show_sql=show_sql, steps=explain)
        answer = session.answer(question)
        plan = session.plan(answer) if explain or dry else ""
        if as_json:
            print_json(answer.model_dump(mode="json") | ({"plan": plan} if plan else {}))
        else:
            show(answer, form, opened.settings.home, sql=show_sql, plan=plan, steps=explain or dry)
        if picture:
            _draw(answer, picture)
    return 0


def _draw(answer: SqlAnswer, picture: Path) -> None:
    from agentkit_sql.picture import draw

    try:
        draw(answer, picture)
    except BadInput as error:
        raise AgentkitError(str(error)) from error
    click.echo(f"figure: {picture}", err=True)
