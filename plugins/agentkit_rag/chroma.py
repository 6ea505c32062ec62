"""Collections in Chroma: dense search alone, behind the contract of a store. Needs the extra `chroma`.

Chroma has no transactions. A source's new chunks come before its old ones go; one that was cut in between has no
digest, so that indexing reads it anew.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from agentkit.errors import MissingExtra, suggest
from agentkit_rag.documents import Chunk, Source
from agentkit_rag.store.contract import (
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
from agentkit_rag.store.neighbours import joined
from agentkit_rag.store.ranking import diversified
from agentkit_rag.store.vectors import matrix, modified, text_digest
from agentkit_rag.store.words import clean

if TYPE_CHECKING:
    from agentkit.settings import Settings
    from agentkit.storage import Storage

_COMPARISONS = ("gt", "gte", "lt", "lte", "ne")


def open_store(settings: Settings, storage: Storage) -> ChromaStore:  # noqa: ARG001
    """The store in the folder `chroma` of agentkit's home. Raises MissingExtra."""
    try:
        import chromadb
    except ImportError:
        raise MissingExtra("Chroma is not installed: pip install 'agentkit-ml[chroma]'.") from None
    options = chromadb.config.Settings(anonymized_telemetry=False)
    return ChromaStore(chromadb.PersistentClient(str(settings.home / "chroma"), settings=options))


class ChromaStore:
    """The collections of one Chroma client."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def names(self) -> list[str]:
        """The names of all collections, in order."""
        return sorted(
            c.metadata["agentkit"] for c in self._client.list_collections() if "agentkit" in (c.metadata or {})
        )

    def create(self, name: str, embedding: EmbeddingModel) -> ChromaCollection:
        """The collection of this name, made if it is not there. Raises CollectionError if its model is another."""
        if name not in self.names():
            self._client.create_collection(
                _encoded(name),
                metadata={
                    "agentkit": name, "model": embedding.model, "dimension": embedding.dimension,
                    "normalised": embedding.normalised,
                },
                configuration={"hnsw": {"space": "ip", "max_neighbors": 16, "ef_construction": 64, "ef_search": 100}},
                embedding_function=None,
            )  # fmt: skip
        return self.open(name, embedding)

    def open(self, name: str, embedding: EmbeddingModel | None = None) -> ChromaCollection:
        """The collection of this name. Raises CollectionError if there is none, or if its model is not `embedding`."""
        names = self.names()
        if name not in names:
            raise CollectionError(
                f"There is no collection {name[:100]!r}.{suggest(name[:100], names)} Index documents first."
            )
        found = ChromaCollection(self._client, self._client.get_collection(_encoded(name), embedding_function=None))
        if embedding is not None:
            check_same(name, found.embedding, embedding)
        return found


class ChromaCollection:
    """A collection in Chroma."""

    modes: tuple[Mode, ...] = ("dense", "mmr")
    settled = True

    def __init__(self, client: Any, collection: Any) -> None:
        self._client, self._collection = client, collection
        told = collection.metadata
        self.name: str = told["agentkit"]
        self.embedding = EmbeddingModel(told["model"], told["dimension"], told["normalised"])

    def put(self, source: Source, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Store a source; one of the same name is replaced. Raises CollectionError for vectors that do not fit."""
        self.put_all([(source, chunks, vectors)])

    def put_all(self, entries: Sequence[Entry]) -> None:
        """Store several sources, one after the other once all are known to fit."""
        ready = [matrix(vectors, len(chunks), self.embedding.dimension, s.name) for s, chunks, vectors in entries]
        for (source, chunks, _), vectors in zip(entries, ready, strict=True):
            made = secrets.token_hex(8)
            batch = self._client.get_max_batch_size()
            for i in range(0, len(chunks), batch):
                part = chunks[i : i + batch]
                self._collection.add(
                    ids=[f"{made}-{i + n}" for n in range(len(part))],
                    embeddings=vectors[i : i + batch],
                    documents=[clean(chunk.text) for chunk in part],
                    metadatas=[_metadata(source, chunk, made) for chunk in part],
                )
            self._collection.delete(where={"$and": [{"source": clean(source.name)}, {"made": {"$ne": made}}]})

    def remove(self, sources: Iterable[str]) -> None:
        """Remove sources; names that are not there are ignored."""
        if names := [clean(name) for name in sources]:
            self._collection.delete(where={"source": {"$in": names}})

    def digests(self) -> dict[str, str]:
        """Source -> digest of what is stored, '' for one that was cut while it was replaced."""
        found: dict[str, tuple[str, str]] = {}
        for row in self._collection.get(include=["metadatas"])["metadatas"]:
            before = found.setdefault(row["source"], (row["made"], row["digest"]))
            if before[0] != row["made"]:
                found[row["source"]] = before[0], ""
        return {name: digest for name, (_, digest) in found.items()}

    def known_vectors(self, texts: Sequence[str]) -> dict[str, Any]:
        """The vectors of those texts that the collection already has, by text."""
        by_digest = {text_digest(text).hex(): text for text in texts}
        if not by_digest:
            return {}
        rows = self._collection.get(where={"text": {"$in": list(by_digest)}}, include=["metadatas", "embeddings"])
        return {by_digest[m["text"]]: v for m, v in zip(rows["metadatas"], rows["embeddings"], strict=True)}

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
        """The best `k` chunks, best first. Raises CollectionError for what Chroma cannot do, such as hybrid search."""
        check_query(query, k, mode or "dense", half_life, self.modes)
        if vector is None:
            raise CollectionError("Chroma searches by vectors alone: give the query's vector.")
        wanted = matrix([vector], 1, self.embedding.dimension, "the query")
        rows = self._collection.query(
            query_embeddings=wanted,
            n_results=max(POOL, k),
            where=_where(filters or {}),
            include=["metadatas", "documents", "distances", "embeddings"],
        )
        columns = (rows[name][0] for name in ("ids", "documents", "metadatas", "distances"))
        hits = [_hit(*row) for row in zip(*columns, strict=True)]
        if half_life is not None:
            told = rows["metadatas"][0]
            hits = [
                replace(h, score=h.score * _fade(m["modified"], half_life)) for h, m in zip(hits, told, strict=True)
            ]
        if mode == "mmr" and hits:
            import numpy as np

            relevance = np.array([hit.score for hit in hits])
            return [hits[i] for i in diversified(np.array(rows["embeddings"][0]), relevance, k)]
        return sorted(hits, key=lambda hit: -hit.score)[:k]

    def around(self, hit: Hit, neighbours: int = 1) -> Hit:
        """The hit with so many chunks before and after it joined to its text."""
        reach = [{"position": {"$gte": hit.position - neighbours}}, {"position": {"$lte": hit.position + neighbours}}]
        rows = self._collection.get(where={"$and": [{"source": hit.source}, *reach]})
        found = sorted(zip(rows["metadatas"], rows["documents"], strict=True), key=lambda row: row[0]["position"])
        text, start, end = joined([(text, m["start"], m["end"]) for m, text in found])
        return replace(hit, text=text, start=start, end=end) if found else hit

    def chunks_of(self, sources: Sequence[str]) -> list[Hit]:
        """All chunks of these sources, in the order of the names and of the text."""
        names = {clean(name): number for number, name in enumerate(sources)}
        if not names:
            return []
        rows = self._collection.get(where={"source": {"$in": list(names)}})
        columns = (rows[name] for name in ("ids", "documents", "metadatas"))
        hits = [_hit(number, text, told, 1.0) for number, text, told in zip(*columns, strict=True)]
        return sorted(hits, key=lambda hit: (names[hit.source], hit.position))

    def settle(self) -> None:
        """Nothing is to be done: Chroma keeps its index itself."""

    def info(self) -> CollectionInfo:
        """What it holds now. Chroma does not tell how many bytes that is."""
        return CollectionInfo(
            self.name, self.embedding, len(self.digests()), self._collection.count(), 0, "hnsw of Chroma"
        )

    def drop(self) -> None:
        """Remove the collection with all that is in it."""
        self._client.delete_collection(self._collection.name)


def _encoded(name: str) -> str:
    """A name that Chroma takes: 3 to 512 letters, digits and hyphens."""
    if not 0 < len(name) <= 100:
        raise CollectionError(f"{name[:100]!r} cannot be a collection's name: 1 to 100 characters.")
    return "agentkit-" + name.encode("utf-8", "replace").hex()


def _metadata(source: Source, chunk: Chunk, made: str) -> dict[str, Any]:
    own = {
        "source": clean(source.name), "digest": source.digest, "made": made, "text": text_digest(chunk.text).hex(),
        "position": chunk.position, "start": chunk.start, "end": chunk.end, "titles": json.dumps(chunk.title_path),
        "modified": found.timestamp() if (found := modified(source)) else time.time(),
    }  # fmt: skip
    page = {} if chunk.page is None else {"page": chunk.page}
    return own | page | {f"m.{key}": value for key, value in source.metadata.items()}


def _hit(number: str, text: str, told: dict[str, Any], distance: float) -> Hit:
    given = {key[2:]: value for key, value in told.items() if key.startswith("m.")}
    places = told.get("page"), tuple(json.loads(told["titles"])), told["start"], told["end"], told["position"]
    return Hit(text, told["source"], 1 - distance, *places, given, number)


def _fade(changed: float, half_life: float) -> float:
    return float(0.5 ** (max(time.time() - changed, 0.0) / 86_400 / half_life))


def _where(filters: Filters) -> dict[str, Any] | None:
    conditions = [c for key, wanted in filters.items() for c in _conditions(key, wanted)]
    return {"$and": conditions} if len(conditions) > 1 else conditions[0] if conditions else None


def _conditions(key: str, wanted: Any) -> list[dict[str, Any]]:
    field = key if key in ("source", "page") else f"m.{key}"
    if isinstance(wanted, dict):
        if not wanted or any(o not in _COMPARISONS for o in wanted):
            raise CollectionError(f"filters: {key!r}: {wanted!r} is not a value, a list or a comparison.")
        return [{field: {f"${operator}": value}} for operator, value in wanted.items()]
    if field == "source" and "*" in str(wanted):
        raise CollectionError("filters: Chroma has no patterns for 'source': give whole names.")
    return [{field: {"$in": list(wanted)} if isinstance(wanted, (list, tuple, set)) else wanted}]
