"""The tool `query_database`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from agentkit.context import ToolContext
from agentkit_sql.answer import SqlAnswer


def query_database(
    question: Annotated[str, Field(description="The question, as the user asked it")],
    database: Annotated[str | None, Field(description="Name of the database; leave out if there is one")] = None,
    follows: Annotated[
        str | None, Field(description="SQL of an earlier answer that this question goes on from ('and by month?')")
    ] = None,
    today: Annotated[str | None, Field(description="Day that dates are relative to, such as 2026-03-31")] = None,
    *,
    ctx: ToolContext,
) -> SqlAnswer:
    """Answer a question about the data of a database: write SQL, check and repair it, run it, and say how.

    Raises BadInput if the data cannot answer it or no statement for it worked, DatabaseUnavailable, SettingsError.
    """
    from agentkit_sql.asking.ask import Asking, ask
    from agentkit_sql.asking.settings import sql_settings, stated_day
    from agentkit_sql.card.meaning import Example

    options = sql_settings(ctx.settings)
    asking = Asking(
        ctx.databases.open(database), ctx.model, ctx.prompts, ctx.settings, options,
        limits=ctx.databases.limits(database), today=stated_day(today or options.today), progress=ctx.progress,
    )  # fmt: skip
    earlier = [Example("", follows)] if follows and follows.strip() else []
    return ask(question, asking, earlier)
