"""The systems of `bench_rag`, each in a process of its own and, if need be, an environment of its own.

python evals/rag_systems.py SYSTEM FOLDER [URL]   reads requests from stdin, a JSON object a line, and answers likewise
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from evals.rag_corpus import DIMENSION, Corpus, load

BATCH = 250
K, POOL, RRF_K = 10, 50, 10
M, EF_CONSTRUCTION, EF_SEARCH = 16, 64, 100
Ask = Callable[[int], "list[int]"]


class Agentkit:
    """A collection in the embedded Postgres."""

    def __init__(self, corpus: Corpus, folder: Path, url: str) -> None:
        from agentkit_rag.store.contract import EmbeddingModel
        from agentkit_rag.store.postgres import open_store

        from agentkit.settings import load_settings
        from agentkit.storage import Storage

        settings = load_settings(folder, home=str(folder / "home"))
        self._corpus, self._storage = corpus, Storage(settings)
        self._collection = open_store(settings, self._storage).create("bench", EmbeddingModel("random", DIMENSION))

    def ready(self) -> bool:
        return self._collection.info().chunks == len(self._corpus.texts)

    def ingest(self) -> None:
        from agentkit_rag.documents import Chunk, Source

        texts, vectors = self._corpus.texts, self._corpus.vectors
        for i in range(0, len(texts), BATCH):
            self._collection.put_all(
                [
                    (Source(str(n), _digest(texts[n]), ()), [Chunk(texts[n], 0, len(texts[n]))], vectors[n : n + 1])
                    for n in range(i, min(i + BATCH, len(texts)))
                ]
            )

    def index(self) -> None:
        self._collection.settle()

    def modes(self) -> dict[str, Ask]:
        def asked(mode: Any) -> Ask:
            queries, vectors = self._corpus.queries, self._corpus.asked
            return lambda i: [
                int(hit.source)
                for hit in self._collection.search(queries[i], None if mode == "lexical" else vectors[i], K, mode)
            ]

        return {mode: asked(mode) for mode in ("dense", "lexical", "hybrid")}


class Chroma:
    """Chroma and bm25s, fused by the same formula."""

    def __init__(self, corpus: Corpus, folder: Path, url: str) -> None:
        import chromadb
        import Stemmer

        options = chromadb.config.Settings(anonymized_telemetry=False)
        client = chromadb.PersistentClient(str(folder / "chroma"), settings=options)
        hnsw: Any = {"space": "ip", "max_neighbors": M, "ef_construction": EF_CONSTRUCTION, "ef_search": EF_SEARCH}
        self._collection: Any = client.get_or_create_collection(
            "bench", configuration={"hnsw": hnsw}, embedding_function=None
        )
        self._corpus, self._stemmer = corpus, Stemmer.Stemmer("english")
        self._bm25: Any = None

    def ready(self) -> bool:
        return bool(self._collection.count() == len(self._corpus.texts))

    def ingest(self) -> None:
        texts, vectors = self._corpus.texts, self._corpus.vectors
        for i in range(0, len(texts), 2_000):
            part = slice(i, min(i + 2_000, len(texts)))
            ids = [str(n) for n in range(part.start, part.stop)]
            self._collection.add(ids=ids, embeddings=vectors[part], documents=texts[part])

    def index(self) -> None:
        """BM25 alone: Chroma builds its index while it stores."""
        import bm25s

        self._bm25 = bm25s.BM25(k1=1.2, b=0.75)
        tokens = bm25s.tokenize(self._corpus.texts, stopwords="en", stemmer=self._stemmer, show_progress=False)
        self._bm25.index(tokens, show_progress=False)

    def modes(self) -> dict[str, Ask]:
        return {"dense": self._dense, "lexical": self._lexical, "hybrid": self._fused}

    def _dense(self, i: int, k: int = K) -> list[int]:
        asked = self._corpus.asked[i : i + 1]
        found = self._collection.query(query_embeddings=asked, n_results=k, include=["documents", "distances"])
        return [int(number) for number in found["ids"][0]]

    def _lexical(self, i: int, k: int = K) -> list[int]:
        import bm25s

        words = bm25s.tokenize([self._corpus.queries[i]], stopwords="en", stemmer=self._stemmer, show_progress=False)
        found, _ = self._bm25.retrieve(words, k=k, show_progress=False)
        return [int(number) for number in found[0]]

    def _fused(self, i: int) -> list[int]:
        scores: dict[int, float] = {}
        for ranked in (self._dense(i, POOL), self._lexical(i, POOL)):
            for rank, number in enumerate(ranked, 1):
                scores[number] = scores.get(number, 0) + 1 / (RRF_K + rank)
        return sorted(scores, key=lambda n: -scores[n])[:K]


class PGVector:
    """langchain-postgres' PGVector on a server of its own, with the HNSW index that it does not make by itself."""

    def __init__(self, corpus: Corpus, folder: Path, url: str) -> None:
        from langchain_core.embeddings import DeterministicFakeEmbedding
        from langchain_postgres import PGVector as Store

        self._corpus = corpus
        self._store = Store(
            embeddings=DeterministicFakeEmbedding(size=DIMENSION),
            connection=url.replace("postgresql://", "postgresql+psycopg://"),
            embedding_length=DIMENSION,
            collection_name="bench",
            engine_args={"connect_args": {"options": f"-c hnsw.ef_search={EF_SEARCH} -c jit=off"}},
        )

    def ready(self) -> bool:
        return self._execute("select count(*) from langchain_pg_embedding") == len(self._corpus.texts)

    def ingest(self) -> None:
        texts, vectors = self._corpus.texts, self._corpus.vectors
        for i in range(0, len(texts), BATCH):
            part = slice(i, min(i + BATCH, len(texts)))
            ids = [str(n) for n in range(part.start, part.stop)]
            self._store.add_embeddings(
                texts[part], vectors[part].tolist(), metadatas=[{"source": n} for n in ids], ids=ids
            )

    def index(self) -> None:
        self._execute(
            "create index if not exists bench_hnsw on langchain_pg_embedding using hnsw (embedding vector_cosine_ops) "
            f"with (m = {M}, ef_construction = {EF_CONSTRUCTION})"
        )
        self._execute("analyze langchain_pg_embedding")

    def modes(self) -> dict[str, Ask]:
        return {"dense": self._dense}

    def _dense(self, i: int) -> list[int]:
        found = self._store.similarity_search_with_score_by_vector(self._corpus.asked[i].tolist(), k=K)
        return [int(document.id) for document, _ in found]

    def _execute(self, statement: str) -> Any:
        from sqlalchemy import text

        with self._store._engine.begin() as connection:  # noqa: SLF001 - it has no other way to its server
            if statement.startswith("create index"):
                connection.execute(text("set local maintenance_work_mem = '512MB'"))
            result = connection.execute(text(statement))
            return result.scalar() if result.returns_rows else None


SYSTEMS: dict[str, Any] = {"agentkit": Agentkit, "chroma": Chroma, "pgvector": PGVector}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _asked(ask: Ask, first: int, last: int) -> dict[str, Any]:
    taken, found = list[float](), list[list[int]]()
    for i in range(first, last):
        start = time.perf_counter()
        found.append(ask(i))
        taken.append(time.perf_counter() - start)
    return {"seconds": taken, "found": found}


def main(name: str, folder: Path, url: str = "") -> None:
    """Store the corpus of the folder unless it is there, tell how long that took, and answer requests."""
    answers = sys.stdout
    sys.stdout = sys.stderr
    corpus = load(folder)
    # the parent measures now: what the corpus takes is no system's
    print("{}", file=answers, flush=True)
    system = SYSTEMS[name](corpus, folder, url)
    told: dict[str, Any] = {"ingest": None if system.ready() else _timed(system.ingest), "index": _timed(system.index)}
    modes = system.modes()
    print(json.dumps(told | {"modes": list(modes)}), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        answer = _asked(modes[request["mode"]], request["first"], request["last"])
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:4])
