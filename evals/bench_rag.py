"""Retrieval against Chroma and bm25s: queries a second without encoding, ingest, index build, sizes.

python -m evals.bench_rag [CHUNKS]   texts and vectors come from a generator, the same for all
"""

from __future__ import annotations

import hashlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from agentkit_rag.documents import Chunk, Source
from agentkit_rag.store.contract import EmbeddingModel
from agentkit_rag.store.postgres import open_store

from agentkit.settings import load_settings
from agentkit.storage import Storage

DIMENSION, WORDS, VOCABULARY, QUERY_WORDS = 384, 120, 30_000, 8
QUERIES, BATCH, TOPICS = 200, 250, 200
RRF_K, POOL, K = 10, 50, 10


def corpus(chunks: int) -> tuple[list[str], Any, list[str], Any]:
    """(texts, vectors, queries, their vectors): words by Zipf's law around topics, vectors around topics."""
    rng = np.random.default_rng(7)
    vocabulary = np.array([_word(i) for i in range(VOCABULARY)])
    frequency = 1 / (np.arange(VOCABULARY) + 20)
    frequency /= frequency.sum()
    centres = rng.normal(size=(TOPICS, DIMENSION))
    favourites = rng.choice(VOCABULARY, (TOPICS, 60), p=frequency)

    def made(count: int, words: int) -> tuple[list[str], Any]:
        topics = rng.integers(0, TOPICS, count)
        picked = rng.choice(VOCABULARY, (count, words), p=frequency)
        own = rng.random((count, words)) < 0.3
        picked[own] = favourites[np.repeat(topics, words).reshape(count, words)[own], rng.integers(0, 60, own.sum())]
        vectors = centres[topics] + rng.normal(size=(count, DIMENSION))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return [" ".join(vocabulary[row]) for row in picked], vectors.astype(np.float32)

    return *made(chunks, WORDS), *made(QUERIES, QUERY_WORDS)


def _word(number: int) -> str:
    syllables = ["ba", "co", "di", "fu", "ga", "ho", "ki", "lu", "ma", "no", "pi", "ru", "sa", "to", "vi", "wo"]
    return "".join(syllables[(number >> shift) & 15] for shift in (0, 4, 8, 12)) + "x"


def rag_bench(chunks: int = 5_000) -> None:
    """The table of docs/benchmarks.md: every system on the same texts, vectors and queries, one after the other."""
    texts, vectors, queries, asked = corpus(chunks)
    rows: dict[str, list[list[int]]] = {}
    with _postgres(texts, vectors) as collection:
        for mode in ("lexical", "dense", "hybrid"):
            rows[mode] = _measured(
                f"agentkit {mode}",
                lambda i, mode=mode: _ours(collection, queries[i], asked[i], mode),  # type: ignore[misc]
            )
    _peers(texts, vectors, queries, asked, rows)
    nearest = np.argsort(-asked @ vectors.T, axis=1)[:, :K]
    found = np.mean([len(set(a) & set(b)) / K for a, b in zip(rows["dense"], nearest.tolist(), strict=True)])
    print(f"rag          recall@{K} of agentkit dense against exact search: {found:.3f}")


def _ours(collection: Any, query: str, vector: Any, mode: str) -> list[int]:
    return [int(hit.source) for hit in collection.search(query, None if mode == "lexical" else vector, K, mode)]


@contextmanager
def _postgres(texts: list[str], vectors: Any) -> Iterator[Any]:
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(folder, home=str(Path(folder) / ".agentkit"))
        with Storage(settings) as storage:
            collection = open_store(settings, storage).create("bench", EmbeddingModel("random", DIMENSION))
            start = time.perf_counter()
            for i in range(0, len(texts), BATCH):
                collection.put_all([_entry(n, texts[n], vectors[n]) for n in range(i, min(i + BATCH, len(texts)))])
            stored = time.perf_counter() - start
            collection.settle()
            built = time.perf_counter() - start - stored
            size = collection.info().bytes / 1e6
            ingest = f"{len(texts) / stored:8.0f} /s   without embedding, {len(texts):,} chunks"
            print(f"rag          agentkit ingest    {ingest}")
            print(
                f"rag          agentkit index     {built:8.1f} s    {collection.info().index}, {size:,.0f} MB on disk"
            )
            yield collection


def _entry(number: int, text: str, vector: Any) -> Any:
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Source(str(number), digest, ()), [Chunk(text, 0, len(text))], vector[None]


def _peers(texts: list[str], vectors: Any, queries: list[str], asked: Any, rows: dict[str, list[list[int]]]) -> None:
    try:
        import bm25s
        import chromadb
        import Stemmer
    except ImportError as error:
        print(f"rag          peers left out: {error}. pip install chromadb bm25s PyStemmer")
        return
    with tempfile.TemporaryDirectory() as folder:
        options = chromadb.config.Settings(anonymized_telemetry=False)
        client = chromadb.PersistentClient(folder, settings=options)
        hnsw: Any = {"hnsw": {"space": "ip", "max_neighbors": 16, "ef_construction": 64, "ef_search": 100}}
        chroma = client.create_collection("bench", configuration=hnsw, embedding_function=None)
        start = time.perf_counter()
        for i in range(0, len(texts), 2_000):
            part = slice(i, min(i + 2_000, len(texts)))
            ids = [str(n) for n in range(part.start, part.stop)]
            chroma.add(ids=ids, embeddings=vectors[part], documents=texts[part])
        print(f"rag          Chroma ingest      {len(texts) / (time.perf_counter() - start):8.0f} /s   index included")
        stemmer = Stemmer.Stemmer("english")
        bm25 = bm25s.BM25(k1=1.2, b=0.75)
        tokens = bm25s.tokenize(texts, stopwords="en", stemmer=stemmer, show_progress=False)
        bm25.index(tokens, show_progress=False)

        def dense(i: int, k: int = K) -> list[int]:
            found = chroma.query(query_embeddings=asked[i : i + 1], n_results=k, include=["documents", "distances"])
            return [int(number) for number in found["ids"][0]]

        def lexical(i: int, k: int = K) -> list[int]:
            words = bm25s.tokenize([queries[i]], stopwords="en", stemmer=stemmer, show_progress=False)
            found, _ = bm25.retrieve(words, k=k, show_progress=False)
            return [int(number) for number in found[0]]

        def fused(i: int) -> list[int]:
            scores: dict[int, float] = {}
            for ranked in (dense(i, POOL), lexical(i, POOL)):
                for rank, number in enumerate(ranked, 1):
                    scores[number] = scores.get(number, 0) + 1 / (RRF_K + rank)
            return sorted(scores, key=lambda n: -scores[n])[:K]

        theirs = {"dense": _measured("Chroma dense", dense), "lexical": _measured("bm25s", lexical)}
        theirs["hybrid"] = _measured("Chroma + bm25s, fused", fused)
    for mode, found in theirs.items():
        same = np.mean([len(set(a) & set(b)) / K for a, b in zip(rows[mode], found, strict=True)])
        print(f"rag          {mode}: {same:.3f} of the peer's first {K} are agentkit's")


def _measured(name: str, ask: Callable[[int], list[int]]) -> list[list[int]]:
    """Ask all queries one after the other; queries a second and the slowest twentieth. The first ten warm up."""
    for i in range(10):
        ask(i)
    taken, found = list[float](), list[list[int]]()
    for i in range(QUERIES):
        start = time.perf_counter()
        found.append(ask(i))
        taken.append(time.perf_counter() - start)
    rate, slow = len(taken) / sum(taken), statistics.quantiles(taken, n=20)[-1]
    print(f"rag          {name:22} {rate:7.0f} q/s   p95 {slow * 1000:6.1f} ms   {_memory():,.0f} MB resident")
    return found


def _memory() -> float:
    """Megabytes of this process and its children, shared pages counted once for each."""
    import psutil

    own = psutil.Process(os.getpid())
    return sum(p.memory_info().rss for p in [own, *own.children(recursive=True)]) / 1e6


if __name__ == "__main__":
    rag_bench(int(sys.argv[1]) if sys.argv[1:] else 5_000)
