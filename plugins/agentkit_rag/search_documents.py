"""The tool `search_documents`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from agentkit.context import ToolContext
from agentkit.results import Citation, ToolResult
from agentkit_rag.opening import opened
from agentkit_rag.searching import Search
from agentkit_rag.store.contract import Hit, Mode

SHOWN = 3
EXCERPT = 200
"""Characters of a hit in the brief."""


class FoundPassage(BaseModel):
    """A passage: characters `start` to `end` of the source's text; pages count from 1."""

    model_config = ConfigDict(frozen=True)

    text: str
    source: str
    score: float
    page: int | None
    title_path: tuple[str, ...]
    start: int
    end: int
    position: int
    metadata: dict[str, Any]

    @classmethod
    def of(cls, hit: Hit) -> FoundPassage:
        """A hit as a tool gives it."""
        fields = {name: getattr(hit, name) for name in cls.model_fields if name != "metadata"}
        return cls(**fields, metadata=dict(hit.metadata))

    @property
    def place(self) -> str:
        """Source and page, or source and heading."""
        if self.page is not None:
            return f"{self.source}, page {self.page}"
        return f"{self.source}, {' > '.join(self.title_path)}" if self.title_path else self.source


class SearchResult(ToolResult):
    """The best passages, best first. Scores compare the hits of one search."""

    query: str
    collection: str
    mode: Mode
    hits: list[FoundPassage]

    def brief(self) -> str:
        if not self.hits:
            return f"Nothing in collection {self.collection!r} matches. Try other words, or fewer filters."
        lines = [f"{len(self.hits)} passages of collection {self.collection!r}, best first:"]
        for number, hit in enumerate(self.hits[:SHOWN], 1):
            text = " ".join(hit.text.split())
            shown = text if len(text) <= EXCERPT else text[:EXCERPT] + "..."
            lines.append(f"[{number}] {hit.place[-80:]}: {shown}")
        if len(self.hits) > SHOWN:
            lines.append("Also: " + "; ".join(hit.place[-60:] for hit in self.hits[SHOWN : SHOWN + 3]))
        return "\n".join(lines)

    @property
    def artifacts(self) -> list[Any]:
        return [Citation(source=hit.place, text=hit.text) for hit in self.hits]


def search_documents(
    query: Annotated[str, Field(description="What is looked for, in words or as a question")],
    collection: Annotated[str, Field(description="Name of the collection")] = "default",
    k: Annotated[int, Field(description="Number of passages", ge=1, le=100)] = 5,
    filters: Annotated[
        dict[str, Any] | None, Field(description='Conditions, such as {"source": "docs/*", "page": {"gte": 3}}')
    ] = None,
    mode: Annotated[Mode | None, Field(description="hybrid unless said otherwise")] = None,
    neighbours: Annotated[int, Field(description="Chunks before and after each hit to join", ge=0, le=10)] = 0,
    half_life: Annotated[float | None, Field(description="Days after which a source counts half", gt=0)] = None,
    *,
    ctx: ToolContext,
) -> SearchResult:
    """The passages of a collection that fit a query best.

    Raises CollectionError for an unknown collection, an empty query, filters that are not understood, or if the
    collection was made with another embedding model.
    """
    found = opened(ctx, collection)
    search = Search(found, ctx.embeddings)
    hits = search(query, k, mode, filters, neighbours=neighbours, half_life=half_life)
    return SearchResult(
        query=query, collection=collection, mode=mode or found.modes[0], hits=[FoundPassage.of(hit) for hit in hits]
    )
