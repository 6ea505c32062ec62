"""The tool `index_documents`."""

from __future__ import annotations

import time
from typing import Annotated

from pydantic import BaseModel, Field

from agentkit.context import ToolContext
from agentkit.errors import BadInput, suggest
from agentkit.results import ToolResult
from agentkit_rag.files import walk
from agentkit_rag.indexing import Indexing
from agentkit_rag.opening import model_of, store_of
from agentkit_rag.settings import RagSettings

SHOWN = 5


class Skipped(BaseModel):
    """A file that is not in the collection, and why."""

    source: str
    reason: str


class IndexResult(ToolResult):
    """What indexing did; `added`, `changed`, `unchanged` and `removed` are numbers of sources."""

    collection: str
    added: int
    changed: int
    unchanged: int
    removed: int
    chunks: int = Field(description="Chunks stored now")
    embedded: int = Field(description="Chunks embedded now; others were known")
    sources: int = Field(description="Sources that the collection has")
    skipped: list[Skipped]
    embedding_model: str
    seconds: float

    def brief(self) -> str:
        counts = {name: getattr(self, name) for name in ("added", "changed", "unchanged", "removed")}
        told = ", ".join(f"{number:,} {name}" for name, number in counts.items())
        lines = [f"Collection {self.collection!r} has {self.sources:,} sources: {told}, in {self.seconds:.1f} s."]
        if self.skipped:
            lines.append(f"{len(self.skipped):,} skipped:")
            lines += [f"- {s.source[-80:]}: {s.reason[:100]}" for s in self.skipped[:SHOWN]]
            if len(self.skipped) > SHOWN:
                lines.append(f"- and {len(self.skipped) - SHOWN:,} more")
        lines.append(f"Next: search_documents or ask_documents with collection {self.collection!r}.")
        return "\n".join(lines)


def index_documents(
    path: Annotated[str, Field(description="File or folder of the workspace")],
    collection: Annotated[str, Field(description="Name of the collection")] = "default",
    *,
    ctx: ToolContext,
) -> IndexResult:
    """Bring a collection up to date with a file or a folder: new and changed files in, missing ones out.

    Raises BadInput if the path is not there, WorkspaceError if it is outside the workspace, and CollectionError if the
    collection was made with another embedding model.
    """
    from agentkit_rag.reading import read
    from agentkit_rag.splitting import RECIPE, split

    began = time.monotonic()
    target = ctx.path(path)
    if not target.exists():
        near = suggest(path, [p.name for p in ctx.path(".").iterdir()])
        raise BadInput(f"{path!r} is not in the workspace.{near}")
    embeddings = ctx.embeddings()
    model = model_of(embeddings)
    opened = store_of(ctx).create(collection, model)
    run = Indexing(opened, embeddings, split, ctx.progress)
    root = ctx.path(".").resolve()
    inside = target.resolve().is_relative_to(root)
    name = target.resolve().relative_to(root).as_posix() if inside else target.as_posix()
    largest = ctx.settings.section("rag", RagSettings).largest_file
    found = list(walk(target, name, lambda p: ctx.path(str(p)), largest, run.outcome.skip))
    outcome = run.files(found, read, RECIPE, name)
    return IndexResult(
        collection=collection,
        added=outcome.added,
        changed=outcome.changed,
        unchanged=outcome.unchanged,
        removed=outcome.removed,
        chunks=outcome.chunks,
        embedded=outcome.embedded,
        sources=opened.info().sources,
        skipped=[Skipped(source=s, reason=r) for s, r in outcome.skipped],
        embedding_model=model.model,
        seconds=round(time.monotonic() - began, 2),
    )
