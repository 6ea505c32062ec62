"""Chat models through langchain-anthropic and the anthropic SDK."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agentkit.errors import ProviderError
from agentkit.settings import Settings

if TYPE_CHECKING:
    from agentkit_anthropic.chat import AnthropicChat

DEFAULT = "claude-sonnet-5"
MAX_TOKENS = 4096


def chat_model(name: str, settings: Settings) -> AnthropicChat:
    """Anthropic's model `name` ('' is DEFAULT). Raises ProviderError if ANTHROPIC_API_KEY is not set.

    ANTHROPIC_BASE_URL means what it means for the SDK.
    """
    if not os.environ.get("ANTHROPIC_API_KEY"):
        raise ProviderError(
            f"model 'anthropic:{name or DEFAULT}' needs a key: set ANTHROPIC_API_KEY, or use --model local."
        )
    from agentkit_anthropic.chat import AnthropicChat

    return AnthropicChat(
        called=f"anthropic:{name or DEFAULT}",
        bounds=settings.models,
        model_name=name or DEFAULT,
        timeout=settings.models.silence_seconds,
        max_retries=0,  # `Bounded` retries
        max_tokens_to_sample=MAX_TOKENS,
        stop=None,
    )
