"""Does the index of a collection find what reading all vectors finds?"""

from __future__ import annotations

import time
from dataclasses import dataclass

from agentkit_rag.store.contract import CollectionError
from agentkit_rag.store.postgres import PostgresCollection

SAMPLE = 40
"""Vectors of the collection that are searched for."""
K = 10
ENOUGH = 0.95


@dataclass(frozen=True)
class IndexCheck:
    """`recall`: share of the nearest K that the index found, mean over `queries`. Milliseconds of one search."""

    collection: str
    chunks: int
    index: str
    queries: int
    recall: float
    index_ms: float
    exact_ms: float

    @property
    def advice(self) -> str:
        """What to change, or that nothing has to be."""
        if self.index == "exact":
            return "No index yet: all vectors are read, and nothing is missed."
        if self.recall < ENOUGH:
            return (
                f"The index misses {1 - self.recall:.0%} of the nearest {K}. Build it anew: "
                f"agentkit rag index --reembed -c {self.collection}"
            )
        return "The index is good: nothing to change."


def check_index(collection: PostgresCollection, sample: int = SAMPLE) -> IndexCheck:
    """Search for stored vectors with the index and without. Raises CollectionError if there are none."""
    info = collection.info()
    own = collection.state().tables
    drawn = own.fill("select embedding::real[] as vector from {vectors} order by random() limit %(sample)s")
    # the sum keeps the planner from the index
    exact = own.fill("select chunk from {vectors} order by (embedding <=> %(vector)s::{type}) + 0 limit %(k)s")
    with collection.pool.connection() as connection:
        vectors = [row["vector"] for row in connection.execute(drawn, {"sample": sample}).fetchall()]
        if not vectors:
            raise CollectionError(f"Collection {collection.name!r} has no chunks: index documents into it first.")
        began = time.perf_counter()
        wanted = [
            {r["chunk"] for r in connection.execute(exact, {"vector": str(vector), "k": K}).fetchall()}
            for vector in vectors
        ]
    middle = time.perf_counter()
    found = [{h.id for h in collection.search("check", vector, K, "dense")} for vector in vectors]
    ended = time.perf_counter()
    shares = [len(f & w) / len(w) for f, w in zip(found, wanted, strict=True)]
    each = 1_000 / len(vectors)
    return IndexCheck(
        collection=collection.name,
        chunks=info.chunks,
        index=info.index,
        queries=len(vectors),
        recall=sum(shares) / len(shares),
        index_ms=(ended - middle) * each,
        exact_ms=(middle - began) * each,
    )
