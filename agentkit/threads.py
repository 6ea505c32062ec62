"""The stored conversations: list, show, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentkit.errors import ThreadNotFound

if TYPE_CHECKING:
    from agentkit.storage import Storage

TITLE_LENGTH = 80


class Threads:
    """Threads of one database. Messages live in LangGraph's checkpoints; titles and dates in our own table."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def touch(self, thread_id: str, message: str = "") -> None:
        """Note that a thread was used; its first message becomes the title."""
        title = " ".join(message.split())[:TITLE_LENGTH].replace("\0", "")
        with self._storage.pool().connection() as connection:
            connection.execute(
                "insert into threads (thread_id, title, created_at, updated_at) values (%s, %s, now(), now())"
                " on conflict (thread_id) do update set updated_at = now()",
                [thread_id, title],
            )

    def exists(self, thread_id: str) -> bool:
        """Is there a thread of this id?"""
        with self._storage.pool().connection() as connection:
            return connection.execute("select from threads where thread_id = %s", [thread_id]).fetchone() is not None

    def recent(self, last: int = 20) -> list[dict[str, Any]]:
        """The threads used last, newest first: thread_id, title, created_at, updated_at."""
        with self._storage.pool().connection() as connection:
            return connection.execute("select * from threads order by updated_at desc limit %s", [last]).fetchall()

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
