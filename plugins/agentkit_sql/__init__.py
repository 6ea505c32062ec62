"""Ask databases and the workspace's files: SQL under a guard, and questions in words."""

from __future__ import annotations

from agentkit import hookimpl
from agentkit.specs import DatabaseSpec


@hookimpl
def register_databases() -> list[DatabaseSpec]:
    """The engines that come with agentkit; their modules load when a database is first used."""
    return [
        DatabaseSpec(
            "postgres",
            "agentkit_sql.engines.postgres:open_postgres",
            ("postgresql", "postgres"),
            "PostgreSQL, in read-only transactions",
        ),
    ]
