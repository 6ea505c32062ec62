"""OpenAI's embeddings through langchain-openai, with errors that never repeat the provider's own text."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from langchain_openai import OpenAIEmbeddings

from agentkit.errors import AgentkitError, ProviderError
from agentkit.models import explain

if TYPE_CHECKING:
    from agentkit.settings import Settings

DEFAULT = "text-embedding-3-small"
_DIMENSIONS = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072, "text-embedding-ada-002": 1536}
_BATCH = 256
"""Texts in one request: OpenAI takes 300,000 tokens at a time."""


def embeddings(name: str, settings: Settings) -> BoundedEmbeddings:
    """OpenAI's embeddings `name` ('' is DEFAULT). Raises ProviderError if OPENAI_API_KEY is not set."""
    model = name or DEFAULT
    if not os.environ.get("OPENAI_API_KEY"):
        raise ProviderError(
            f"embeddings 'openai:{model}' need a key: set OPENAI_API_KEY, or AGENTKIT_EMBEDDINGS=local."
        )
    bounds = settings.models
    # tokens are not counted here: the counter's vocabulary would be fetched from another host
    return BoundedEmbeddings(
        model=model,
        timeout=bounds.answer_seconds,
        max_retries=bounds.retries,
        check_embedding_ctx_length=False,
        chunk_size=_BATCH,
    )


class BoundedEmbeddings(OpenAIEmbeddings):
    """OpenAI's protocol; vectors of length 1."""

    @property
    def model_name(self) -> str:
        """As OpenAI names it."""
        return self.model

    @property
    def dimension(self) -> int | None:
        """Numbers in a vector, None for a model that is not known here."""
        return self.dimensions or _DIMENSIONS.get(self.model)

    @property
    def normalised(self) -> bool:
        """All of OpenAI's are."""
        return True

    def embed_documents(self, texts: list[str], chunk_size: int | None = None, **kwargs: Any) -> list[list[float]]:
        """A vector for each text. Raises ProviderError."""
        if not texts:
            return []
        with self._explained():
            return super().embed_documents(texts, chunk_size, **kwargs)

    async def aembed_documents(
        self, texts: list[str], chunk_size: int | None = None, **kwargs: Any
    ) -> list[list[float]]:
        """The async twin of `embed_documents`."""
        if not texts:
            return []
        with self._explained():
            return await super().aembed_documents(texts, chunk_size, **kwargs)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except AgentkitError:
            raise
        except Exception as error:  # noqa: BLE001 - the SDK raises what it likes
            explained = explain(error, f"openai:{self.model}")
            # not from the error itself: its text may hold a part of the key
            raise explained from explained.__cause__
