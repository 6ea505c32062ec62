"""Embeddings and collections for tests: small, fast, and the same on every machine."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import numpy as np
from agentkit_rag.documents import Chunk, Source, Value
from agentkit_rag.store.contract import EmbeddingModel
from langchain_core.embeddings import Embeddings

DIMENSION = 64
MODEL = EmbeddingModel("hashing", DIMENSION)


class Hashing(Embeddings):
    """A vector of words: each adds one to a place that its hash chooses. Counts how many texts it was given."""

    model_name, dimension, normalised = "hashing", DIMENSION, True

    def __init__(self, model_name: str = "hashing") -> None:
        self.model_name = model_name
        self.given = 0

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.given += len(texts)
        return [vector(text).tolist() for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return vector(text).tolist()  # type: ignore[no-any-return]


def vector(text: str) -> Any:
    found = np.zeros(DIMENSION, np.float32)
    for word in re.findall(r"\w+", text.lower()):
        found[int(hashlib.sha256(word.encode()).hexdigest(), 16) % DIMENSION] += 1
    return found / max(float(np.linalg.norm(found)), 1e-9)


def entry(name: str, *texts: str, page: int | None = None, **metadata: Value) -> tuple[Source, list[Chunk], Any]:
    """A source of chunks that follow one another."""
    chunks, start = [], 0
    for position, text in enumerate(texts):
        chunks.append(Chunk(text, start, start + len(text), page, ("Title",), position))
        start += len(text) + 1
    source = Source(name, hashlib.sha256("\n".join(texts).encode("utf-8", "replace")).hexdigest(), (), metadata)
    return source, chunks, np.array([vector(t) for t in texts], np.float32).reshape(-1, DIMENSION)
