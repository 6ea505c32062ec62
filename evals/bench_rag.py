"""Retrieval against Chroma, Chroma fused with bm25s, and langchain-postgres' PGVector: speed, ingest, memory.

python -m evals.bench_rag [CHUNKS] [--pgvector PYTHON] [--keep FOLDER] [--only agentkit,chroma]

Texts, vectors and queries come from a generator and are the same for all; queries are asked in turn, a few of each
system at a time, so that other work on the machine slows all alike. Encoding is not part of it. PYTHON: an environment
with langchain-postgres, numpy and psycopg[binary]. FOLDER: what is stored stays there for another run.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import numpy as np

from agentkit.settings import load_settings
from agentkit.storage import Storage
from evals.rag_corpus import QUERIES, generated, save

K, SLICE, WARM = 10, 20, 10
NAMES = {
    ("agentkit", "dense"): "agentkit dense",
    ("agentkit", "lexical"): "agentkit lexical",
    ("agentkit", "hybrid"): "agentkit hybrid",
    ("chroma", "dense"): "Chroma",
    ("chroma", "lexical"): "bm25s",
    ("chroma", "hybrid"): "Chroma + bm25s, fused",
    ("pgvector", "dense"): "PGVector with HNSW",
}


class System:
    """A system in its own process, and what it has answered so far."""

    def __init__(self, name: str, python: str, folder: Path, url: str = "") -> None:
        self.name, self._server = name, folder / ("home" if name == "agentkit" else name) / "postgres"
        script = str(Path(__file__).with_name("rag_systems.py"))
        self._process = subprocess.Popen(
            [python, script, name, str(folder), url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._line()
        self._before = _memory(self._process.pid)
        built = self._line()
        self.ingest, self.index = built["ingest"], built["index"]
        self.modes: list[str] = built["modes"]
        self.seconds: dict[str, list[float]] = {mode: [] for mode in self.modes}
        self.found: dict[str, list[list[int]]] = {mode: [] for mode in self.modes}
        for mode in self.modes:
            self._ask(mode, 0, WARM)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait(60)

    def slice(self, first: int) -> None:
        """Ask the next queries in every mode."""
        for mode in self.modes:
            answer = self._ask(mode, first, first + SLICE)
            self.seconds[mode] += answer["seconds"]
            self.found[mode] += answer["found"]

    def memory(self) -> float:
        """Megabytes of the system and its server, shared pages counted once, without the corpus that it was given."""
        pid = self._server / "postmaster.pid"
        server = _memory(int(pid.read_text().split()[0])) if pid.exists() else 0.0
        return _memory(self._process.pid) - self._before + server

    def _ask(self, mode: str, first: int, last: int) -> Any:
        assert self._process.stdin
        print(json.dumps({"mode": mode, "first": first, "last": last}), file=self._process.stdin, flush=True)
        return self._line()

    def _line(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended with {self._process.wait()}: its packages may be missing")
        return json.loads(line)


def _memory(pid: int) -> float:
    """Megabytes of a process and its children by PSS: a page that several share counts once."""
    import psutil

    process = psutil.Process(pid)
    total = 0
    for part in [process, *process.children(recursive=True)]:
        try:
            total += part.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
    return total / 1e6


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    """A Postgres for PGVector alone, set up as agentkit's own is."""
    with Storage(load_settings(folder, home=str(folder / "pgvector"))) as storage:
        yield storage.url


def rag_bench(
    chunks: int = 5_000,
    pgvector: str | None = os.environ.get("AGENTKIT_BENCH_PGVECTOR"),
    keep: Path | None = None,
    only: str = "",
) -> None:
    """Print the tables of docs/benchmarks.md."""
    chosen = only.split(",") if only else ["agentkit", *_peers(pgvector)]
    with ExitStack() as stack:
        folder = keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        corpus = generated(chunks)
        if not (folder / "texts.json").exists():
            save(corpus, folder)
        systems = []
        for name in chosen:
            url = stack.enter_context(_server(folder)) if name == "pgvector" else ""
            python = pgvector if name == "pgvector" and pgvector else sys.executable
            systems.append(stack.enter_context(System(name, python, folder, url)))
            print(f"{name} is ready", file=sys.stderr)
        for turn, first in enumerate(range(0, QUERIES, SLICE)):
            for n in range(len(systems)):
                systems[(turn + n) % len(systems)].slice(first)
        nearest = np.argsort(-corpus.asked @ corpus.vectors.T, axis=1)[:, :K].tolist()
        _tell_built(systems, chunks)
        _tell_speed(systems, nearest)


def _peers(pgvector: str | None) -> Iterator[str]:
    missing = [name for name in ("chromadb", "bm25s", "Stemmer") if find_spec(name) is None]
    if missing:
        print(f"rag  Chroma left out, no {', '.join(missing)}: pip install chromadb bm25s PyStemmer")
    else:
        yield "chroma"
    if pgvector:
        yield "pgvector"
    else:
        print("rag  PGVector left out: --pgvector PYTHON, or AGENTKIT_BENCH_PGVECTOR")


def _tell_built(systems: list[System], chunks: int) -> None:
    print(f"\n| {chunks:,} chunks | ingest, chunks/s | index, s | memory, MB |\n|---|---|---|---|")
    for system in systems:
        ingest = f"{chunks / system.ingest:,.0f}" if system.ingest else "stored before"
        print(f"| {NAMES[system.name, 'dense']} | {ingest} | {system.index:.1f} | {system.memory():,.0f} |")


def _tell_speed(systems: list[System], nearest: list[list[int]]) -> None:
    by_name = {system.name: system for system in systems}
    rates = {(s.name, m): len(t) / sum(t) for s in systems for m, t in s.seconds.items()}
    print("\n| system | queries/s | p95, ms | agentkit is | recall@10 | its first 10 that are agentkit's |")
    print("|---|---|---|---|---|---|")
    for (name, mode), rate in rates.items():
        system = by_name[name]
        slow = statistics.quantiles(system.seconds[mode], n=20)[-1] * 1_000
        ratio = same = recall = ""
        if name != "agentkit" and "agentkit" in by_name:
            ratio = f"{rates['agentkit', mode] / rate:.2f} x"
            same = f"{_shared(by_name['agentkit'].found[mode], system.found[mode]):.3f}"
        if mode == "dense":
            recall = f"{_shared(system.found[mode], nearest):.3f}"
        print(f"| {NAMES[name, mode]} | {rate:,.0f} | {slow:.1f} | {ratio} | {recall} | {same} |")


def _shared(found: list[list[int]], wanted: list[list[int]]) -> float:
    return float(np.mean([len(set(a) & set(b)) / K for a, b in zip(found, wanted, strict=True)]))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Retrieval against its peers.")
    parser.add_argument("chunks", nargs="?", type=int, default=5_000)
    parser.add_argument("--pgvector", default=os.environ.get("AGENTKIT_BENCH_PGVECTOR"), metavar="PYTHON")
    parser.add_argument("--keep", type=Path, metavar="FOLDER")
    parser.add_argument("--only", default="", metavar="NAMES")
    rag_bench(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
