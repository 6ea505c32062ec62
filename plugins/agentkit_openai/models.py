"""Chat models through langchain-openai and the openai SDK."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agentkit.errors import ModelNotFound, ProviderError
from agentkit.settings import Settings

if TYPE_CHECKING:
    from langchain_openai import ChatOpenAI

DEFAULT = "gpt-5.5"
TIMEOUT = 120.0
"""Seconds to wait for the next bytes of an answer."""


def chat_model(name: str, settings: Settings) -> ChatOpenAI:  # noqa: ARG001
    """OpenAI's model `name` ('' is DEFAULT). Raises ProviderError if OPENAI_API_KEY is not set."""
    if not os.environ.get("OPENAI_API_KEY"):
        raise ProviderError(f"model 'openai:{name or DEFAULT}' needs a key: set OPENAI_API_KEY, or use --model local.")
    return _chat(name or DEFAULT)


def url_model(address: str, settings: Settings) -> ChatOpenAI:  # noqa: ARG001
    """The model of a compatible server. `address` is the whole `http(s)://HOST/v1#NAME`.

    The key is AGENTKIT_ENDPOINT_KEY, never OPENAI_API_KEY: that one belongs to OpenAI alone.
    """
    base, _, name = address.partition("#")
    host = base.partition("://")[2].split("/")[0]
    if not (host and name):
        raise ModelNotFound(f"model address {address!r} is not of the form http://HOST/v1#NAME.")
    return _chat(name, base, os.environ.get("AGENTKIT_ENDPOINT_KEY", "none"))


def _chat(name: str, base_url: str | None = None, key: str | None = None) -> ChatOpenAI:
    from langchain_openai import ChatOpenAI
    from pydantic import SecretStr

    return ChatOpenAI(
        model=name,
        base_url=base_url,
        api_key=SecretStr(key) if key else None,
        timeout=TIMEOUT,
        max_retries=2,
        stream_usage=True,
    )
