"""A collection's chunks embedded by another model. What was done stays when it is cut; searches go on with the old."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from psycopg import sql

from agentkit.postgres.connections import Connection
from agentkit_rag.store import tables, writing
from agentkit_rag.store.contract import CollectionError, EmbeddingModel
from agentkit_rag.store.postgres import PostgresCollection
from agentkit_rag.store.vectors import matrix

BATCH = 64
"""Chunks between two transactions."""


def reembed(
    collection: PostgresCollection,
    model: EmbeddingModel,
    embed: Callable[[list[str]], Any],
    progress: Callable[[str, float | None], None],
) -> int:
    """Give all chunks vectors of `model`; the number of chunks embedded now.

    The new vectors are gathered in a table beside the old ones and take their place in one transaction. Run again
    after it was cut, it goes on; with yet another model it begins anew. Raises CollectionError.
    """
    old = collection.state(fresh=True).tables
    new = replace(old, dimension=model.dimension)
    _begin(collection, old, new, model)
    done = 0
    while True:
        with collection.pool.connection() as connection:
            rows, left = _missing(connection, old)
        if not rows and _finish(collection, old, new, model):
            return done
        if rows:
            vectors = matrix(embed([row["text"] for row in rows]), len(rows), model.dimension, collection.name)
            done += _keep(collection, old, new, rows, vectors)
            progress(f"{done:,} chunks embedded, {max(left - len(rows), 0):,} left", done / (done + left))


def _begin(collection: PostgresCollection, old: tables.Tables, new: tables.Tables, model: EmbeddingModel) -> None:
    if not 0 < model.dimension <= tables.HALF_DIMENSIONS:
        raise CollectionError(f"{model.model!r} gives vectors of {model.dimension} dimensions, which no index takes.")
    told = f"{model.model} {model.dimension} {model.normalised}"
    with collection.pool.connection() as connection, connection.transaction():
        writing.lock(connection, old)
        row = connection.execute("select next_model from agentkit_rag.collections where id = %s", [old.id]).fetchone()
        if row is not None and row["next_model"] == told:
            return
        connection.execute(old.fill("drop table if exists {next}", next=old.table("next_vectors")))
        tables.create_vectors(connection, new, "next_vectors")
        connection.execute("update agentkit_rag.collections set next_model = %s where id = %s", [told, old.id])


def _missing(connection: Connection, old: tables.Tables) -> tuple[list[dict[str, Any]], int]:
    """The next chunks without a new vector, and how many there are."""
    missing = "from {chunks} c where not exists (select from {next} n where n.chunk = c.id)"
    following = old.table("next_vectors")
    counted = connection.execute(old.fill("select count(*) as n " + missing, next=following)).fetchone()
    statement = "select c.id, c.text " + missing + " order by c.id limit {batch}"
    rows = connection.execute(old.fill(statement, next=following, batch=sql.Literal(BATCH))).fetchall()
    return rows, counted["n"] if counted else 0


def _keep(
    collection: PostgresCollection, old: tables.Tables, new: tables.Tables, rows: list[dict[str, Any]], vectors: Any
) -> int:
    with collection.pool.connection() as connection, connection.transaction():
        writing.lock(connection, old)
        # some may have been removed, or embedded by another process, meanwhile
        statement = (
            "select id from {chunks} c where id = any(%s) and not exists (select from {next} n where n.chunk = c.id)"
        )
        ids = [row["id"] for row in rows]
        alive = {row["id"] for row in connection.execute(old.fill(statement, next=old.table("next_vectors")), [ids])}
        kept = [i for i, row in enumerate(rows) if row["id"] in alive]
        texts = [rows[i]["text"] for i in kept]
        if kept:
            writing.copy_vectors(connection, new, [ids[i] for i in kept], texts, vectors[kept], "next_vectors")
    return len(kept)


def _finish(collection: PostgresCollection, old: tables.Tables, new: tables.Tables, model: EmbeddingModel) -> bool:
    """Put the new vectors in the old ones' place; False if chunks came meanwhile."""
    with collection.pool.connection() as connection, connection.transaction():
        writing.lock(connection, old)
        rows, _ = _missing(connection, old)
        if rows:
            return False
        connection.execute(old.fill("drop table {vectors}"))
        connection.execute(
            old.fill(
                "alter table {next} rename to {name}",
                next=old.table("next_vectors"),
                name=sql.Identifier(f"vectors_{old.id}"),
            )
        )
        connection.execute(
            "update agentkit_rag.collections set model = %s, dimension = %s, normalised = %s, next_model = null, "
            "index_kind = 'exact' where id = %s",
            [model.model, model.dimension, model.normalised, new.id],
        )
    collection.settle()
    return True
