"""Does the index of a collection find what reading all vectors finds?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from agentkit_rag.store.contract import CollectionError
from agentkit_rag.store.postgres import PostgresCollection

SAMPLE = 40
"""Searches: vectors of the collection, each moved towards another one, as a query lies beside what it asks for."""
MOVED = 0.4
K = 10
ENOUGH = 0.95
WIDER = (2, 4, 8)
"""Times ef_search that are tried if the index finds too little."""
_MOST = 1_000


@dataclass(frozen=True)
class IndexCheck:
    """`recall`: share of the nearest K that the index found, mean over `queries`. Milliseconds of one search.

    `better`: an `ef_search` that finds enough, if the one that is set does not and one was found.
    """

    collection: str
    chunks: int
    index: str
    ef_search: int
    queries: int
    recall: float
    index_ms: float
    exact_ms: float
    better: int | None = None

    @property
    def advice(self) -> str:
        """What to change, or that nothing has to be."""
        if self.index == "exact":
            return "No index yet: all vectors are read, and nothing is missed."
        if self.recall >= ENOUGH:
            return "The index is good: nothing to change."
        missed = f"The index misses {1 - self.recall:.0%} of the nearest {K} with ef_search {self.ef_search}. "
        if self.better is not None:
            return f"{missed}Set ef_search = {self.better} under [rag] in agentkit.toml: then it finds enough."
        return f"{missed}Build it anew: agentkit rag check {self.collection} --rebuild"


def check_index(collection: PostgresCollection, sample: int = SAMPLE) -> IndexCheck:
    """Search near stored vectors with the index and without. Raises CollectionError if there are none."""
    info = collection.info()
    vectors, wanted, exact_ms = _nearest(collection, sample)
    recall, index_ms = _found(collection, vectors, wanted)
    better = None
    if info.index != "exact" and recall < ENOUGH:
        tried = sorted({min(collection.ef_search * times, _MOST) for times in WIDER})
        wider = (PostgresCollection(collection.pool, collection.name, ef_search) for ef_search in tried)
        better = next((w.ef_search for w in wider if _found(w, vectors, wanted)[0] >= ENOUGH), None)
    return IndexCheck(
        collection=collection.name,
        chunks=info.chunks,
        index=info.index,
        ef_search=collection.ef_search,
        queries=len(vectors),
        recall=recall,
        index_ms=index_ms,
        exact_ms=exact_ms,
        better=better,
    )


def _nearest(collection: PostgresCollection, sample: int) -> tuple[list[Any], list[set[int]], float]:
    """Vectors to search for, the chunks that are nearest to each, and the milliseconds it takes to find them."""
    import numpy as np

    own = collection.state().tables
    drawn = own.fill("select embedding::real[] as vector from {vectors} order by random() limit %(sample)s")
    # the sum keeps the planner from the index
    exact = own.fill("select chunk from {vectors} order by (embedding <=> %(vector)s::{type}) + 0 limit %(k)s")
    with collection.pool.connection() as connection:
        rows = connection.execute(drawn, {"sample": sample}).fetchall()
        if not rows:
            raise CollectionError(f"Collection {collection.name!r} has no chunks: index documents into it first.")
        stored = np.array([row["vector"] for row in rows], np.float32)
        vectors = list((1 - MOVED) * stored + MOVED * np.roll(stored, 1, axis=0))
        began = time.perf_counter()
        nearest = [
            {r["chunk"] for r in connection.execute(exact, {"vector": str(vector.tolist()), "k": K}).fetchall()}
            for vector in vectors
        ]
    return vectors, nearest, (time.perf_counter() - began) * 1_000 / len(vectors)


def _found(collection: PostgresCollection, vectors: list[Any], wanted: list[set[int]]) -> tuple[float, float]:
    """The share of `wanted` that searches find, and the milliseconds of one."""
    began = time.perf_counter()
    found = [{h.id for h in collection.search("check", vector, K, "dense")} for vector in vectors]
    taken = (time.perf_counter() - began) * 1_000 / len(vectors)
    shares = [len(f & w) / len(w) for f, w in zip(found, wanted, strict=True)]
    return sum(shares) / len(shares), taken
