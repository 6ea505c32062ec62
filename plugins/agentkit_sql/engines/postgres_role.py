"""What a PostgreSQL role can do beyond SELECT, and the SQL that makes a role that cannot."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

_POWERS = {
    "rolsuper": "is a superuser: it can do everything, files and programs of the server included",
    "rolcreaterole": "can make and change roles",
    "rolcreatedb": "can make databases",
    "rolreplication": "can copy the whole server",
    "rolbypassrls": "sees rows that row-level security keeps from others",
}
_ROLES = (
    "pg_read_server_files", "pg_write_server_files", "pg_execute_server_program", "pg_signal_backend",
    "pg_write_all_data", "pg_maintain", "pg_checkpoint", "pg_create_subscription", "pg_read_all_settings",
    "pg_read_all_stats", "pg_monitor",
)  # fmt: skip
_CHANGES = """
SELECT n.nspname || '.' || c.relname
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND n.nspname NOT LIKE 'pg\\_%'
  AND (CASE WHEN c.relkind = 'S' THEN has_sequence_privilege(c.oid, 'USAGE, UPDATE')
       ELSE has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER') END)
ORDER BY 1
"""
_SCHEMAS = """
SELECT nspname FROM pg_catalog.pg_namespace
WHERE has_schema_privilege(oid, 'CREATE') AND nspname NOT LIKE 'pg\\_%' ORDER BY 1
"""
_DEFINERS = """
SELECT n.nspname || '.' || p.proname
FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
WHERE p.prosecdef AND has_function_privilege(p.oid, 'EXECUTE') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
ORDER BY 1
"""


def advice(connection: psycopg.Connection[tuple[Any, ...]]) -> list[str]:
    """One sentence for each thing that the role of a connection can do beyond SELECT; [] if there is none."""
    found = connection.execute(
        f"SELECT rolname, {', '.join(_POWERS)} FROM pg_catalog.pg_roles WHERE rolname = session_user"  # noqa: S608
    ).fetchone()
    if found is None:
        return []
    role, *flags = found
    told = [text for has, text in zip(flags, _POWERS.values(), strict=True) if has]
    if found[1]:
        return [f"the role {role!r} {text}." for text in told]
    told += [
        f"is a member of {name}"
        for (name,) in connection.execute(
            "SELECT rolname FROM pg_catalog.pg_roles WHERE rolname = ANY(%s) AND pg_has_role(oid, 'MEMBER')",
            [list(_ROLES)],
        ).fetchall()
    ]
    for query, text in (
        (_CHANGES, "can change {}"), (_SCHEMAS, "can make tables and functions in {}"),
        (_DEFINERS, "may call functions that run with their owner's rights: {}"),
    ):  # fmt: skip
        names = [name for (name,) in connection.execute(query).fetchall()]
        if names:
            told.append(text.format(_listed(names)))
    return [f"the role {role!r} {text}." for text in told]


def right_role(connection: psycopg.Connection[tuple[Any, ...]], name: str = "agentkit_reader") -> str:
    """SQL for an owner of the database to run: a role that can read the tables there are, and nothing else."""
    database = connection.info.dbname
    schemas = [
        s
        for (s,) in connection.execute(
            "SELECT DISTINCT n.nspname FROM pg_catalog.pg_class AS c "
            "JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm') "
            "AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%' ORDER BY 1"
        ).fetchall()
    ]
    role = sql.Identifier(name)
    lines = [
        sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'CHOOSE ONE' NOSUPERUSER NOCREATEDB NOCREATEROLE;").format(role),
        sql.SQL("REVOKE TEMPORARY, CREATE ON DATABASE {} FROM PUBLIC;").format(sql.Identifier(database)),
        sql.SQL("ALTER ROLE {} SET default_transaction_read_only = on;").format(role),
        sql.SQL("ALTER ROLE {} SET statement_timeout = '30s';").format(role),
        sql.SQL("ALTER ROLE {} CONNECTION LIMIT 10;").format(role),
    ]
    for schema in map(sql.Identifier, schemas):
        lines += [
            sql.SQL("REVOKE CREATE ON SCHEMA {} FROM PUBLIC;").format(schema),
            sql.SQL("GRANT USAGE ON SCHEMA {} TO {};").format(schema, role),
            sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {};").format(schema, role),
        ]
    return "\n".join(line.as_string(connection) for line in lines)


def _listed(names: list[str], most: int = 5) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
