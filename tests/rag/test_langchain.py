"""LangChain's own standard tests of vector stores and retrievers, over our collections."""

from __future__ import annotations

import inspect
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from agentkit_rag.langchain import CollectionRetriever, CollectionVectorStore
from agentkit_rag.opening import model_of
from agentkit_rag.store.contract import CollectionError
from langchain_core.documents import Document
from langchain_core.vectorstores import VectorStore
from langchain_tests.integration_tests import RetrieversIntegrationTests, VectorStoreIntegrationTests

from tests.rag.conftest import opened
from tests.rag.stores import MODEL, Hashing, entry

# the suites mark their asynchronous tests for another plugin
for _suite in (VectorStoreIntegrationTests, RetrieversIntegrationTests):
    for _standard in vars(_suite).values():
        if inspect.iscoroutinefunction(_standard):
            pytest.mark.asyncio(_standard)


def empty(kind: str, folder: Path, embeddings: Any) -> Iterator[VectorStore]:
    for store in opened(kind, folder):
        made = store.create(f"langchain {secrets.token_hex(4)}", model_of(embeddings))
        yield CollectionVectorStore(made, embeddings)


class TestOnPostgres(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, tmp_path: Path) -> Iterator[VectorStore]:  # type: ignore[override]
        yield from empty("embedded", tmp_path, self.get_embeddings())


class TestOnAServerWithAPassword(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, tmp_path: Path) -> Iterator[VectorStore]:  # type: ignore[override]
        yield from empty("password", tmp_path, self.get_embeddings())


class TestOnAGivenServer(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, tmp_path: Path) -> Iterator[VectorStore]:  # type: ignore[override]
        yield from empty("given", tmp_path, self.get_embeddings())


class TestOnChroma(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, tmp_path: Path) -> Iterator[VectorStore]:  # type: ignore[override]
        yield from empty("chroma", tmp_path, self.get_embeddings())


@pytest.fixture
def trees(collection: Any) -> Any:
    collection.put_all([entry(f"{name}.md", f"The {name} is a tree.", page=1) for name in ("oak", "elm", "ash", "yew")])
    return collection


class TestRetriever(RetrieversIntegrationTests):
    @pytest.fixture(autouse=True)
    def _trees(self, trees: Any) -> None:
        self.trees = trees

    @property
    def retriever_constructor(self) -> type[CollectionRetriever]:
        return CollectionRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"collection": self.trees, "embeddings": Hashing()}

    @property
    def retriever_query_example(self) -> str:
        return "which tree"


def test_chunks_of_files_tell_their_place(trees: Any) -> None:
    (found,) = CollectionVectorStore(trees, Hashing()).similarity_search("the oak", k=1)
    assert found.id == "oak.md#0"
    assert found.metadata == {"source": "oak.md", "title_path": ["Title"], "start": 0, "end": 18, "page": 1}


def test_filters_scores_and_less_of_the_same(trees: Any) -> None:
    store = CollectionVectorStore(trees, Hashing())
    store.add_documents([Document("The oak again.", metadata={"kind": "note"}, id="n1")])
    assert [d.id for d in store.similarity_search("oak", filter={"kind": "note"})] == ["n1"]
    scored = store.similarity_search_with_relevance_scores("the oak is a tree", k=2)
    assert scored[0][1] == pytest.approx(1, abs=1e-5)
    assert len(store.max_marginal_relevance_search("oak", k=3)) == 3
    assert store.similarity_search_by_vector(Hashing().embed_query("The ash is a tree."), k=1)[0].id == "ash.md#0"
    assert [d.id for d in store.as_retriever(search_kwargs={"k": 1}).invoke("elm")] == ["elm.md#0"]


def test_from_texts_needs_a_collection(collection: Any) -> None:
    made = CollectionVectorStore.from_texts(["An oak."], Hashing(), [{"n": 1}], ids=["a"], collection=collection)
    assert made.get_by_ids(["a"]) == [Document("An oak.", id="a", metadata={"n": 1})]
    with pytest.raises(TypeError, match="collection="):
        CollectionVectorStore.from_texts(["An oak."], Hashing())


def test_other_embeddings_are_refused_before_anything_is_stored(trees: Any) -> None:
    store = CollectionVectorStore(trees, Hashing("another"))
    with pytest.raises(CollectionError, match="'hashing'"):
        store.add_texts(["An oak."])
    with pytest.raises(CollectionError, match="'hashing'"):
        store.similarity_search("oak")
    assert trees.embedding == MODEL


def test_a_reranker_chooses_among_the_best(trees: Any) -> None:
    def rerank(query: str, hits: Any) -> list[float]:
        return [float(hit.source == "yew.md") for hit in hits]

    retriever = CollectionRetriever(collection=trees, embeddings=Hashing(), rerank=rerank, k=1)
    assert retriever.invoke("the oak")[0].metadata["source"] == "yew.md"
