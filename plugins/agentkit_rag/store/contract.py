"""What a store of collections offers: the contract of every vector store, and the types that go through it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from agentkit.errors import BadInput
from agentkit_rag.documents import Chunk, Source, Value

Mode = Literal["hybrid", "dense", "lexical", "mmr"]
"""`lexical` is BM25, `dense` the nearest vectors, `hybrid` both fused, `mmr` dense with less of the same."""
Filters: TypeAlias = Mapping[str, Any]
"""Conditions that all must hold; docs/retrieval-store.md has their forms."""
Vectors: TypeAlias = Any
"""One row a chunk: a list of lists of floats, or a numpy array of shape (chunks, dimension)."""
Entry: TypeAlias = tuple[Source, Sequence[Chunk], Vectors]
"""A source with its chunks and their vectors."""

MODES: tuple[Mode, ...] = ("hybrid", "dense", "lexical", "mmr")
POOL = 50
"""So many hits of each kind are fused, reranked or diversified."""

LONGEST_QUERY = 20_000
"""Characters."""
MOST_HITS = 1_000


class CollectionError(BadInput):
    """A collection is missing, was made with another embedding model, or was given vectors that do not fit it."""


@dataclass(frozen=True)
class EmbeddingModel:
    """The model behind a collection's vectors. `normalised`: the model gives vectors of length 1."""

    model: str
    dimension: int
    normalised: bool = True


@dataclass(frozen=True)
class Hit:
    """A chunk that was found. `score` compares hits of one search only; characters are those of the source's text."""

    text: str
    source: str
    score: float
    page: int | None = None
    title_path: tuple[str, ...] = ()
    start: int = 0
    end: int = 0
    position: int = 0
    metadata: Mapping[str, Value] = field(default_factory=dict)
    id: int | str = 0


@dataclass(frozen=True)
class CollectionInfo:
    """What a collection holds. `index`: exact or hnsw; `bytes`: on disk, indexes included."""

    name: str
    embedding: EmbeddingModel
    sources: int
    chunks: int
    bytes: int
    index: str


class Collection(Protocol):
    """Chunks of sources with their vectors. One transaction a call: after a crash a source is old or new, not half."""

    @property
    def name(self) -> str:
        """The name under which the store opens it."""

    @property
    def embedding(self) -> EmbeddingModel:
        """The model that made the vectors."""

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The modes that `search` offers; the first is the best."""

    def put(self, source: Source, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Store a source; one of the same name is replaced."""

    def put_all(self, entries: Sequence[Entry]) -> None:
        """Store several sources at once, all or none."""

    def remove(self, sources: Iterable[str]) -> None:
        """Remove sources; names that are not there are ignored."""

    def digests(self) -> dict[str, str]:
        """Source -> digest of what is stored."""

    def known_vectors(self, texts: Sequence[str]) -> dict[str, Any]:
        """The vectors of those texts that the collection already has, by text."""

    def search(
        self,
        query: str,
        vector: Any | None = None,
        k: int = 5,
        mode: Mode | None = None,
        filters: Filters | None = None,
        *,
        half_life: float | None = None,
    ) -> list[Hit]:
        """The best `k` chunks, best first. `half_life`: days after which an older source counts half."""

    def around(self, hit: Hit, neighbours: int = 1) -> Hit:
        """The hit with so many chunks before and after it joined to its text."""

    def chunks_of(self, sources: Sequence[str]) -> list[Hit]:
        """All chunks of these sources, in the order of the names and of the text."""

    @property
    def settled(self) -> bool:
        """False if the size asks for another index than there is."""

    def settle(self) -> None:
        """Build the index that the size asks for, and refresh statistics: called after many changes."""

    def info(self) -> CollectionInfo:
        """What it holds now."""

    def drop(self) -> None:
        """Remove the collection with all that is in it."""


class Store(Protocol):
    """Collections by name."""

    def names(self) -> list[str]:
        """The names of all collections, in order."""

    def create(self, name: str, embedding: EmbeddingModel) -> Collection:
        """The collection of this name, made if it is not there. Raises CollectionError if its model is another."""

    def open(self, name: str, embedding: EmbeddingModel | None = None) -> Collection:
        """The collection of this name. Raises CollectionError if there is none, or if its model is not `embedding`."""


def check_same(name: str, stored: EmbeddingModel, given: EmbeddingModel) -> None:
    """Raise CollectionError if vectors of `given` cannot stand beside those of `stored`."""
    if stored != given:
        told = ["{0.model!r} ({0.dimension} dimensions{1})".format(e, "" if e.normalised else ", not normalised")
                for e in (stored, given)]  # fmt: skip
        raise CollectionError(
            f"Collection {name!r} has vectors of {told[0]}; those of {told[1]} do not fit. Use the collection's own "
            "model, index into another collection, or embed it anew with `agentkit rag index --reembed`."
        )


def check_query(query: str, k: int, mode: str, half_life: float | None, modes: tuple[Mode, ...]) -> None:
    """Raise CollectionError, with the remedy, for what no store can search."""
    if mode not in modes:
        raise CollectionError(f"This collection has no mode {mode!r}: one of {', '.join(modes)}.")
    if not query.strip():
        raise CollectionError("The query is empty: say in a few words what is looked for.")
    if len(query) > LONGEST_QUERY:
        raise CollectionError(f"The query has {len(query):,} characters; {LONGEST_QUERY:,} are the most.")
    if not 0 < k <= MOST_HITS:
        raise CollectionError(f"k is the number of hits, 1 to {MOST_HITS:,}, not {k}.")
    if half_life is not None and not 0 < half_life < 1e6:
        raise CollectionError(f"half_life is a number of days above 0, not {half_life}.")
