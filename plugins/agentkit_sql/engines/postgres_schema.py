"""What a PostgreSQL role may read, from the catalogues, in three queries."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import psycopg

from agentkit.sqlguard.schema import Column, ForeignKey, Schema, TableInfo

_RELATIONS = """
SELECT c.oid, n.nspname, c.relname, c.relkind::text, obj_description(c.oid, 'pg_class'),
       CASE WHEN c.reltuples >= 0 THEN c.reltuples::bigint END
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'
  AND has_schema_privilege(n.oid, 'USAGE')
  AND has_any_column_privilege(c.oid, 'SELECT')
  AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend AS d
    WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
  )
ORDER BY n.nspname, c.relname
"""
_COLUMNS = """
SELECT a.attrelid, a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
       col_description(a.attrelid, a.attnum)
FROM pg_catalog.pg_attribute AS a
WHERE a.attrelid = ANY(%s) AND a.attnum > 0 AND NOT a.attisdropped
  AND has_column_privilege(a.attrelid, a.attnum, 'SELECT')
ORDER BY a.attrelid, a.attnum
"""
_KEYS = """
SELECT k.conrelid, k.contype::text, k.confrelid,
       ARRAY(SELECT a.attname FROM unnest(k.conkey) WITH ORDINALITY AS u(n, i)
             JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = u.n ORDER BY u.i)::text[],
       ARRAY(SELECT a.attname FROM unnest(k.confkey) WITH ORDINALITY AS u(n, i)
             JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.confrelid AND a.attnum = u.n ORDER BY u.i)::text[]
FROM pg_catalog.pg_constraint AS k
WHERE k.conrelid = ANY(%s) AND k.contype IN ('p', 'f')
ORDER BY k.conrelid, k.contype DESC, k.conname
"""


def read_schema(connection: psycopg.Connection[tuple[Any, ...]]) -> Schema:
    """The schema that the connection's role sees, without what extensions brought. `rows` are estimates."""
    relations = connection.execute(_RELATIONS).fetchall()
    names = {oid: name for oid, _schema, name, *_rest in relations}
    columns: dict[int, list[Column]] = defaultdict(list)
    for oid, name, kind, nullable, comment in connection.execute(_COLUMNS, [list(names)]).fetchall():
        columns[oid].append(Column(name, kind, nullable, comment or ""))
    primary: dict[int, tuple[str, ...]] = {}
    foreign: dict[int, list[ForeignKey]] = defaultdict(list)
    for oid, kind, target, own, theirs in connection.execute(_KEYS, [list(names)]).fetchall():
        if kind == "p":
            primary[oid] = tuple(own)
        elif target in names:
            foreign[oid].append(ForeignKey(tuple(own), names[target], tuple(theirs)))
    return Schema(
        "postgres",
        tuple(
            TableInfo(
                name, tuple(columns[oid]), schema, primary.get(oid, ()), tuple(foreign[oid]), comment or "", rows,
                "view" if kind in "vm" else "table",
            )
            for oid, schema, name, kind, comment, rows in relations
        ),
    )  # fmt: skip
