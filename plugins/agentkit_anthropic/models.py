"""Chat models through langchain-anthropic and the anthropic SDK."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agentkit.errors import ProviderError
from agentkit.settings import Settings

if TYPE_CHECKING:
    from langchain_anthropic import ChatAnthropic

DEFAULT = "claude-sonnet-5"
TIMEOUT = 120.0
"""Seconds to wait for the next bytes of an answer."""
MAX_TOKENS = 4096


def chat_model(name: str, settings: Settings) -> ChatAnthropic:  # noqa: ARG001
    """Anthropic's model `name` ('' is DEFAULT). Raises ProviderError if ANTHROPIC_API_KEY is not set.

    ANTHROPIC_BASE_URL means what it means for the SDK.
    """
    if not os.environ.get("ANTHROPIC_API_KEY"):
        raise ProviderError(
            f"model 'anthropic:{name or DEFAULT}' needs a key: set ANTHROPIC_API_KEY, or use --model local."
        )
    from langchain_anthropic import ChatAnthropic

    return ChatAnthropic(
        model_name=name or DEFAULT, timeout=TIMEOUT, max_retries=2, max_tokens_to_sample=MAX_TOKENS, stop=None
    )
