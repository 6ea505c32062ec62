"""Which index a collection's vectors have, and how it comes about."""

from __future__ import annotations

from contextlib import suppress

import psycopg
from psycopg import sql

from agentkit.postgres.connections import Connection
from agentkit_rag.store.tables import SCHEMA, Tables
from agentkit_rag.store.writing import lock

M, EF_CONSTRUCTION = 16, 64
"""HNSW's settings; with ef_search 100 recall@10 against exact search was .99 on SciFact (docs/retrieval-store.md)."""
EXACT_BELOW = 500
"""Chunks below which reading all vectors is as fast as an index."""
_MEGABYTE = 1 << 20


def session(ef_search: int, iterative: bool) -> bytes:
    """What a connection needs before it searches: planning anew, or starting workers, would take longer than a search.

    `iterative`: go on until a filter has let enough through; without a filter that is a fifth slower.
    """
    return (
        f"set hnsw.ef_search = {ef_search:d}; set hnsw.iterative_scan = {'strict_order' if iterative else 'off'}; "
        "set plan_cache_mode = force_generic_plan; set max_parallel_workers_per_gather = 0; set jit = off"
    ).encode()


def wanted(chunks: int, current: str) -> str:
    """The kind of index for so many chunks. One that is there stays until the collection has shrunk well below."""
    return "exact" if chunks < (EXACT_BELOW if current == "exact" else EXACT_BELOW // 2) else "hnsw"


def settle(connection: Connection, tables: Tables, anew: bool = False) -> None:
    """Build the index that the size asks for; searches go on meanwhile, writers wait. Then refresh the statistics.

    `anew`: also if there is such an index already.
    """
    parallel = True
    while True:
        try:
            with connection.transaction():
                lock(connection, tables)
                _rebuild(connection, tables, parallel, anew)
            break
        except (psycopg.errors.OutOfMemory, psycopg.errors.DiskFull):
            # where /dev/shm is small, as in containers, workers cannot share the graph
            if not parallel:
                raise
            parallel = False
    # lets index-only scans trust the index, and the planner know the sizes
    for kind in ("postings", "chunks", "vectors", "terms", "sources"):
        with suppress(psycopg.errors.UndefinedTable):
            connection.execute(sql.SQL("vacuum (analyze) {}").format(tables.table(kind)))


def _rebuild(connection: Connection, tables: Tables, parallel: bool, anew: bool) -> None:
    row = connection.execute(
        "select chunks, index_kind from agentkit_rag.collections where id = %s", [tables.id]
    ).fetchone()
    if row is None:
        return
    kind = wanted(row["chunks"], row["index_kind"])
    if kind == row["index_kind"] and not anew:
        return
    connection.execute(tables.fill("drop index if exists {schema}.{index}"))
    if kind != "exact":
        _build(connection, tables, row["chunks"], parallel)
    connection.execute("update agentkit_rag.collections set index_kind = %s where id = %s", [kind, tables.id])


def _build(connection: Connection, tables: Tables, chunks: int, parallel: bool) -> None:
    """Create the HNSW index in the caller's transaction.

    It holds 16 bits a number: a third faster than 32 and half the memory, with no loss that could be measured.
    """
    memory = min(max(chunks * (tables.dimension * 2 + 500) * 13 // 10, 64 * _MEGABYTE), 1024 * _MEGABYTE)
    connection.execute("select set_config('maintenance_work_mem', %s, true)", [f"{memory // 1024}kB"])
    if not parallel:
        connection.execute("set local max_parallel_maintenance_workers = 0")
    whole = sql.Identifier("embedding")
    statement = tables.fill(
        "create index {index} on {vectors} using hnsw ({column} halfvec_ip_ops) with (m = {m}, ef_construction = {ef})",
        column=whole if tables.half else sql.SQL("((embedding::{}))").format(tables.names["half"]),
        m=sql.Literal(M),
        ef=sql.Literal(EF_CONSTRUCTION),
    )
    connection.execute(statement)


def on_disk(connection: Connection, tables: Tables) -> int:
    """Bytes of a collection, indexes and what lies beside its tables included."""
    names = [f"{SCHEMA}.{kind}_{tables.id}" for kind in ("sources", "chunks", "terms", "postings", "vectors")]
    row = connection.execute(
        "select sum(pg_total_relation_size(n::regclass))::bigint as bytes from unnest(%s::text[]) n", [names]
    ).fetchone()
    return int(row["bytes"]) if row else 0
