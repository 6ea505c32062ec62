"""The chat model of langchain-anthropic, bounded."""

from __future__ import annotations

from langchain_anthropic import ChatAnthropic

from agentkit.providers import Bounded


class AnthropicChat(Bounded, ChatAnthropic):
    """Anthropic's protocol, within the bounds of the `[models]` table."""
