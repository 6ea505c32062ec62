"""How well the modes of a search rank, on a test collection with judged queries, by the embedded embeddings.

python -m evals.bench_rag_quality FOLDER [--keep FOLDER]

FOLDER holds docs.jsonl (id, title, text), queries.jsonl (id, text) and qrels.tsv (query, document, grade), as those of
BEIR do. Vectors and collections stay in the folder of --keep for another run.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from agentkit_rag.documents import Chunk, Source
from agentkit_rag.indexing import Indexing
from agentkit_rag.opening import model_of
from agentkit_rag.reading import sources
from agentkit_rag.searching import Search
from agentkit_rag.splitting import split
from agentkit_rag.store.postgres import open_store

from agentkit.embeddings import create
from agentkit.plugins import Plugins
from agentkit.settings import load_settings
from agentkit.storage import Storage

K, DEEP, RESAMPLES = 10, 50, 10_000
MODES = ("hybrid", "dense", "lexical")
Grades = dict[str, dict[str, int]]


def ndcg(ranked: Iterable[str], grades: dict[str, int]) -> float:
    """nDCG@10 with linear gain, as trec_eval counts it: grade / log2(rank + 1), over the ideal."""
    gained = sum(grades.get(d, 0) / math.log2(n + 2) for n, d in enumerate(list(ranked)[:K]))
    best = sorted(grades.values(), reverse=True)[:K]
    return gained / sum(g / math.log2(n + 2) for n, g in enumerate(best))


def paired(first: Any, second: Any) -> tuple[float, float, float]:
    """Mean difference over the queries with its 95% interval: queries are drawn again with replacement."""
    difference = np.array(first) - np.array(second)
    rng = np.random.default_rng(1)
    means = difference[rng.integers(0, len(difference), (RESAMPLES, len(difference)))].mean(axis=1)
    return float(difference.mean()), *map(float, np.quantile(means, [0.025, 0.975]))


def quality(folder: Path, keep: Path | None = None) -> None:
    """Print the table of docs/benchmarks.md: documents kept whole, and split as files are."""
    documents = [{**d, "text": f"{d['title']}. {d['text']}", "title": ""} for d in _lines(folder / "docs.jsonl")]
    queries, grades = _lines(folder / "queries.jsonl"), _grades(folder / "qrels.tsv")
    print(f"| documents | mode | nDCG@{K} | hybrid less it, 95% interval |\n|---|---|---|---|")
    with ExitStack() as stack:
        home = keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = load_settings(home, home=str(home))
        embeddings = create("local", settings, Plugins(settings))
        store = open_store(settings, stack.enter_context(Storage(settings)))
        for name, how in (("whole", _whole), ("split", split)):
            collection = store.create(name, model_of(embeddings))
            done = Indexing(collection, embeddings, how, lambda _message, _share: None).sources(sources(documents))
            if done.chunks:
                collection.settle()
            search = Search(collection, lambda: embeddings)
            _tell(
                name, {mode: [_scored(search, q, mode, grades) for q in queries if q["id"] in grades] for mode in MODES}
            )


def _scored(search: Search, query: dict[str, str], mode: Any, grades: Grades) -> float:
    """Of one query, by the first ten documents that its passages come from."""
    found = dict.fromkeys(hit.source for hit in search(query["text"], DEEP, mode))
    return ndcg(found, grades[query["id"]])


def _tell(name: str, scores: dict[str, list[float]]) -> None:
    for mode, own in scores.items():
        told = ""
        if mode != "hybrid":
            mean, low, high = paired(scores["hybrid"], own)
            told = f"{mean:+.3f} ({low:+.3f} to {high:+.3f})"
        print(f"| {name} | {mode} | {np.mean(own):.3f} | {told} |", flush=True)


def _whole(source: Source) -> list[Chunk]:
    (piece,) = source.pieces
    return [Chunk(piece.text, 0, len(piece.text))] if piece.text.strip() else []


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def _grades(path: Path) -> Grades:
    found: Grades = {}
    for line in path.read_text().splitlines():
        query, document, grade = line.split("\t")
        if grade.lstrip("-").isdigit() and int(grade) > 0:
            found.setdefault(query, {})[document] = int(grade)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="nDCG@10 of the modes of a search.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--keep", type=Path, metavar="FOLDER")
    given = parser.parse_args()
    quality(given.folder, given.keep)
