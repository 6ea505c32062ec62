"""The stored conversations: list, show, delete."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agentkit.errors import ThreadNotFound
from agentkit.redaction import redact, redacted

if TYPE_CHECKING:
    from agentkit.storage import Storage

TITLE_LENGTH = 80


@dataclass(frozen=True)
class Request:
    """A user's message that begins a turn: its id and text, and what a killed turn needs to be begun again.

    `earlier`: messages before it, as role and text. `shape`: what the turn's graph is built for, as plain data.
    """

    id: str
    text: str
    earlier: Sequence[tuple[str, str]] = ()
    shape: Mapping[str, Any] = field(default_factory=dict)


class Threads:
    """Threads of one database. Messages live in LangGraph's checkpoints; titles and dates in our own table."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def touch(self, thread_id: str, title: str = "", request: Request | None = None) -> None:
        """Note that a thread is used. The first title stays; `request` is what the turn that begins now is to do.

        It does not wait for the disk: checkpoints do, and what they wait for includes this.
        """
        short = " ".join(title.split())[:TITLE_LENGTH]
        turn = {"earlier": request.earlier, "shape": request.shape} if request else None
        self._storage.pool().query(
            "insert into threads (thread_id, title, request_id, request, turn)"
            " select %s, %s, %s, %s, coalesce(%s::jsonb, '{}')"
            " where set_config('synchronous_commit', 'off', true) = 'off'"
            " on conflict (thread_id) do update set updated_at = now(), request_id = excluded.request_id,"
            " request = excluded.request, answers = '{}',"
            " turn = case when excluded.request_id is null then threads.turn else excluded.turn end",
            [
                thread_id,
                _storable(short),
                request.id if request else None,
                _storable(request.text) if request else None,
                _json(turn) if turn else None,
            ],
        )

    def request(self, thread_id: str) -> Request:
        """What the thread's last turn was begun for; its id and text are '' once that has come to its end."""
        rows = self._storage.pool().query(
            "select request_id, request, turn from threads where thread_id = %s", [thread_id]
        )
        row = rows[0] if rows else {"request_id": None, "request": None, "turn": {}}
        earlier = [(role, text) for role, text in row["turn"].get("earlier", ())]
        return Request(row["request_id"] or "", row["request"] or "", earlier, row["turn"].get("shape", {}))

    def answer(self, thread_id: str, answers: Mapping[str, Any]) -> dict[str, Any]:
        """Keep a person's answers by what they answer, and return all of this turn: a killed run has them again."""
        rows = self._storage.pool().query(
            "update threads set answers = answers || %s::jsonb where thread_id = %s returning answers",
            [_json(answers), thread_id],
        )
        return dict(rows[0]["answers"]) if rows else {}

    def check(self, thread_id: str) -> None:
        """Raises ThreadNotFound if there is no thread of this id."""
        if not self._storage.pool().query("select from threads where thread_id = %s", [thread_id]):
            raise ThreadNotFound(f"there is no thread {thread_id!r}. `agentkit threads list` shows them.")

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

        self.check(thread_id)
        state = self._storage.checkpointer().get_tuple({"configurable": {"thread_id": thread_id}})
        stored = state.checkpoint["channel_values"].get("messages", []) if state else []
        return [plain(m) for m in stored]

    def delete(self, thread_id: str) -> None:
        """Remove a thread with its messages, results and traces. Raises ThreadNotFound."""
        self.check(thread_id)
        self._storage.checkpointer().delete_thread(thread_id)
        with self._storage.pool().connection() as connection:
            for table in ("tool_results", "traces", "threads"):
                connection.execute(f"delete from {table} where thread_id = %s", [thread_id])  # noqa: S608


def _storable(text: str) -> str:
    return redact(text).replace("\0", "")


def _json(value: Any) -> str:
    return json.dumps(redacted(value)).replace("\\u0000", "")
