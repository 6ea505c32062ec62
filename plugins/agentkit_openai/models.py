"""Chat models through langchain-openai and the openai SDK."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agentkit.errors import ModelNotFound, ProviderError
from agentkit.redaction import redact
from agentkit.settings import Settings

if TYPE_CHECKING:
    from agentkit_openai.chat import OpenAIChat

DEFAULT = "gpt-5.5"


def chat_model(name: str, settings: Settings) -> OpenAIChat:
    """OpenAI's model `name` ('' is DEFAULT). Raises ProviderError if OPENAI_API_KEY is not set."""
    if not os.environ.get("OPENAI_API_KEY"):
        raise ProviderError(f"model 'openai:{name or DEFAULT}' needs a key: set OPENAI_API_KEY, or use --model local.")
    return _chat(f"openai:{name or DEFAULT}", name or DEFAULT, settings)


def url_model(address: str, settings: Settings) -> OpenAIChat:
    """The model of a compatible server. `address` is the whole `http(s)://HOST/v1#NAME`.

    The key is AGENTKIT_ENDPOINT_KEY, never OPENAI_API_KEY: that one belongs to OpenAI alone.
    """
    base, _, name = address.partition("#")
    host = base.partition("://")[2].split("/")[0]
    if not (host and name):
        raise ModelNotFound(f"model address {redact(address)!r} is not of the form http://HOST/v1#NAME.")
    return _chat(address, name, settings, base, os.environ.get("AGENTKIT_ENDPOINT_KEY") or "none")


def _chat(
    called: str, name: str, settings: Settings, base_url: str | None = None, key: str | None = None
) -> OpenAIChat:
    import openai
    from pydantic import SecretStr

    from agentkit.providers import CONNECT_SECONDS
    from agentkit_openai.chat import OpenAIChat

    silence = settings.models.silence_seconds
    model = OpenAIChat(
        called=called,
        bounds=settings.models,
        model=name,
        base_url=base_url,
        api_key=SecretStr(key) if key else None,
        timeout=silence,
        max_retries=0,  # `Bounded` retries
        stream_usage=True,
    )
    # given to the constructor, this would make a pool of connections for each model instead of a shared one
    timeout = openai.Timeout(silence, connect=min(silence, CONNECT_SECONDS))
    model.root_client = model.root_client.with_options(timeout=timeout)
    model.client = model.root_client.chat.completions
    model.root_async_client = model.root_async_client.with_options(timeout=timeout)
    model.async_client = model.root_async_client.chat.completions
    return model
