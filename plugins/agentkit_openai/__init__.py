"""OpenAI's chat models and embeddings, and those of any server that speaks OpenAI's protocol."""

from __future__ import annotations

from agentkit import hookimpl
from agentkit.specs import EmbeddingSpec, ModelSpec

_CHAT = "agentkit_openai.models:chat_model"
_BY_URL = "agentkit_openai.models:url_model"


@hookimpl
def register_models() -> list[ModelSpec]:
    """`openai:NAME`, and `http(s)://HOST/v1#NAME` for compatible servers."""
    return [
        ModelSpec("openai", _CHAT, "OpenAI: openai:NAME, key in OPENAI_API_KEY", key_variable="OPENAI_API_KEY"),
        ModelSpec(
            "https", _BY_URL, "A server with OpenAI's protocol: https://HOST/v1#NAME, key in AGENTKIT_ENDPOINT_KEY"
        ),
        ModelSpec("http", _BY_URL, "The same without encryption, for a server on this machine: http://HOST/v1#NAME"),
    ]


@hookimpl
def register_embeddings() -> list[EmbeddingSpec]:
    """`openai:NAME`, by default text-embedding-3-small."""
    summary = "OpenAI: openai:NAME, key in OPENAI_API_KEY"
    return [EmbeddingSpec("openai", "agentkit_openai.embeddings:embeddings", summary, key_variable="OPENAI_API_KEY")]
