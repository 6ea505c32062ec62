"""Embeddings by name: `provider:name`, where a plugin registers the provider.

`local`, `openai:text-embedding-3-small`. Chosen by the argument, `AGENTKIT_EMBEDDINGS`, `embeddings = "..."` in
`agentkit.toml`, or else the embedded ones: never because a key is there, as vectors of two models cannot be compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agentkit.errors import AgentkitError, ModelNotFound, suggest
from agentkit.plugins import Plugins
from agentkit.redaction import redact
from agentkit.settings import Settings
from agentkit.specs import EmbeddingSpec, resolve

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings

EMBEDDED = "local"


@dataclass(frozen=True, slots=True)
class EmbeddingInfo:
    """What makes vectors comparable. None: not known before the first vector."""

    model: str
    dimension: int | None = None
    normalised: bool | None = None


def choose(settings: Settings, asked: str | None = None) -> str:
    """The name of the embeddings to use: asked for, set, or the embedded ones."""
    return asked or settings.embeddings or EMBEDDED


def spec_of(name: str, plugins: Plugins) -> EmbeddingSpec:
    """The provider's spec. Raises ModelNotFound, with the nearest provider named."""
    provider = name.partition(":")[0]
    if provider not in plugins.embeddings:
        known = ", ".join(f"{p}:NAME" for p in plugins.embeddings) or "none"
        raise ModelNotFound(
            f"embeddings {redact(name)!r}: no plugin offers {provider!r}.{suggest(provider, plugins.embeddings)} "
            f"Known: {known}."
        )
    return plugins.embeddings[provider].spec


def create(name: str, settings: Settings, plugins: Plugins) -> Embeddings:
    """Make the embeddings. Raises ModelNotFound, ProviderError (a key is missing), MissingExtra."""
    spec = spec_of(name, plugins)
    try:
        made: Embeddings = resolve(spec.target)(name.partition(":")[2], settings)
    except AgentkitError:
        raise
    except Exception as error:
        from agentkit.models import explain

        raise explain(error, name) from error
    return made


def describe(embeddings: Embeddings) -> EmbeddingInfo:
    """What embeddings tell of themselves: `model_name` (or `model`, or else their class), `dimension`, `normalised`."""
    model = _told(embeddings, "model_name", str) or _told(embeddings, "model", str) or type(embeddings).__name__
    return EmbeddingInfo(model, _told(embeddings, "dimension", int), _told(embeddings, "normalised", bool))


def _told(embeddings: Embeddings, attribute: str, kind: type[Any]) -> Any:
    value = getattr(embeddings, attribute, None)
    return value if isinstance(value, kind) else None
