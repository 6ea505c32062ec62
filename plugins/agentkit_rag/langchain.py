"""A collection as LangChain's VectorStore and as its retriever."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.vectorstores import VectorStore
from pydantic import ConfigDict, PrivateAttr

from agentkit_rag.documents import Chunk, Source
from agentkit_rag.opening import embedded
from agentkit_rag.searching import Rerank, Search
from agentkit_rag.store.contract import Collection, Filters, Hit, Mode

if TYPE_CHECKING:
    from langchain_core.callbacks import CallbackManagerForRetrieverRun
    from langchain_core.embeddings import Embeddings

_OWN = "document:"
"""Before the id of a document that came through LangChain: each is a source of one chunk."""


class CollectionVectorStore(VectorStore):
    """LangChain's VectorStore over a collection; searches are hybrid where the collection can, unless `mode` says else.

    A document that was added has its own id and metadata. A chunk of an indexed file has the id `SOURCE#POSITION`, and
    `source`, `page`, `title_path`, `start` and `end` in its metadata.
    """

    def __init__(self, collection: Collection, embedding: Embeddings, mode: Mode | None = None) -> None:
        self.collection = collection
        self._embedding, self._mode = embedding, mode
        self._search = Search(collection, lambda: embedding)

    @property
    def embeddings(self) -> Embeddings:
        """The embeddings that it was made with."""
        return self._embedding

    @classmethod
    def from_texts(
        cls, texts: list[str], embedding: Embeddings, metadatas: list[dict[str, Any]] | None = None,
        *, ids: list[str] | None = None, collection: Collection | None = None, **kwargs: Any,
    ) -> CollectionVectorStore:  # fmt: skip
        """Add texts to `collection`, which must be given: what an agentkit store's `create` or `open` returns."""
        if collection is None:
            raise TypeError("from_texts needs collection=: what `create` or `open` of an agentkit store returns.")
        made = cls(collection, embedding, **kwargs)
        made.add_texts(texts, metadatas, ids=ids)
        return made

    def add_texts(
        self, texts: Iterable[str], metadatas: list[dict[str, Any]] | None = None, *,
        ids: Sequence[str | None] | None = None, **kwargs: Any,
    ) -> list[str]:  # fmt: skip
        """Embed and store texts; one with an id that is there is replaced. Gives the ids."""
        given = list(texts)
        told = metadatas or [{} for _ in given]
        names = [known or str(uuid.uuid4()) for known in (ids or [None] * len(given))]
        vectors = embedded(self._search.checked(), given) if given else []
        entries = [
            (_source(name, text, metadata), [Chunk(text, 0, len(text))], vectors[i : i + 1])
            for i, (name, text, metadata) in enumerate(zip(names, given, told, strict=True))
        ]
        self.collection.put_all(entries)
        return names

    def add_documents(self, documents: list[Document], **kwargs: Any) -> list[str]:
        """Embed and store documents; one with an id that is there is replaced. Gives the ids."""
        ids = kwargs.pop("ids", None) or [document.id for document in documents]
        texts = [document.page_content for document in documents]
        return self.add_texts(texts, [document.metadata for document in documents], ids=ids, **kwargs)

    def delete(self, ids: list[str] | None = None, **kwargs: Any) -> bool | None:
        """Remove documents by id; ids that are not there are ignored."""
        self.collection.remove(_OWN + name for name in ids or [])
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """The documents of these ids that are there."""
        return [_document(hit) for hit in self.collection.chunks_of([_OWN + name for name in ids])]

    def similarity_search(
        self, query: str, k: int = 4, filter: Filters | None = None, **kwargs: Any  # noqa: A002 - LangChain's name
    ) -> list[Document]:  # fmt: skip
        """The best `k` documents, best first."""
        return [document for document, _ in self.similarity_search_with_score(query, k, filter, **kwargs)]

    def similarity_search_with_score(
        self, query: str, k: int = 4, filter: Filters | None = None, **kwargs: Any  # noqa: A002 - LangChain's name
    ) -> list[tuple[Document, float]]:  # fmt: skip
        """The best `k` documents with their scores; higher is better."""
        hits = self._search(query, k, kwargs.pop("mode", self._mode), filter, **kwargs)
        return [(_document(hit), hit.score) for hit in hits]

    def _similarity_search_with_relevance_scores(
        self, query: str, k: int = 4, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        # only the cosine has a scale of its own
        found = self.similarity_search_with_score(query, k, mode="dense", **kwargs)
        return [(document, min(max(score, 0.0), 1.0)) for document, score in found]

    def similarity_search_by_vector(self, embedding: list[float], k: int = 4, **kwargs: Any) -> list[Document]:
        """The `k` documents whose vectors are nearest."""
        hits = self.collection.search("a vector", embedding, k, "dense", kwargs.get("filter"))
        return [_document(hit) for hit in hits]

    def max_marginal_relevance_search(
        self, query: str, k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5, **kwargs: Any
    ) -> list[Document]:
        """The best `k` documents with less of the same, out of 50; `fetch_k` and `lambda_mult` are not used."""
        return self.similarity_search(query, k, kwargs.get("filter"), mode="mmr")


class CollectionRetriever(BaseRetriever):
    """LangChain's retriever over a collection. `neighbours`: chunks before and after each hit that are joined."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    collection: Any
    embeddings: Any
    k: int = 4
    mode: Mode | None = None
    filters: dict[str, Any] | None = None
    neighbours: int = 0
    rerank: Rerank | None = None
    _search: Search | None = PrivateAttr(None)

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, k: int | None = None
    ) -> list[Document]:
        if self._search is None:
            self._search = Search(self.collection, lambda: self.embeddings, self.rerank)
        hits = self._search(query, k or self.k, self.mode, self.filters, neighbours=self.neighbours)
        return [_document(hit) for hit in hits]


def _source(name: str, text: str, metadata: dict[str, Any]) -> Source:
    told = json.dumps(metadata, sort_keys=True, default=str)
    digest = hashlib.sha256(f"{text}\0{told}".encode("utf-8", "replace")).hexdigest()
    return Source(_OWN + name, digest, (), metadata)


def _document(hit: Hit) -> Document:
    if hit.source.startswith(_OWN):
        return Document(hit.text, id=hit.source.removeprefix(_OWN), metadata=dict(hit.metadata))
    place = {"source": hit.source, "title_path": list(hit.title_path), "start": hit.start, "end": hit.end}
    page = {} if hit.page is None else {"page": hit.page}
    return Document(hit.text, id=f"{hit.source}#{hit.position}", metadata={**hit.metadata, **place, **page})
