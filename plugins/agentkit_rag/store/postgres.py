"""Collections in Postgres with pgvector: words by BM25 in SQL, meaning by HNSW, both in one statement."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import psycopg

from agentkit.errors import suggest
from agentkit.postgres.connections import Connection, Pool, first_line, persistently
from agentkit_rag.documents import Chunk, Source
from agentkit_rag.settings import RagSettings
from agentkit_rag.store import indexes, statements, tables, writing
from agentkit_rag.store.contract import (
    MODES,
    POOL,
    CollectionError,
    CollectionInfo,
    EmbeddingModel,
    Entry,
    Filters,
    Hit,
    Mode,
    Vectors,
    check_query,
    check_same,
)
from agentkit_rag.store.filters import condition
from agentkit_rag.store.neighbours import joined
from agentkit_rag.store.parameters import HalfParameter, Parameter, know_parameters
from agentkit_rag.store.ranking import diversified
from agentkit_rag.store.vectors import text_digest, unit
from agentkit_rag.store.words import clean, separated

if TYPE_CHECKING:
    from agentkit.settings import Settings
    from agentkit.storage import Storage

FEW = 5_000
"""So many chunks or fewer that meet a filter are all compared with the query: the index would find them late."""
_FRESH_SECONDS = 2.0
_prepared: WeakKeyDictionary[Connection, tuple[int, bool | None]] = WeakKeyDictionary()


@dataclass(frozen=True)
class _State:
    """A collection's row in the registry."""

    tables: tables.Tables
    embedding: EmbeddingModel
    index: str
    sources: int
    chunks: int

    @property
    def whole(self) -> bool:
        """True if all postings of a query can be read."""
        return self.chunks <= statements.WHOLE


def open_store(settings: Settings, storage: Storage) -> PostgresStore:
    """The store in agentkit's own database."""
    return PostgresStore(storage.pool(), settings.section("rag", RagSettings).ef_search)


class PostgresStore:
    """The collections of one database. Threads may share it."""

    def __init__(self, pool: Pool, ef_search: int = RagSettings().ef_search) -> None:
        self.pool, self._ef_search = pool, ef_search

    def names(self) -> list[str]:
        """The names of all collections, in order."""
        with self.pool.connection() as connection:
            tables.prepare(connection)
        rows = self.pool.query("select name from agentkit_rag.collections order by name")
        return [row["name"] for row in rows]

    def create(self, name: str, embedding: EmbeddingModel) -> PostgresCollection:
        """The collection of this name, made if it is not there. Raises CollectionError if its model is another."""
        with self.pool.connection() as connection:
            tables.create(connection, name, embedding)
        return self.open(name, embedding)

    def open(self, name: str, embedding: EmbeddingModel | None = None) -> PostgresCollection:
        """The collection of this name. Raises CollectionError if there is none, or if its model is not `embedding`."""
        names = self.names()
        if name not in names:
            known = f" There are: {', '.join(map(repr, names[:20]))}." if names else " There is none yet."
            raise CollectionError(
                f"There is no collection {name[:100]!r}.{suggest(name[:100], names)}{known} Index documents into it "
                "first (index_documents, or `agentkit rag index`)."
            )
        collection = PostgresCollection(self.pool, name, self._ef_search)
        if embedding is not None:
            check_same(name, collection.embedding, embedding)
        return collection


class PostgresCollection:
    """A collection in Postgres. Threads may share it; any number of processes may write to it and search it."""

    modes = MODES

    def __init__(self, pool: Pool, name: str, ef_search: int = RagSettings().ef_search) -> None:
        self.name, self.pool, self.ef_search = name, pool, ef_search
        self._state: tuple[float, _State] | None = None

    @property
    def embedding(self) -> EmbeddingModel:
        """The model that made the vectors."""
        return self.state().embedding

    def state(self, fresh: bool = False) -> _State:
        """The collection's row, at most two seconds old: an index that came meanwhile is only not used yet."""
        if fresh or self._state is None or time.monotonic() - self._state[0] > _FRESH_SECONDS:
            rows = self.pool.query(
                "select id, model, dimension, normalised, language::text as language, index_kind, sources, chunks "
                "from agentkit_rag.collections where name = %s",
                [self.name],
            )
            if not rows:
                self._state = None
                raise CollectionError(f"Collection {self.name!r} has been dropped. Index documents into it anew.")
            (row,) = rows
            own = tables.Tables(row["id"], row["dimension"], row["language"])
            model = EmbeddingModel(row["model"], row["dimension"], row["normalised"])
            state = _State(own, model, row["index_kind"], row["sources"], row["chunks"])
            self._state = time.monotonic(), state
        return self._state[1]

    def put(self, source: Source, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Store a source; one of the same name is replaced. Raises CollectionError for vectors that do not fit."""
        self.put_all([(source, chunks, vectors)])

    def put_all(self, entries: Sequence[Entry]) -> None:
        """Store several sources at once, all or none."""
        if entries:
            self._write(lambda connection, own: writing.put(connection, own, entries))

    def remove(self, sources: Iterable[str]) -> None:
        """Remove sources; names that are not there are ignored."""
        if names := list(sources):
            self._write(lambda connection, own: writing.remove(connection, own, names))

    def digests(self) -> dict[str, str]:
        """Source -> digest of what is stored."""
        return {row["name"]: row["digest"] for row in self._read("select name, digest from {sources}")}

    def known_vectors(self, texts: Sequence[str]) -> dict[str, Any]:
        """The vectors of those texts that the collection already has, by text."""
        import numpy as np

        by_digest = {text_digest(text): text for text in texts}
        rows = self._read(
            "select distinct on (digest) digest, embedding::real[] as embedding from {vectors} "
            "where digest = any(%(digests)s)",
            {"digests": list(by_digest)},
        )
        return {by_digest[bytes(row["digest"])]: np.array(row["embedding"], np.float32) for row in rows}

    def search(
        self,
        query: str,
        vector: Any | None = None,
        k: int = 5,
        mode: Mode | None = None,
        filters: Filters | None = None,
        *,
        half_life: float | None = None,
    ) -> list[Hit]:
        """The best `k` chunks, best first: hybrid if there is a vector, else lexical.

        `half_life`: days after which an older source's score counts half. Raises CollectionError for a query that is
        empty or too long, a vector that does not fit, or filters that are not understood.
        """
        mode = mode or ("lexical" if vector is None else "hybrid")
        values = self._values(query, vector, k, mode, half_life)
        if mode == "mmr":
            return self._diverse(values, k, filters)
        return [_hit(row) for row in self._found(mode, values, filters, k)]

    def _values(self, query: str, vector: Any, k: int, mode: str, half_life: float | None) -> dict[str, Any]:
        check_query(query, k, mode, half_life, MODES)
        values: dict[str, Any] = {"words": separated(clean(query))}
        if half_life is not None:
            values["half_life"] = half_life
        if mode != "lexical":
            if vector is None:
                raise CollectionError(f"The mode {mode!r} needs the query's vector; 'lexical' does without.")
            found = unit(vector, self.embedding.dimension)
            values |= {"vector": Parameter(found), "half": HalfParameter(found)}
        return values

    def _found(self, mode: str, values: dict[str, Any], filters: Filters | None, k: int) -> list[dict[str, Any]]:
        """The rows of a search. Asked again once if the collection was made anew meanwhile."""
        fades = "half_life" in values
        if not filters:
            return self._unfiltered(mode, values, fades, k)
        where, given = condition(filters)
        few = self._few(where, given) if mode != "lexical" else False

        def statement(state: _State) -> bytes:
            return statements.search(
                state.tables, mode, state.index, condition=where, few=few, fades=fades, whole=state.whole, k=k
            )

        return self._searched(statement, values | given, iterative=True)

    def _unfiltered(self, mode: str, values: dict[str, Any], fades: bool, k: int) -> list[dict[str, Any]]:
        def statement(state: _State) -> bytes:
            return _plain(state.tables, mode, state.index, fades, state.whole, k)

        wanted = statements.nearest(mode, k, fades)
        rows = self._searched(statement, values, iterative=wanted > self.ef_search)
        state = self.state()
        if mode == "lexical" or state.index == "exact":
            return rows
        # vectors of removed chunks are in the index until it is cleaned, and take the places of others
        short = (rows[0]["near"] if rows else 0) < min(wanted, state.chunks)
        return self._searched(statement, values, iterative=True) if short else rows

    def _few(self, where: Any, given: dict[str, Any]) -> bool:
        number = psycopg.sql.Literal(FEW + 1)
        (row,) = self._read(
            "select count(*) as n from (select from {chunks} c join {sources} s on s.id = c.source where {where} "
            "limit {number}) x",
            given,
            where=where,
            number=number,
        )
        return bool(row["n"] <= FEW)

    def _diverse(self, values: dict[str, Any], k: int, filters: Filters | None) -> list[Hit]:
        import numpy as np

        rows = self._found("mmr", values, filters, max(POOL, k))
        vectors = {
            row["chunk"]: row["embedding"]
            for row in self._read(
                "select chunk, embedding::real[] as embedding from {vectors} where chunk = any(%(ids)s)",
                {"ids": [row["id"] for row in rows]},
            )
        }
        rows = [row for row in rows if row["id"] in vectors]
        if not rows:
            return []
        found = np.array([vectors[row["id"]] for row in rows], np.float32)
        return [_hit(rows[i]) for i in diversified(found, np.array([row["score"] for row in rows]), k)]

    def around(self, hit: Hit, neighbours: int = 1) -> Hit:
        """The hit with so many chunks before and after it joined to its text."""
        rows = self._read(
            "select c.text, c.start_at, c.end_at, c.position from {chunks} c join {sources} s on s.id = c.source "
            "where s.name = %(name)s and c.position between %(first)s and %(last)s order by c.position",
            {"name": hit.source, "first": hit.position - neighbours, "last": hit.position + neighbours},
        )
        text, start, end = joined([(row["text"], row["start_at"], row["end_at"]) for row in rows])
        return replace(hit, text=text, start=start, end=end) if rows else hit

    def chunks_of(self, sources: Sequence[str]) -> list[Hit]:
        """All chunks of these sources, in the order of the names and of the text."""
        rows = self._read(
            "select c.id, c.text, s.name as source, 0 as score, c.page, c.title_path, c.start_at, c.end_at, "
            "c.position, s.metadata from {sources} s join {chunks} c on c.source = s.id where s.name = any(%(names)s) "
            "order by array_position(%(names)s, s.name), c.position",
            {"names": [clean(name) for name in sources]},
        )
        return [_hit(row) for row in rows]

    @property
    def settled(self) -> bool:
        """False if the size asks for another index than there is: a run was cut, or many small ones added up."""
        state = self.state(fresh=True)
        return indexes.wanted(state.chunks, state.index) == state.index

    def settle(self, anew: bool = False) -> None:
        """Build the index that the size asks for, and refresh statistics: called after many changes.

        `anew`: also if there is such an index already.
        """

        def once() -> None:
            own = self.state(fresh=True).tables
            with self.pool.connection() as connection:
                indexes.settle(connection, own, anew)

        persistently(once)
        self._state = None

    def info(self) -> CollectionInfo:
        """What it holds now."""
        state = self.state(fresh=True)
        with self.pool.connection() as connection:
            size = indexes.on_disk(connection, state.tables)
        return CollectionInfo(self.name, state.embedding, state.sources, state.chunks, size, state.index)

    def drop(self) -> None:
        """Remove the collection with all that is in it."""
        own = self.state(fresh=True).tables
        with self.pool.connection() as connection:
            tables.drop(connection, own)
        self._state = None

    def _write(self, work: Callable[[Connection, tables.Tables], None]) -> None:
        """Do work that may be done twice, as the only writer, in one transaction; again if the server goes away.

        Raises CollectionError if the collection was dropped meanwhile.
        """

        def once() -> None:
            own = self.state(fresh=True).tables
            with self.pool.connection() as connection, connection.transaction():
                writing.lock(connection, own)
                work(connection, own)

        try:
            persistently(once)
        except psycopg.errors.UndefinedTable:
            raise CollectionError(f"Collection {self.name!r} was dropped while it was written to.") from None
        self._state = None

    def _read(self, statement: Any, values: Any = None, **more: Any) -> list[dict[str, Any]]:
        return self._searched(lambda state: state.tables.fill(statement, **more), values or {})

    def _searched(
        self, statement: Callable[[_State], bytes], values: dict[str, Any], iterative: bool | None = None
    ) -> list[dict[str, Any]]:
        try:
            return persistently(lambda: self._query(statement(self.state()), values, iterative))
        except (psycopg.errors.UndefinedTable, psycopg.errors.DataException):
            # made or embedded anew by another process in the last two seconds
            state = self.state(fresh=True)
        try:
            return persistently(lambda: self._query(statement(state), values, iterative))
        except psycopg.errors.DataException as error:
            raise CollectionError(
                f"Collection {self.name!r} has vectors of {state.embedding.model!r} ({state.embedding.dimension} "
                f"dimensions); this search does not fit it: {first_line(error, {})}."
            ) from None

    def _query(self, statement: bytes, values: dict[str, Any], iterative: bool | None) -> list[dict[str, Any]]:
        """The rows of a statement; `iterative`: how the index is searched, None if it is not."""
        with self.pool.connection() as connection:
            know_parameters(connection)
            wanted = self.ef_search, iterative
            if iterative is not None and _prepared.get(connection) != wanted:
                connection.execute(indexes.session(self.ef_search, iterative), prepare=False)
                _prepared[connection] = wanted
            return connection.execute(statement, values).fetchall()


@lru_cache(maxsize=256)
def _plain(own: tables.Tables, mode: str, index: str, fades: bool, whole: bool, k: int) -> bytes:
    return statements.search(own, mode, index, fades=fades, whole=whole, k=k)


def _hit(row: dict[str, Any]) -> Hit:
    return Hit(
        text=row["text"],
        source=row["source"],
        score=float(row["score"]),
        page=row["page"],
        title_path=tuple(row["title_path"] or ()),
        start=row["start_at"],
        end=row["end_at"],
        position=row["position"],
        metadata=row["metadata"] or {},
        id=row["id"],
    )
