"""Built-in plugin `local`: a real chat model that runs in this process, without a key, a server or a GPU."""

from __future__ import annotations

from collections.abc import Iterable

from agentkit import hookimpl
from agentkit.specs import ModelSpec


@hookimpl
def register_models() -> Iterable[ModelSpec]:
    """The embedded model: `local`, `local:NAME` of the manifest, `local:PATH.gguf`."""
    summary = "runs in this process (llama.cpp); nothing leaves the machine"
    return [
        ModelSpec(
            "local", "agentkit_local.chat:chat_model", summary, remote=False, prepare="agentkit_local.located:prepare"
        )
    ]
