"""LangGraph's Postgres checkpointer for sync and async graphs alike, storing plain data only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import ormsgpack
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from agentkit.postgres.connections import persistently
from agentkit.redaction import may_hold_secret, redacted

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata, CheckpointTuple


class Checkpointer(PostgresSaver):
    """The async methods run the sync ones in a thread: one graph and one pool serve both.

    Only LangGraph's safe types are read back, so that a stored thread can never import somebody's code. What a run
    reads and writes is tried again if the server goes away meanwhile: each of these may be done twice.
    """

    def __init__(self, pool: Any) -> None:
        super().__init__(pool, serde=_Serializer(allowed_msgpack_modules=None))
        # it guards a single connection; with a pool every use has its own, and no run waits for another's disk
        self.lock = nullcontext()  # type: ignore[assignment]

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        return persistently(lambda: super(Checkpointer, self).get_tuple(config))

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        return persistently(lambda: super(Checkpointer, self).put(config, checkpoint, metadata, new_versions))

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        persistently(lambda: super(Checkpointer, self).put_writes(config, writes, task_id, task_path))

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        return await asyncio.to_thread(self.get_tuple, config)

    async def alist(self, config: RunnableConfig | None, **options: Any) -> AsyncIterator[CheckpointTuple]:
        for found in await asyncio.to_thread(lambda: list(self.list(config, **options))):
            yield found

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        return await asyncio.to_thread(self.put, config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        await asyncio.to_thread(self.put_writes, config, writes, task_id, task_path)

    async def adelete_thread(self, thread_id: str) -> None:
        await asyncio.to_thread(self.delete_thread, thread_id)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        await asyncio.to_thread(self.prune, thread_ids, strategy=strategy)


class _Serializer(JsonPlusSerializer):
    """LangGraph's own, with the secrets in texts masked before they are stored."""

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        kind, data = super().dumps_typed(obj)
        # texts stand in it as they are: looking at all of them at once costs little, taking them apart a lot
        if kind == "msgpack" and may_hold_secret(data.decode("utf-8", "replace")):
            data = _masked(data)
        return kind, data


def _masked(packed: bytes) -> bytes:
    plain = ormsgpack.unpackb(
        packed, ext_hook=lambda code, inner: ormsgpack.Ext(code, _masked(inner)), option=ormsgpack.OPT_NON_STR_KEYS
    )
    return ormsgpack.packb(redacted(plain), option=ormsgpack.OPT_NON_STR_KEYS)
