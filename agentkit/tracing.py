"""Every run is traced: to LangSmith when there is a key, else to the local store in Postgres.

The local store is a langchain-core tracer whose rows a background thread writes in batches. A store that is full,
slow or gone costs a warning and the rows, never the run.
"""

from __future__ import annotations

import json
import math
import os
import queue
import threading
from typing import TYPE_CHECKING, Any
from uuid import UUID

from langchain_core.messages import BaseMessage
from langchain_core.outputs import LLMResult
from langchain_core.tracers.base import BaseTracer
from langchain_core.tracers.langchain import LangChainTracer
from langchain_core.tracers.schemas import Run as TracedRun
from langgraph.types import Command
from pydantic import BaseModel

from agentkit.errors import TraceNotFound, warn
from agentkit.redaction import may_hold_secret, redact, redacted
from agentkit.settings import Settings, TraceSettings

if TYPE_CHECKING:
    from langchain_core.callbacks import BaseCallbackHandler

    from agentkit.storage import Storage

QUEUE_LIMIT = 10_000
BATCH = 200
GATHER = 0.1
"""Seconds in which rows gather: one statement for many."""
TEXT_LIMIT = 20_000
"""Characters kept of one text in a trace."""
_HIDDEN = "langsmith:hidden"
_UPSERT = """
insert into traces (run_id, trace_id, parent_id, thread_id, name, kind, started_at, ended_at, status,
                    inputs, outputs, error, metadata)
values (%(run_id)s, %(trace_id)s, %(parent_id)s, %(thread_id)s, %(name)s, %(kind)s, %(started_at)s, %(ended_at)s,
        %(status)s, %(inputs)s, %(outputs)s, %(error)s, %(metadata)s)
on conflict (run_id) do update set ended_at = excluded.ended_at, status = excluded.status, outputs = excluded.outputs,
                                   error = excluded.error, metadata = excluded.metadata
"""


class Tracing:
    """Where the runs of one agent are traced to."""

    def __init__(self, settings: Settings, storage: Storage) -> None:
        self._settings = settings.traces
        self._storage = storage
        self._writer: _Writer | None = None
        self._client: Any = None
        if langsmith_key() and settings.traces.enabled:
            self._client = _langsmith_client(settings.traces)
        elif os.environ.get("LANGSMITH_TRACING", os.environ.get("LANGCHAIN_TRACING_V2", "")).lower() == "true":
            import langsmith

            langsmith.configure(enabled=False)  # without a key every upload would fail, loudly

    def callbacks(self, thread_id: str) -> list[BaseCallbackHandler]:
        """The callback handlers that trace one run."""
        if not self._settings.enabled:
            return []
        if self._client is not None:
            return [_LangSmithTracer(client=self._client)]
        if self._writer is None:
            self._writer = _Writer(self._storage)
        return [_LocalTracer(self._writer, thread_id, self._settings)]

    def close(self, timeout: float = 3.0) -> None:
        """Write what is queued, waiting at most `timeout` seconds."""
        if self._writer is not None:
            self._writer.close(timeout)
        if self._client is not None:
            flusher = threading.Thread(target=self._client.flush, daemon=True)
            flusher.start()
            flusher.join(timeout)


def langsmith_key() -> str | None:
    """The LangSmith key in the environment."""
    return os.environ.get("LANGSMITH_API_KEY") or os.environ.get("LANGCHAIN_API_KEY")


def list_traces(
    storage: Storage, last: int = 20, *, errors_only: bool = False, thread: str | None = None
) -> list[dict[str, Any]]:
    """The newest traces, one row each, newest first."""
    query = """
        select t.trace_id::text, t.thread_id, t.started_at, t.ended_at, t.status, t.error, t.metadata,
               (select count(*) from traces c where c.trace_id = t.trace_id and c.kind = 'llm') as model_calls,
               (select count(*) from traces c where c.trace_id = t.trace_id and c.kind = 'tool') as tool_calls,
               exists (select from traces c where c.trace_id = t.trace_id and c.status = 'error') as has_error
        from traces t where t.parent_id is null and (%(thread)s::text is null or t.thread_id = %(thread)s)
        order by t.started_at desc"""
    if errors_only:
        query = f"select * from ({query}) listed where has_error"  # noqa: S608
    with storage.pool().connection() as connection:
        return connection.execute(query + " limit %(last)s", {"thread": thread, "last": last}).fetchall()


def show_trace(storage: Storage, trace_id: str) -> list[dict[str, Any]]:
    """All runs of one trace in order of start. `trace_id` may be its beginning. Raises TraceNotFound."""
    with storage.pool().connection() as connection:
        matches = connection.execute(
            "select distinct trace_id::text as id from traces where starts_with(trace_id::text, %s) limit 2",
            [trace_id.lower()],
        ).fetchall()
        if len(matches) != 1:
            problem = (
                "matches several traces; give more of it"
                if matches
                else "is not stored; `agentkit traces list` shows them"
            )
            raise TraceNotFound(f"trace {trace_id!r} {problem}.")
        return connection.execute(
            "select run_id::text, parent_id::text, trace_id::text, thread_id, name, kind, started_at, ended_at, status,"
            " inputs, outputs, error, metadata from traces where trace_id = %s order by started_at",
            [matches[0]["id"]],
        ).fetchall()


class _LangSmithTracer(LangChainTracer):
    """LangChain's own, without the constructor arguments of models and tools: the anonymizer does not see those."""

    def _start_trace(self, run: TracedRun) -> None:
        run.serialized = None
        super()._start_trace(run)


class _LocalTracer(BaseTracer):
    """Hands each run of the tree to the writer: its root when it starts, every run when it ends."""

    def __init__(self, writer: _Writer, thread_id: str, settings: TraceSettings) -> None:
        super().__init__(_schema_format="original+chat")
        self._writer = writer
        self._thread_id = thread_id
        self._settings = settings

    # LangChain's own would turn messages into its serialised form here; the writer's thread does it more cheaply
    def _create_chat_model_run(  # type: ignore[override]
        self, serialized: dict[str, Any], messages: list[list[BaseMessage]], run_id: UUID, **options: Any
    ) -> TracedRun:
        run = super()._create_chat_model_run(serialized, [], run_id, **options)
        run.inputs = {"messages": messages}
        return run

    def _complete_llm_run(self, response: LLMResult, run_id: UUID) -> TracedRun:
        run = super()._complete_llm_run(LLMResult(generations=[], llm_output=response.llm_output), run_id)
        run.outputs = {"generations": [[getattr(g, "message", g.text) for g in made] for made in response.generations]}
        return run

    def _persist_run(self, run: TracedRun) -> None:
        """Nothing more to do at the end of the tree: each run was handed over when it ended."""

    def _on_run_create(self, run: TracedRun) -> None:
        if run.parent_run_id is None:
            self._writer.put(self._row(run))

    def _on_run_update(self, run: TracedRun) -> None:
        if _HIDDEN not in (run.tags or ()):
            self._writer.put(self._row(run))

    def _row(self, run: TracedRun) -> dict[str, Any]:
        interrupted = run.error is not None and "GraphInterrupt" in run.error
        status = "paused" if interrupted else "error" if run.error else "success" if run.end_time else "running"
        return {
            "run_id": run.id,
            "trace_id": run.trace_id,
            "parent_id": _visible_parent(run, self.run_map),
            "thread_id": self._thread_id,
            "name": run.name,
            "kind": "llm" if run.run_type == "chat_model" else run.run_type,
            "started_at": run.start_time,
            "ended_at": run.end_time,
            "status": status,
            "inputs": {} if self._settings.hide_inputs else run.inputs,
            "outputs": {} if self._settings.hide_outputs else run.outputs,
            "error": None if interrupted or not run.error else _headline(run.error),
            "metadata": (run.extra or {}).get("metadata", {}),
        }


def _headline(error: str) -> str:
    """What LangChain notes of an error, without the stack, which would hold values and paths."""
    return error.partition("Traceback (most recent")[0].strip().partition("\n")[0]


def _visible_parent(run: TracedRun, runs: dict[str, TracedRun]) -> UUID | None:
    parent = run.parent_run_id
    while parent is not None and (above := runs.get(str(parent))) is not None and _HIDDEN in (above.tags or ()):
        parent = above.parent_run_id
    return parent


class _Writer:
    """A bounded queue and the thread that empties it into Postgres."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._queue: queue.Queue[dict[str, Any] | None] = queue.Queue(QUEUE_LIMIT)
        self._warned = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="agentkit-traces", daemon=True)
        self._thread.start()

    def put(self, row: dict[str, Any]) -> None:
        try:
            self._queue.put_nowait(row)
        except queue.Full:
            self._warn("the queue is full")

    def close(self, timeout: float) -> None:
        if self._thread.is_alive():
            self._closing.set()
            self._queue.put(None)
            self._thread.join(timeout)

    def _work(self) -> None:
        while True:
            rows = [self._queue.get()]
            self._closing.wait(GATHER)
            while len(rows) < BATCH and not self._queue.empty():
                rows.append(self._queue.get_nowait())
            self._write([_storable(row) for row in rows if row is not None])
            if None in rows:
                return

    def _write(self, rows: list[dict[str, Any]]) -> None:
        if not rows:
            return
        try:
            pool = self._storage.pool()
            with pool.connection(timeout=5) as connection, connection.transaction(), connection.cursor() as cursor:
                cursor.execute("set local synchronous_commit = off")  # the disk is for the checkpoints
                cursor.executemany(_UPSERT, rows)
        except Exception as error:  # noqa: BLE001 - tracing never breaks a run
            self._warn(type(error).__name__)

    def _warn(self, why: str) -> None:
        if not self._warned:
            self._warned = True
            warn(f"some traces are lost ({why})")


def _storable(row: dict[str, Any]) -> dict[str, Any]:
    """The row as Postgres takes it: JSON with secrets masked and without NUL characters, which jsonb refuses."""
    as_json = {key: _masked(plain(row[key])).replace("\\u0000", "") for key in ("inputs", "outputs", "metadata")}
    return row | as_json | {"error": redact(row["error"]).replace("\0", "") if row["error"] else None}


def _masked(value: Any) -> str:
    """Plain data as JSON. Masking in JSON itself is quick but may break it: that only tells if there is a need to."""
    text = json.dumps(value, ensure_ascii=False)
    return json.dumps(redacted(value), ensure_ascii=False) if may_hold_secret(text) else text


def plain(value: Any) -> Any:
    """Any value as JSON types; messages keep what people look for, long texts are cut at TEXT_LIMIT."""
    if isinstance(value, BaseMessage):
        calls = getattr(value, "tool_calls", None)
        usage = getattr(value, "usage_metadata", None)
        extra = {"tool_calls": plain(calls)} if calls else {}
        return {
            "role": value.type,
            "content": plain(value.content),
            **extra,
            **({"usage": plain(usage)} if usage else {}),
        }
    if isinstance(value, BaseModel):
        return plain(value.model_dump(mode="python"))
    if isinstance(value, Command):
        return plain(value.update)
    if (
        isinstance(value, dict) and value.get("lc") == 1 and "kwargs" in value
    ):  # LangChain's serialised form of a message
        kept = {
            k: v for k, v in value["kwargs"].items() if k in ("content", "tool_calls", "name", "usage_metadata") and v
        }
        return {"role": value["kwargs"].get("type", value["id"][-1]), **plain(kept)}
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(v) for v in value]
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    text = value if isinstance(value, str) else str(value)
    if len(text) > TEXT_LIMIT:
        text = redact(text)  # before it is cut: a part of a secret is not known as one
    return text if len(text) <= TEXT_LIMIT else text[:TEXT_LIMIT] + f"... [{len(text) - TEXT_LIMIT} characters more]"


def _langsmith_client(settings: TraceSettings) -> Any:
    """A client that gives up at once: a dead collector must not hold up the end of a command."""
    from langsmith import Client
    from langsmith.anonymizer import create_anonymizer
    from urllib3.util.retry import Retry

    return Client(
        retry_config=Retry(total=0),
        timeout_ms=(500, 2000),
        hide_inputs=settings.hide_inputs or None,
        hide_outputs=settings.hide_outputs or None,
        anonymizer=create_anonymizer(lambda text, _path: redact(text)),
        tracing_error_callback=lambda _error: None,
    )
