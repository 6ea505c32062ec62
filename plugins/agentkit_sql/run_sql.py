"""The tool `run_sql`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from agentkit.context import ToolContext
from agentkit_sql.answer import SqlAnswer
from agentkit_sql.collect import answered
from agentkit_sql.typed import statement


def run_sql(
    sql: Annotated[str, Field(description="One SELECT statement")],
    database: Annotated[str | None, Field(description="Name of the database; leave out if there is one")] = None,
    limit: Annotated[int | None, Field(description="At most so many rows", gt=0)] = None,
    *,
    ctx: ToolContext,
) -> SqlAnswer:
    """Run one read-only statement under the guard and return its rows.

    Raises SqlRefused with the rule that it breaks, SqlFailed with the database's own words, SqlTimeout,
    DatabaseUnavailable, or BadInput for a database that is not there.
    """
    chosen = ctx.databases.open(database)
    rows = chosen.run(sql, ctx.databases.limits(database, rows=limit))
    return answered(rows, statement(sql), chosen.name, ctx.settings.home)
