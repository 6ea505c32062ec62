"""The process that `apart` starts: it makes calls of engines, one after the other, until nobody asks any more."""

from __future__ import annotations

import os
import pickle
import resource
import select
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from agentkit.errors import AgentkitError, SqlFailed
from agentkit.sqlguard.limits import Limits
from agentkit.sqlguard.rows import Rows

IDLE_SECONDS = 60.0
"""A process that is not asked for so long ends."""
_ROOM = 512 << 20
_ROOM_OF_A_CORE = 16 << 20
"""What a process needs beside the memory that a statement may have: code, threads, rows on their way."""
LARGEST_FILE = 2 << 30
"""Bytes of a temporary file: SQLite sorts in one, without a limit of its own."""
_WORN = 400 << 20
"""A process that holds so much memory after a call is not used again."""
_BATCH_ROWS, _BATCH_BYTES = 1_024, 1 << 20
Send = Callable[[str, Any], None]


def main(folder: str) -> None:
    """Answer requests `(engine, method, arguments, limits)` from stdin; `folder` is for temporary files.

    An answer is some `("part", value)` and then `("end", again)` or `("error", (error, again))`; `again` is False where
    this process ends now.
    """
    tempfile.tempdir = os.environ["SQLITE_TMPDIR"] = folder
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    threading.Thread(target=_leave_with_parent, args=(requests.fileno(), folder), daemon=True).start()

    def send(kind: str, value: Any) -> None:
        pickle.dump((kind, value), answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()

    again = True
    while again and select.select([requests], [], [], IDLE_SECONDS)[0]:
        engine, method, arguments, limits = pickle.load(requests)  # noqa: S301 - from the process that started this one
        bound(limits)
        kind, value = _answered(engine, method, arguments, limits, send)
        again = _held() < _WORN
        send(kind, again if value is None else (value, again))


def _answered(engine: Any, method: str, arguments: tuple[Any, ...], limits: Limits, send: Send) -> tuple[str, Any]:
    """Make a call and send what it gives, part by part; how it ended."""
    try:
        if method == "run":
            with engine.run(*arguments, _more(limits)) as rows:
                send("part", rows.columns)
                for batch in _batches(rows):
                    send("part", batch)
        else:
            send("part", getattr(engine, method)(*arguments))
    except AgentkitError as error:
        return "error", error
    except MemoryError:
        return "error", SqlFailed("the statement needs more memory than it may have. Ask for less, or aggregate.")
    except Exception as error:  # noqa: BLE001 - the other side tells it
        return "error", SqlFailed(f"{type(error).__name__}: {str(error)[:400]}")
    return "end", None


def _more(limits: Limits) -> Limits:
    """A little more than may be shown, so that the other side sees what was cut; it counts the bytes."""
    return replace(limits, rows=limits.rows + 1, cell=limits.cell + 1, bytes=sys.maxsize)


def _batches(rows: Rows) -> Iterator[list[tuple[Any, ...]]]:
    batch, counted = [], 0
    for row in rows:
        batch.append(row)
        if len(batch) >= _BATCH_ROWS or rows.size - counted > _BATCH_BYTES:
            yield batch
            batch, counted = [], rows.size
    if batch:
        yield batch


def bound(limits: Limits) -> None:
    """Bound memory and files of this process, whoever asks for them. macOS does not count the memory of an engine."""
    memory = (limits.memory << 20) + _ROOM + _ROOM_OF_A_CORE * (os.cpu_count() or 1)
    for kind, most in ((resource.RLIMIT_DATA, memory), (resource.RLIMIT_FSIZE, LARGEST_FILE)):
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _held() -> int:
    """The memory that this process has now, in bytes; 0 where /proc does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return 0


def _leave_with_parent(requests: int, folder: str) -> None:
    """End with the process that started this one, in the middle of a statement, too."""
    gone = select.poll()
    gone.register(requests, 0)
    gone.poll()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)
