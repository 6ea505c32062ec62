"""Ask databases and the workspace's files: SQL under a guard, and questions in words."""

from __future__ import annotations

from pathlib import Path

from agentkit import hookimpl
from agentkit.specs import DatabaseSpec, PromptSource, ToolSpec


@hookimpl
def register_tools() -> list[ToolSpec]:
    """The tools of this plugin; their modules load when they are first used."""
    return [
        ToolSpec(
            "describe_database",
            "agentkit_sql.describe_database:describe_database",
            "List the tables of a database and the columns of each. Only for: which tables are there, which columns "
            "does a table have?",
        ),
        ToolSpec(
            "query_database",
            "agentkit_sql.query_database:query_database",
            "Ask a data file (x.csv) or a database: count, sum, rank or list its rows with SQL. How many, how much, "
            "who, which has most, average, total, share, per group, each month?",
        ),
        ToolSpec(
            "run_sql",
            "agentkit_sql.run_sql:run_sql",
            "Run a SELECT statement on a database and return its rows. Use it when the user gives the SQL.",
        ),
    ]


@hookimpl
def register_prompts() -> list[PromptSource]:
    """The prompts that ask for SQL, one for each dialect."""
    return [PromptSource(Path(__file__).parent / "prompts")]


@hookimpl
def register_databases() -> list[DatabaseSpec]:
    """The engines that come with agentkit; their modules load when a database is first used."""
    engines = "agentkit_sql.engines"
    return [
        DatabaseSpec(
            "postgres",
            f"{engines}.postgres:open_postgres",
            ("postgresql", "postgres"),
            "PostgreSQL, in read-only transactions",
        ),
        DatabaseSpec(
            "sqlite",
            f"{engines}.sqlite:open_sqlite",
            ("sqlite",),
            "SQLite files, opened for reading",
            (".db", ".sqlite", ".sqlite3", ".db3"),
        ),
        DatabaseSpec(
            "duckdb",
            f"{engines}.duckdb_file:open_duckdb",
            ("duckdb",),
            "DuckDB files, opened for reading",
            (".duckdb", ".ddb"),
        ),
        DatabaseSpec(
            "files",
            f"{engines}.files:open_files",
            ("files",),
            "The workspace's CSV, JSON, Parquet and Excel files as tables",
            (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".parquet", ".pq", ".xlsx", ".xlsm", ".gz"),
        ),
    ]


@hookimpl
def register_commands() -> dict[str, str]:
    """`agentkit sql` and `agentkit db`."""
    return {"db": "agentkit_sql.commands.db:db", "sql": "agentkit_sql.commands.sql:sql"}
