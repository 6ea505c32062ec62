"""The tool `ask_documents`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from agentkit.context import ToolContext
from agentkit.results import Citation, ToolResult
from agentkit_rag.answering.answer import Claim, answer
from agentkit_rag.answering.expanding import Expand, fused, queries
from agentkit_rag.opening import opened
from agentkit_rag.search_documents import FoundPassage
from agentkit_rag.searching import Search
from agentkit_rag.store.contract import POOL

NOT_SAID = "The documents do not say it."
_SHOWN = 120
"""Characters of a quote in the brief."""


class CitedClaim(BaseModel):
    """A claim and what shows it: characters `start` to `end` of the source's text are `quote`."""

    model_config = ConfigDict(frozen=True)

    claim: str
    quote: str
    source: str
    page: int | None
    title_path: tuple[str, ...]
    start: int
    end: int

    @property
    def place(self) -> str:
        """Source, page and characters."""
        page = f", page {self.page}" if self.page is not None else ""
        return f"{self.source}{page}, characters {self.start:,}-{self.end:,}"


class DocumentsAnswer(ToolResult):
    """An answer from documents. `found` is False if they do not say it: then there are no claims."""

    question: str
    collection: str
    found: bool
    answer: str
    claims: list[CitedClaim]
    passages: list[FoundPassage] = Field(description="What was read for the answer, best first")

    def brief(self) -> str:
        if not self.found:
            read = list(dict.fromkeys(p.place[-80:] for p in self.passages))[:3]
            return f"{self.answer} Read: {'; '.join(read) or 'nothing that fits'}."
        lines = [self.answer]
        for number, claim in enumerate(self.claims, 1):
            quote = " ".join(claim.quote.split())
            shown = quote if len(quote) <= _SHOWN else quote[:_SHOWN] + "..."
            lines.append(f'[{number}] {claim.place[-110:]}: "{shown}"')
        return "\n".join(lines)

    @property
    def artifacts(self) -> list[Any]:
        return [Citation(source=claim.place, text=claim.quote) for claim in self.claims]


def ask_documents(
    question: Annotated[str, Field(description="The question, as the user asked it")],
    collection: Annotated[str, Field(description="Name of the collection")] = "default",
    k: Annotated[int, Field(description="Passages to read for the answer", ge=1, le=20)] = 5,
    filters: Annotated[dict[str, Any] | None, Field(description='Conditions, such as {"source": "docs/*"}')] = None,
    expand: Annotated[
        Expand, Field(description="More searches: multi-query words the question anew, hyde searches for its answer")
    ] = "none",
    *,
    ctx: ToolContext,
) -> DocumentsAnswer:
    """Answer a question from a collection, every claim with source, page and quote, or say that it is not there.

    Raises CollectionError for an unknown collection, an empty question, or another embedding model.
    """
    search = Search(opened(ctx, collection), ctx.embeddings)
    depth = k if expand == "none" else POOL
    first = search(question, depth, filters=filters)
    asked = queries(question, expand, lambda: ctx.model, ctx.prompts)
    hits = fused([first, *(search(query, depth, filters=filters) for query in asked[1:])], k)
    ctx.progress(f"Reading {len(hits)} passages", None)
    found = answer(question, hits, ctx.model, ctx.prompts) if hits else None
    claims = [_cited(claim) for claim in found.claims] if found else []
    if found and found.withheld:
        ctx.note("The documents hold text that gives orders to a model. It was not followed.")
    if found and found.refused:
        ctx.note(f"{found.refused} of the model's claims left out: they are not what the documents say.")
    return DocumentsAnswer(
        question=question,
        collection=collection,
        found=bool(claims),
        answer=" ".join(f"{c.claim} [{n}]" for n, c in enumerate(claims, 1)) or NOT_SAID,
        claims=claims,
        passages=[FoundPassage.of(hit) for hit in hits],
    )


def _cited(claim: Claim) -> CitedClaim:
    hit = claim.hit
    return CitedClaim(
        claim=claim.text,
        quote=claim.quote,
        source=hit.source,
        page=hit.page,
        title_path=hit.title_path,
        start=claim.start,
        end=claim.end,
    )
