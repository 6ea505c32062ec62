"""`agentkit rag check`: what an index misses, and what helps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from agentkit_rag import checking
from agentkit_rag.checking import check_index
from agentkit_rag.store import indexes
from agentkit_rag.store.contract import CollectionError
from agentkit_rag.store.postgres import PostgresCollection

from tests.rag.stores import DIMENSION, entry

CHUNKS = 1_500


@pytest.fixture
def indexed(collection: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    # so few short vectors are read as fast as an index, and the planner knows
    session = indexes.session
    monkeypatch.setattr(indexes, "session", lambda *given: session(*given) + b"; set enable_seqscan = off")
    source, chunks, _ = entry("a.md", *(f"text {i}" for i in range(CHUNKS)))
    collection.put(source, chunks, np.random.default_rng(1).normal(size=(CHUNKS, DIMENSION)))
    collection.settle()
    return collection


def test_a_good_index_needs_no_change(indexed: Any) -> None:
    found = check_index(indexed)
    assert (found.chunks, found.index, found.queries) == (CHUNKS, "hnsw", 40)
    assert found.recall > 0.95
    assert found.index_ms > 0
    assert found.exact_ms > 0
    assert found.advice == "The index is good: nothing to change."


def test_a_search_that_looks_at_too_little_is_told_how_much_is_enough(
    indexed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "ENOUGH", 0.99)
    found = check_index(PostgresCollection(indexed.pool, indexed.name, 10))
    assert 0.8 < found.recall < 0.99
    assert found.better in (20, 40, 80, 160)
    assert f"ef_search = {found.better} under [rag]" in found.advice


def test_an_index_that_no_setting_mends_is_built_anew(indexed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexes, "M", 2)
    monkeypatch.setattr(indexes, "EF_CONSTRUCTION", 4)
    indexed.settle(anew=True)
    found = check_index(PostgresCollection(indexed.pool, indexed.name, 10))
    assert found.recall < 0.9
    monkeypatch.undo()
    indexed.settle(anew=True)
    assert check_index(indexed).recall > 0.95


def test_an_empty_collection_cannot_be_checked(collection: Any) -> None:
    with pytest.raises(CollectionError, match="no chunks"):
        check_index(collection)
