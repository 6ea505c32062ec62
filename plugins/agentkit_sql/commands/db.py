"""`agentkit db`: what there is to ask, and what was found, as files."""

from __future__ import annotations

import click

from agentkit_sql.commands import looking, writing


@click.group()
def db() -> None:
    """Look at databases: tables, columns, questions to ask; export, keep answers, check the guard.

    \b
    Examples:
      agentkit db list
      agentkit db schema --db shop --table orders
      agentkit db insights orders --db shop
      agentkit db suggest --db shop
      agentkit db export orders orders.parquet --db shop
    """


for command in (
    looking.list_databases, looking.schema, looking.insights, looking.suggest, writing.export, writing.keep,
    writing.check,
):  # fmt: skip
    db.add_command(command)
