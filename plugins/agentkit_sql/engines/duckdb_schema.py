"""What a DuckDB database holds."""

from __future__ import annotations

from collections import defaultdict

import duckdb

from agentkit.sqlguard.schema import Column, ForeignKey, Schema, TableInfo

_TABLES = """
SELECT schema_name, table_name, comment, estimated_size, 'table' FROM duckdb_tables()
WHERE NOT internal AND database_name = current_database()
UNION ALL
SELECT schema_name, view_name, comment, NULL, 'view' FROM duckdb_views()
WHERE NOT internal AND database_name = current_database()
ORDER BY 1, 2
"""
_COLUMNS = """
SELECT schema_name, table_name, column_name, data_type, is_nullable, comment FROM duckdb_columns()
WHERE NOT internal AND database_name = current_database() ORDER BY schema_name, table_name, column_index
"""
_KEYS = """
SELECT schema_name, table_name, constraint_type, constraint_column_names, referenced_table, referenced_column_names
FROM duckdb_constraints() WHERE database_name = current_database()
  AND constraint_type IN ('PRIMARY KEY', 'FOREIGN KEY')
"""


def read_schema(connection: duckdb.DuckDBPyConnection, *, views_are_tables: bool = False) -> Schema:
    """Tables and views with their keys and comments; rows of tables as DuckDB counts them."""
    columns: dict[tuple[str, str], list[Column]] = defaultdict(list)
    for schema, table, name, kind, nullable, comment in connection.execute(_COLUMNS).fetchall():
        columns[schema, table].append(Column(name, kind.lower(), bool(nullable), comment or ""))
    primary: dict[tuple[str, str], tuple[str, ...]] = {}
    foreign: dict[tuple[str, str], list[ForeignKey]] = defaultdict(list)
    for schema, table, kind, own, target, theirs in connection.execute(_KEYS).fetchall():
        if kind == "PRIMARY KEY":
            primary[schema, table] = tuple(own)
        else:
            foreign[schema, table].append(ForeignKey(tuple(own), target, tuple(theirs)))
    return Schema(
        "duckdb",
        tuple(
            TableInfo(
                table, tuple(columns[schema, table]), schema, primary.get((schema, table), ()),
                tuple(foreign[schema, table]), comment or "", rows,
                "table" if views_are_tables or kind == "table" else "view",
            )
            for schema, table, comment, rows, kind in connection.execute(_TABLES).fetchall()
        ),
    )  # fmt: skip
