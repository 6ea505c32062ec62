"""Stop a statement that takes too long, or whose run was asked to stop."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Literal, Self

from agentkit.context import cancellation
from agentkit.errors import Cancelled, SqlTimeout

_TICK = 0.1
"""Seconds between two looks, and between two tries to stop a statement that goes on."""


class Watch:
    """Calls `stop` in a thread when `seconds` are over or the run is cancelled, until `end` is called.

    It waits for `grace` seconds more where something else stops the statement in time, if it can.
    """

    def __init__(self, seconds: float, stop: Callable[[], None], grace: float = 0.0) -> None:
        self.started = time.monotonic()
        self.reason: Literal["", "time", "cancelled"] = ""
        self._seconds = seconds
        self._most = seconds + grace
        self._stop = stop
        self._cancelled = cancellation.get()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="sql-watch", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Stop watching; when this returns, `stop` is not called any more."""
        self._done.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def check(self) -> None:
        """Raises SqlTimeout or Cancelled if the statement was stopped."""
        if not self.reason:
            self._look()
        if self.reason == "cancelled":
            raise Cancelled("the statement was stopped.")
        if self.reason == "time":
            raise SqlTimeout(
                f"the statement took longer than {self._seconds:g} s and was stopped. "
                "Ask for less: fewer rows, a narrower WHERE, an aggregate."
            )

    def _look(self) -> None:
        if self._cancelled is not None and self._cancelled.is_set():
            self.reason = "cancelled"
        elif time.monotonic() - self.started > self._most:
            self.reason = "time"

    def _watch(self) -> None:
        while not self._done.wait(self._pause()):
            self._look()
            if self.reason:
                # a connection that is just being closed
                with contextlib.suppress(Exception):
                    self._stop()

    def _pause(self) -> float:
        left = self._most - (time.monotonic() - self.started)
        return _TICK if left <= 0 or self._cancelled is not None else min(max(left, 0.001), 60)
