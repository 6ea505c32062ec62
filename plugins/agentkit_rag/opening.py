"""Collections as the tools open them: the store of the settings, and the embedding model behind the vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentkit.context import ToolContext
from agentkit.errors import ProviderError
from agentkit_rag.settings import RagSettings
from agentkit_rag.store.contract import Collection, EmbeddingModel, Store

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings


def store_of(ctx: ToolContext) -> Store:
    """The store that `[rag] store` names. Raises BadInput if no plugin offers it."""
    found: Store = ctx.vector_store(ctx.settings.section("rag", RagSettings).store)
    return found


def opened(ctx: ToolContext, collection: str) -> Collection:
    """The collection of this name. Raises CollectionError if there is none."""
    return store_of(ctx).open(collection)


def model_of(embeddings: Embeddings) -> EmbeddingModel:
    """What is known of the model; what it does not tell is seen from one vector. Raises ProviderError."""
    from agentkit.embeddings import describe

    told = describe(embeddings)
    if told.dimension is not None and told.normalised is not None:
        return EmbeddingModel(told.model, told.dimension, told.normalised)
    import numpy as np

    vector = np.asarray(embeddings.embed_query("one vector tells its length"), np.float32)
    if vector.ndim != 1 or not vector.size:
        raise ProviderError(f"embeddings {told.model!r} gave no vector.")
    unit = bool(abs(float(np.linalg.norm(vector)) - 1) < 1e-3)
    return EmbeddingModel(
        told.model, told.dimension or vector.size, unit if told.normalised is None else told.normalised
    )


def embedded(embeddings: Embeddings, texts: list[str]) -> Any:
    """The vectors of texts as an array of shape (texts, dimension)."""
    import numpy as np

    make = getattr(embeddings, "embed_array", embeddings.embed_documents)
    return np.asarray(make(texts), np.float32)
