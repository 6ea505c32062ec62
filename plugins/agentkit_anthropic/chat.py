"""The chat model of langchain-anthropic, bounded."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import anthropic
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessageChunk

from agentkit.providers import CONNECT_SECONDS, Bounded

if TYPE_CHECKING:
    from langchain_core.outputs import ChatGenerationChunk

_READ = "tokens_read"


class AnthropicChat(Bounded, ChatAnthropic):
    """Anthropic's protocol, within the bounds of the `[models]` table.

    A stream tells the tokens that were read when it starts, and at its end too or not: both are counted.
    """

    @cached_property
    def _client(self) -> anthropic.Client:
        return super()._client.with_options(timeout=self._timeout())

    @cached_property
    def _async_client(self) -> anthropic.AsyncClient:
        return super()._async_client.with_options(timeout=self._timeout())

    def _timeout(self) -> anthropic.Timeout:
        silence = self.bounds.silence_seconds
        return anthropic.Timeout(silence, connect=min(silence, CONNECT_SECONDS))

    def _make_message_chunk_from_anthropic_event(
        self, event: anthropic.types.RawMessageStreamEvent, **kwargs: Any
    ) -> tuple[AIMessageChunk | None, anthropic.types.RawMessageStreamEvent | None]:
        chunk, block = super()._make_message_chunk_from_anthropic_event(event, **kwargs)
        if chunk and event.type == "message_start" and (usage := event.message.usage):
            cached = (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
            chunk.response_metadata[_READ] = (usage.input_tokens or 0) + cached
        return chunk, block

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        read = 0
        for chunk in super()._stream(*args, **kwargs):
            read = _counted(chunk, read)
            yield chunk

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        read = 0
        async for chunk in super()._astream(*args, **kwargs):
            read = _counted(chunk, read)
            yield chunk


def _counted(chunk: ChatGenerationChunk, read: int) -> int:
    """Add the tokens told at the start to a usage without them. Gives those told so far."""
    message = chunk.message
    read = message.response_metadata.pop(_READ, read)
    if isinstance(message, AIMessageChunk) and (usage := message.usage_metadata) and not usage["input_tokens"]:
        usage["input_tokens"] = read
        usage["total_tokens"] += read
    return read
