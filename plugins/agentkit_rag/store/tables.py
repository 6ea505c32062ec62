"""The tables of the Postgres store, in the schema `agentkit_rag` of agentkit's database.

`collections` has a row a collection; each collection has five tables of its own, so that vectors of any dimension get
an index, and dropping one costs nothing. docs/retrieval-store.md tells what the columns are for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import LiteralString

from psycopg import sql

from agentkit.errors import StorageError
from agentkit.postgres.connections import Connection
from agentkit_rag.store.contract import CollectionError, EmbeddingModel

SCHEMA = "agentkit_rag"
LANGUAGE = "english"
"""The text search configuration of a new collection."""
DIMENSIONS, HALF_DIMENSIONS = 2_000, 4_000
"""What pgvector's HNSW takes of `vector` and of `halfvec`."""
SETUP_LOCK = 7_236_548_103_112_954_882  # arbitrary, and the same for every process

_REGISTRY = """
    create schema if not exists agentkit_rag;
    create table if not exists agentkit_rag.collections (
        id integer generated always as identity primary key,
        name text not null unique,
        model text not null,
        dimension integer not null,
        normalised boolean not null,
        language regconfig not null,
        index_kind text not null default 'exact',
        next_model text,
        sources integer not null default 0,
        chunks integer not null default 0,
        words bigint not null default 0,
        created_at timestamptz not null default now()
    );
"""

_COLLECTION: LiteralString = """
    create table {sources} (
        id integer generated always as identity primary key,
        name text not null unique,
        digest text not null,
        metadata jsonb not null,
        modified timestamptz not null,
        indexed_at timestamptz not null default now()
    );
    create index on {sources} using gin (metadata jsonb_path_ops);
    create table {chunks} (
        id integer generated always as identity primary key,
        source integer not null references {sources} on delete cascade,
        position integer not null,
        start_at integer not null,
        end_at integer not null,
        page integer,
        words real not null,
        title_path jsonb not null,
        terms integer[] not null,
        counts real[] not null,
        text text not null,
        unique (source, position)
    );
    alter table {chunks} alter column terms set storage external, alter column counts set storage external;
    create table {terms} (
        id integer generated always as identity primary key,
        lexeme text collate "C" not null unique,
        chunks integer not null
    ) with (fillfactor = 70);
    create table {postings} (
        term integer not null,
        chunk integer not null,
        tf real not null,
        words real not null,
        impact smallint not null
    );
    create index on {postings} (term, impact desc, chunk) include (tf, words);
    -- queries ask for frequent words: the planner shall expect more postings of a term than the mean
    alter table {postings} alter column term set (n_distinct = 1000);
"""

_VECTORS: LiteralString = """
    create table {vectors} (
        chunk integer primary key references {chunks} on delete cascade,
        digest bytea not null,
        embedding {type} not null
    );
    alter table {vectors} alter column embedding set storage plain;
    create index on {vectors} (digest);
"""


@dataclass(frozen=True)
class Tables:
    """The tables of one collection."""

    id: int
    dimension: int
    language: str = LANGUAGE

    def table(self, kind: str) -> sql.Identifier:
        """One of sources, chunks, terms, postings, vectors, next_vectors."""
        return sql.Identifier(SCHEMA, f"{kind}_{self.id}")

    @property
    def type(self) -> sql.SQL | sql.Composed:
        """The type of the vectors: a page holds 2,000 numbers of `vector` and twice as many of `halfvec`."""
        return sql.SQL("halfvec({})" if self.half else "vector({})").format(sql.Literal(self.dimension))

    @property
    def half(self) -> bool:
        """True if numbers are stored with 16 bits."""
        return self.dimension > DIMENSIONS

    @cached_property
    def names(self) -> dict[str, sql.Composable]:
        """What statements are formatted with."""
        kinds = ("sources", "chunks", "terms", "postings", "vectors")
        return {kind: self.table(kind) for kind in kinds} | {
            "type": self.type,
            "id": sql.Literal(self.id),
            "language": sql.Literal(self.language),
            "half": sql.SQL("halfvec({})").format(sql.Literal(self.dimension)),
            "index": sql.Identifier(f"vectors_{self.id}_hnsw"),
            "schema": sql.Identifier(SCHEMA),
        }

    def fill(self, statement: LiteralString, **more: sql.Composable) -> bytes:
        """A statement with the names of this collection's tables in it."""
        return sql.SQL(statement).format(**self.names | more).as_bytes(None)


def prepare(connection: Connection) -> None:
    """Make the registry unless it is there. Raises StorageError if the server has no pgvector."""
    row = connection.execute("select to_regclass('agentkit_rag.collections') as made").fetchone()
    if row is not None and row["made"] is not None:
        return
    if connection.execute("select from pg_extension where extname = 'vector'").fetchone() is None:
        raise StorageError(
            "This Postgres has no pgvector, which retrieval needs: install it on the server and run "
            "`create extension vector` in agentkit's database, or unset AGENTKIT_DATABASE_URL for the embedded one."
        )
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(%s)", [SETUP_LOCK])
        connection.execute(_REGISTRY, prepare=False)


def create(connection: Connection, name: str, embedding: EmbeddingModel) -> None:
    """Make a collection's tables unless it is there. Two processes may do so at once."""
    check_name(name)
    if not 0 < embedding.dimension <= HALF_DIMENSIONS:
        raise CollectionError(
            f"{embedding.model!r} gives vectors of {embedding.dimension} dimensions; the Postgres store takes 1 to "
            f"{HALF_DIMENSIONS:,}. Ask the model for fewer, or choose another."
        )
    prepare(connection)
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(%s)", [SETUP_LOCK])
        row = connection.execute(
            "insert into agentkit_rag.collections (name, model, dimension, normalised, language) "
            "values (%s, %s, %s, %s, %s) on conflict (name) do nothing returning id",
            [name, embedding.model, embedding.dimension, embedding.normalised, LANGUAGE],
        ).fetchone()
        if row is not None:
            tables = Tables(row["id"], embedding.dimension)
            connection.execute(tables.fill(_COLLECTION), prepare=False)
            create_vectors(connection, tables)


def create_vectors(connection: Connection, tables: Tables, kind: str = "vectors") -> None:
    """Make the table of vectors, or the one that a new model's vectors are collected in."""
    connection.execute(tables.fill(_VECTORS, vectors=tables.table(kind)), prepare=False)


def drop(connection: Connection, tables: Tables) -> None:
    """Remove a collection's row and tables."""
    kinds = ("next_vectors", "vectors", "postings", "terms", "chunks", "sources")
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(%s)", [SETUP_LOCK])
        connection.execute("delete from agentkit_rag.collections where id = %s", [tables.id])
        every = sql.SQL(", ").join(tables.table(kind) for kind in kinds)
        connection.execute(sql.SQL("drop table if exists {}").format(every))


def check_name(name: str) -> None:
    """Raise CollectionError for a name that cannot be typed or shown."""
    if not (0 < len(name) <= 100 and name.isprintable() and name.strip() == name):
        raise CollectionError(
            f"{name[:100]!r} cannot be a collection's name: 1 to 100 printable characters, no space at the ends."
        )
