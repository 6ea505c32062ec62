"""Texts, vectors and queries from a generator, the same for every system of `bench_rag`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

DIMENSION, WORDS, VOCABULARY, QUERY_WORDS = 384, 120, 30_000, 8
QUERIES, TOPICS, FAVOURITES = 200, 200, 60
_PART = 10_000


class Corpus(NamedTuple):
    """`vectors` and `asked` are unit vectors of shape (texts, DIMENSION) and (queries, DIMENSION)."""

    texts: list[str]
    vectors: Any
    queries: list[str]
    asked: Any


def generated(chunks: int) -> Corpus:
    """Words by Zipf's law, a share of them the favourites of a topic; vectors around the centres of the topics."""
    rng = np.random.default_rng(7)
    vocabulary = np.array([_word(i) for i in range(VOCABULARY)])
    frequency = 1 / (np.arange(VOCABULARY) + 20)
    frequency /= frequency.sum()
    centres = rng.normal(size=(TOPICS, DIMENSION))
    favourites = rng.choice(VOCABULARY, (TOPICS, FAVOURITES), p=frequency)

    def made(count: int, words: int) -> tuple[list[str], Any]:
        topics = rng.integers(0, TOPICS, count)
        picked = rng.choice(VOCABULARY, (count, words), p=frequency)
        own = rng.random((count, words)) < 0.3
        at = np.repeat(topics, words).reshape(count, words)[own]
        picked[own] = favourites[at, rng.integers(0, FAVOURITES, own.sum())]
        vectors = centres[topics] + rng.normal(size=(count, DIMENSION))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return [" ".join(vocabulary[row]) for row in picked], vectors.astype(np.float32)

    texts, vectors = list[str](), list[Any]()
    for first in range(0, chunks, _PART):
        part = made(min(_PART, chunks - first), WORDS)
        texts += part[0]
        vectors.append(part[1])
    return Corpus(texts, np.concatenate(vectors), *made(QUERIES, QUERY_WORDS))


def _word(number: int) -> str:
    syllables = ["ba", "co", "di", "fu", "ga", "ho", "ki", "lu", "ma", "no", "pi", "ru", "sa", "to", "vi", "wo"]
    return "".join(syllables[(number >> shift) & 15] for shift in (0, 4, 8, 12)) + "x"


def save(corpus: Corpus, folder: Path) -> None:
    """Write what `load` reads."""
    np.savez(folder / "vectors.npz", vectors=corpus.vectors, asked=corpus.asked)
    (folder / "texts.json").write_text(json.dumps([corpus.texts, corpus.queries]))


def load(folder: Path) -> Corpus:
    """A corpus that was saved."""
    texts, queries = json.loads((folder / "texts.json").read_text())
    with np.load(folder / "vectors.npz") as found:
        return Corpus(texts, found["vectors"], queries, found["asked"])
