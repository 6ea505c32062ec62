"""Built-in plugin `local`: a chat model and embeddings that run in this process, without a key, a server or a GPU."""

from __future__ import annotations

from collections.abc import Iterable

from agentkit import hookimpl
from agentkit.specs import EmbeddingSpec, ModelSpec


@hookimpl
def register_models() -> Iterable[ModelSpec]:
    """The embedded model: `local`, `local:NAME` of the manifest, `local:PATH.gguf`."""
    summary = "runs in this process (llama.cpp); nothing leaves the machine"
    return [
        ModelSpec(
            "local", "agentkit_local.chat:chat_model", summary, remote=False, prepare="agentkit_local.located:prepare"
        )
    ]


@hookimpl
def register_embeddings() -> Iterable[EmbeddingSpec]:
    """The embedded embeddings `local`, `local:NAME` of the manifest, and any model of sentence-transformers."""
    return [
        EmbeddingSpec(
            "local",
            "agentkit_local.embeddings:embeddings",
            "runs in this process (onnxruntime); nothing leaves the machine",
            remote=False,
        ),
        EmbeddingSpec(
            "sentence-transformers",
            "agentkit_local.sentence_transformers:embeddings",
            "sentence-transformers:NAME or PATH, on this machine; needs the package sentence-transformers",
            remote=False,
        ),
    ]
