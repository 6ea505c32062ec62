"""Engines in a process of their own: what cannot be interrupted is killed, and memory has a bound that holds.

SQLite looks whether it was interrupted between two instructions, DuckDB between two batches of rows: one call of a
function may take hours and gigabytes in between, and DuckDB does not count all of the memory that texts need.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any

from agentkit.databases import Engine
from agentkit.errors import DatabaseUnavailable, SqlFailed
from agentkit.sqlguard.limits import Limits
from agentkit.sqlguard.rows import Rows
from agentkit.sqlguard.schema import Dialect, Schema
from agentkit.sqlguard.watch import Watch

_GRACE = 1.0
"""Seconds after its time in which an engine may stop a statement itself; then its process is killed."""
_FRESH = 30.0
"""A process that waited longer is not asked any more: it ends soon (worker.IDLE_SECONDS)."""
_MOST_IDLE = 2
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from agentkit_sql.engines.worker import main; main(sys.argv[2])"
)


class Apart:
    """An engine whose calls are made in another process. `holds` is kept as long as one of them goes on.

    The engine keeps nothing between two calls: it goes to the process with each.
    """

    def __init__(self, engine: Engine, holds: object = None) -> None:
        self._engine = engine
        self._holds = holds

    @property
    def dialect(self) -> Dialect:
        return self._engine.dialect

    def schema(self) -> Schema:
        """See the engine; it may take a minute."""
        found: Schema = self._told("schema", (), Limits(seconds=60.0))
        return found

    def explain(self, sql: str, limits: Limits) -> str:
        """See the engine."""
        plan: str = self._told("explain", (sql, limits), limits)
        return plan

    def run(self, sql: str, limits: Limits) -> Rows:
        """See the engine; what the limits cut off is cut there and counted here."""
        started = time.monotonic()
        call = _Call(self._engine, "run", (sql,), limits, self._holds)
        columns = next(call)
        return Rows(columns, (row for batch in call for row in batch), limits, call.close, started)

    def close(self) -> None:
        """Nothing stays open between two calls."""

    def _told(self, method: str, arguments: tuple[Any, ...], limits: Limits) -> Any:
        with contextlib.closing(_Call(self._engine, method, arguments, limits, self._holds)) as call:
            (told,) = call
        return told


class _Call:
    """The parts of one answer; a process whose answer is not read to the end is killed."""

    def __init__(self, engine: Engine, method: str, arguments: tuple[Any, ...], limits: Limits, holds: object) -> None:
        self._holds = holds
        self._process: _Process | None = _taken()
        self._watch = Watch(limits.seconds, self._process.kill, grace=_GRACE)
        try:
            self._process.ask((engine, method, arguments, limits))
        except OSError:
            pass  # it is gone, which the first part tells
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> _Call:
        return self

    def __next__(self) -> Any:
        if self._process is None:
            raise StopIteration
        try:
            kind, value = self._process.told()
        except (EOFError, OSError, pickle.UnpicklingError):
            code = self._process.exit_code()
            self.close()
            self._watch.check()
            raise SqlFailed(
                f"the statement ended its process (exit code {code}): most likely it needs more memory than it may "
                "have. Ask for less, or aggregate."
            ) from None
        except BaseException:
            self.close()
            raise
        if kind == "part":
            return value
        error, again = value if kind == "error" else (None, value)
        self.close(again=again)
        if error is not None:
            raise error
        raise StopIteration

    def close(self, *, again: bool = False) -> None:
        """End the call; the process may take another one where this is over."""
        process, self._process = self._process, None
        if process is not None:
            self._watch.end()
            if again and not self._watch.reason:  # else it may just have been killed
                _give_back(process)
            else:
                process.end()


class _Process:
    """A worker: it takes one request at a time."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.since = time.monotonic()
        self._folder = tempfile.mkdtemp(prefix="agentkit-sql-")
        paths = json.dumps([os.path.abspath(p) for p in sys.path if p])  # noqa: PTH100 - entries of sys.path are texts
        # a session of its own: Ctrl-C in the terminal is for this process, which then ends the other
        self._popen = subprocess.Popen(
            [sys.executable, "-I", "-c", _START, paths, self._folder],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self._requests, self._answers = self._popen.stdin, self._popen.stdout

    def ask(self, request: tuple[Any, ...]) -> None:
        self._requests.write(pickle.dumps(request))
        self._requests.flush()

    def told(self) -> tuple[str, Any]:
        """The next message. Raises EOFError, OSError or UnpicklingError where the process ended."""
        message: tuple[str, Any] = pickle.load(self._answers)  # noqa: S301 - from agentkit's own process
        return message

    def is_fresh(self) -> bool:
        """True if it still waits for a request."""
        return time.monotonic() - self.since < _FRESH and self._popen.poll() is None

    def exit_code(self) -> int | None:
        """What it ended with, minus the signal where it was one; None if it goes on."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._popen.wait(1)
        return None

    def kill(self) -> None:
        self._popen.kill()

    def end(self) -> None:
        """Kill it, and remove what it leaves."""
        self._popen.kill()
        self._popen.wait()
        for pipe in (self._requests, self._answers):
            with contextlib.suppress(OSError):
                pipe.close()
        shutil.rmtree(self._folder, ignore_errors=True)


_idle: list[_Process] = []
_lock = threading.Lock()


def _taken() -> _Process:
    """A process that waits, or a new one."""
    with _lock:
        own = [p for p in _idle if p.owner == os.getpid()]
        fresh = [p for p in own if p.is_fresh()]
        taken = fresh.pop() if fresh else None
        _idle[:] = fresh
    for process in own:
        if process is not taken and process not in fresh:
            process.end()
    try:
        return taken or _Process()
    except OSError as error:
        raise DatabaseUnavailable(f"no process can be started for the statement: {error}.") from None


def _give_back(process: _Process) -> None:
    process.since = time.monotonic()
    with _lock:
        kept = len(_idle) < _MOST_IDLE
        if kept:
            _idle.append(process)
    if not kept:
        process.end()


@atexit.register
def _end_all() -> None:
    while _idle:
        _idle.pop().end()
