"""Chat models by name: `provider:name`, where a plugin registers the provider.

`openai:gpt-5.5`, `anthropic:claude-sonnet-5`, `local`, `local:PATH.gguf`, `http://HOST/v1#NAME`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agentkit.errors import AgentkitError, ModelNotFound, ProviderError, suggest
from agentkit.plugins import Plugins
from agentkit.redaction import redact
from agentkit.settings import Settings
from agentkit.specs import ModelSpec, resolve

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

EMBEDDED = "local"


def choose(settings: Settings, plugins: Plugins, asked: str | None = None) -> str:
    """The name of the model to use: asked for, set, the first provider whose key is there, the embedded one."""
    if asked or settings.model:
        return str(asked or settings.model)
    keyed = [
        g.spec.provider for g in plugins.models.values() if g.spec.key_variable and os.environ.get(g.spec.key_variable)
    ]
    # OpenAI before Anthropic is the documented order; other plugins' providers follow
    keyed.sort(key=lambda provider: {"openai": 0, "anthropic": 1}.get(provider, 2))
    return keyed[0] if keyed else EMBEDDED


def spec_of(name: str, plugins: Plugins) -> ModelSpec:
    """The provider's spec. Raises ModelNotFound, with the nearest provider named."""
    provider = name.partition(":")[0]
    if provider not in plugins.models:
        known = ", ".join(f"{p}:NAME" for p in plugins.models)
        raise ModelNotFound(
            f"model {redact(name)!r}: no plugin offers {provider!r}.{suggest(provider, plugins.models)} Known: {known}."
        )
    return plugins.models[provider].spec


def create(name: str, settings: Settings, plugins: Plugins) -> BaseChatModel:
    """Make the chat model. Raises ModelNotFound, ProviderError (a key is missing), MissingExtra."""
    spec = spec_of(name, plugins)
    try:
        # an address is its own name: the server's scheme must not be guessed again
        rest = name if "://" in name else name.partition(":")[2]
        model: BaseChatModel = resolve(spec.target)(rest, settings)
    except AgentkitError:
        raise
    except Exception as error:
        raise explain(error, name) from error
    return model


def explain(error: BaseException, name: str) -> ProviderError:
    """What went wrong at a provider, in a sentence that never repeats the provider's own text.

    Both SDKs put the HTTP status into `status_code`; their messages may quote a part of the key.
    """
    status = getattr(error, "status_code", None)
    name = redact(name)
    kind = type(error).__name__
    reasons = {
        400: "refused the request as malformed or too long",
        401: "refused the key; check the environment variable that holds it",
        403: "does not allow this key to use the model",
        404: "does not know this model; check its name",
        408: "took too long",
        413: "refused the request as too large",
        429: "is out of quota or limits the rate; wait, or name a fallback in `fallbacks`",
        529: "is overloaded; try again, or name a fallback in `fallbacks`",
    }
    if isinstance(status, int):
        reason = reasons.get(
            status, "failed; try again, or name a fallback in `fallbacks`" if status >= 500 else "refused the request"
        )
        return ProviderError(f"model {name!r}: the provider {reason} (HTTP {status}).")
    if "Timeout" in kind:
        return ProviderError(f"model {name!r}: no answer in time; try again, or name a fallback in `fallbacks`.")
    if "Connect" in kind or isinstance(error, ConnectionError):
        return ProviderError(f"model {name!r}: the provider cannot be reached; check the network and the address.")
    return ProviderError(f"model {name!r} failed ({kind}).")
