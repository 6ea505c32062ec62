"""Any model of the package sentence-transformers, which brings PyTorch and is not installed with agentkit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.embeddings import Embeddings

from agentkit.errors import MissingExtra, ModelNotFound, ProviderError

if TYPE_CHECKING:
    from agentkit.settings import Settings


def embeddings(name: str, settings: Settings) -> SentenceTransformers:
    """The model of this name on the hub, or in this folder. Raises ModelNotFound, MissingExtra, ProviderError."""
    if not name:
        raise ModelNotFound("embeddings 'sentence-transformers' need a model's name: sentence-transformers:NAME.")
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise MissingExtra(
            f"embeddings 'sentence-transformers:{name}' need a package: pip install sentence-transformers"
        ) from error
    folder = settings.folder / name
    try:
        model = SentenceTransformer(str(folder) if folder.is_dir() else name)
    except Exception as error:
        raise ProviderError(f"embeddings 'sentence-transformers:{name}' cannot be loaded: {error}") from error
    return SentenceTransformers(name, model)


class SentenceTransformers(Embeddings):
    """Vectors of length 1. `dimension` is the model's own."""

    normalised = True

    def __init__(self, name: str, model: Any) -> None:
        self.model_name = name
        self.dimension: int = model.get_sentence_embedding_dimension()
        self._model = model

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """A vector for each text."""
        vectors: list[list[float]] = self._model.encode(
            texts, batch_size=8, normalize_embeddings=True, show_progress_bar=False
        ).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """The vector of a query: made as those of documents are."""
        return self.embed_documents([text])[0]
