"""The stored conversations: list, show, delete."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agentkit.errors import ThreadNotFound
from agentkit.redaction import redact, redacted

if TYPE_CHECKING:
    from agentkit.storage import Storage

TITLE_LENGTH = 80


@dataclass(frozen=True)
class Request:
    """A user's message that begins a turn: the id of the message, and its text."""

    id: str
    text: str


class Threads:
    """Threads of one database. Messages live in LangGraph's checkpoints; titles and dates in our own table."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def touch(self, thread_id: str, title: str = "", request: Request | None = None) -> None:
        """Note that a thread is used. The first title stays; `request` is what the turn that begins now is to do.

        It does not wait for the disk: checkpoints do, and what they wait for includes this.
        """
        short = " ".join(title.split())[:TITLE_LENGTH]
        values = [thread_id, short, request.id if request else None, request.text if request else None]
        self._storage.pool().query(
            "insert into threads (thread_id, title, request_id, request) select %s, %s, %s, %s"
            " where set_config('synchronous_commit', 'off', true) = 'off'"
            " on conflict (thread_id) do update set updated_at = now(), request_id = excluded.request_id,"
            " request = excluded.request, answers = '{}'",
            [v and redact(v).replace("\0", "") for v in values],
        )

    def request(self, thread_id: str) -> Request | None:
        """What the thread's turn was begun for, until it has come to its end."""
        rows = self._storage.pool().query(
            "select request_id, request from threads where thread_id = %s and request_id is not null", [thread_id]
        )
        return Request(rows[0]["request_id"], rows[0]["request"]) if rows else None

    def answer(self, thread_id: str, answers: Mapping[str, Any]) -> dict[str, Any]:
        """Keep a person's answers by what they answer, and return all of this turn: a killed run has them again."""
        rows = self._storage.pool().query(
            "update threads set answers = answers || %s::jsonb where thread_id = %s returning answers",
            [json.dumps(redacted(answers)).replace("\\u0000", ""), thread_id],
        )
        return dict(rows[0]["answers"]) if rows else {}

    def exists(self, thread_id: str) -> bool:
        """Is there a thread of this id?"""
        return bool(self._storage.pool().query("select from threads where thread_id = %s", [thread_id]))

    def recent(self, last: int = 20) -> list[dict[str, Any]]:
        """The threads used last, newest first: thread_id, title, created_at, updated_at."""
        return self._storage.pool().query(
            "select thread_id, title, created_at, updated_at from threads order by updated_at desc limit %s", [last]
        )

    def latest(self) -> str:
        """The id of the thread used last. Raises ThreadNotFound if there is none."""
        rows = self.recent(1)
        if not rows:
            raise ThreadNotFound("there is no thread yet; start one with `agentkit chat`.")
        return str(rows[0]["thread_id"])

    def messages(self, thread_id: str) -> list[dict[str, Any]]:
        """The messages of a thread as plain data: role, content, and tool calls. Raises ThreadNotFound."""
        from agentkit.tracing import plain

        if not self.exists(thread_id):
            raise ThreadNotFound(f"there is no thread {thread_id!r}. `agentkit threads list` shows them.")
        state = self._storage.checkpointer().get_tuple({"configurable": {"thread_id": thread_id}})
        stored = state.checkpoint["channel_values"].get("messages", []) if state else []
        return [plain(m) for m in stored]

    def delete(self, thread_id: str) -> None:
        """Remove a thread with its messages, results and traces. Raises ThreadNotFound."""
        if not self.exists(thread_id):
            raise ThreadNotFound(f"there is no thread {thread_id!r}. `agentkit threads list` shows them.")
        self._storage.checkpointer().delete_thread(thread_id)
        with self._storage.pool().connection() as connection:
            for table in ("tool_results", "traces", "threads"):
                connection.execute(f"delete from {table} where thread_id = %s", [thread_id])  # noqa: S608
