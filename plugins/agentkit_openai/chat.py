"""The chat model of langchain-openai, bounded."""

from __future__ import annotations

from langchain_openai import ChatOpenAI

from agentkit.providers import Bounded


class OpenAIChat(Bounded, ChatOpenAI):
    """OpenAI's protocol, within the bounds of the `[models]` table."""
