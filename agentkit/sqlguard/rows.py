"""The rows of a statement, streamed under caps: what is too much is cut and told, never kept in memory."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, Self

from agentkit.sqlguard.limits import Limits

Cut = Literal["rows", "bytes", "cell"]
_SMALL = 16
"""Bytes that a number, a date or a truth value counts."""
_LONG_DECIMAL = 256
"""Bytes of a number of some hundred digits."""


@dataclass(frozen=True)
class ResultColumn:
    """A column of a result, its type as the engine writes it."""

    name: str
    type: str


class Rows:
    """Iterate once, or take `all`; close early with `close` or a `with` block.

    `exhausted` is True when all rows that the limits let through were read, `error` what iteration raised.
    `truncated` says whether a limit cut something off, `cut` which ones; both are final when iteration has ended, and
    so are `count` and `seconds`. Iteration raises what `Database.run` raises.
    """

    def __init__(
        self,
        columns: tuple[ResultColumn, ...],
        source: Iterator[tuple[Any, ...]],
        limits: Limits,
        close: Callable[[], None] = lambda: None,
        started: float | None = None,
    ) -> None:
        self.columns = columns
        self.count = 0
        self.size = 0
        self.cut: set[Cut] = set()
        self.exhausted = False
        self.error: BaseException | None = None
        self.on_end: Callable[[Rows], None] = lambda _rows: None
        self._source = source
        self._limits = limits
        self._close = close
        self._started = time.monotonic() if started is None else started
        self._ended: float | None = None

    @property
    def truncated(self) -> bool:
        """True if a limit on rows, bytes or cells cut something off."""
        return bool(self.cut)

    @property
    def seconds(self) -> float:
        """From the start of the statement to the end of its rows."""
        return (self._ended or time.monotonic()) - self._started

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        try:
            for row in self._source:
                if self.count >= self._limits.rows:
                    self.cut.add("rows")
                    break
                told = tuple(self._cell(value) for value in row)
                if self.size > self._limits.bytes:
                    self.cut.add("bytes")
                    break
                self.count += 1
                yield told
            self.exhausted = True
        except GeneratorExit:
            raise
        except BaseException as error:
            self.error = error
            raise
        finally:
            self.close()

    def all(self) -> list[tuple[Any, ...]]:
        """The rows that are left, all at once."""
        return list(self)

    def close(self) -> None:
        """Stop the statement and free its connection. May be called again."""
        if self._ended is None:
            self._ended = time.monotonic()
            self._close()
            self.on_end(self)

    def __del__(self) -> None:
        # rows that nobody read to the end: their connection would hold its locks until it is collected
        with contextlib.suppress(Exception):
            self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _cell(self, value: Any) -> Any:
        """The value, cut if it is too long; its size is added up."""
        value, size = cut_cell(value, self._limits.cell)
        if size > self._limits.cell:
            self.cut.add("cell")
        self.size += min(size, self._limits.cell)
        return value


def cut_cell(value: Any, limit: int) -> tuple[Any, int]:
    """A value no longer than `limit` characters or bytes, and the size it had. Long lists and the like become text."""
    if isinstance(value, (str, bytes)):
        return (value[:limit], len(value)) if len(value) > limit else (value, len(value))
    if isinstance(value, memoryview):
        return bytes(value[:limit]), value.nbytes
    if isinstance(value, (list, dict, tuple)):
        size = len(repr(value))
        return (repr(value)[:limit], size) if size > limit else (value, size)
    if isinstance(value, Decimal) and sys.getsizeof(value) > _LONG_DECIMAL:
        text = str(value)
        return (text[:limit] if len(text) > limit else value), len(text)
    return value, _SMALL
