"""A blocking iterator as an asynchronous one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


async def in_thread(make: Callable[[threading.Event], Iterator[Item]]) -> AsyncIterator[Item]:
    """Iterate in a thread of its own. Closing or cancelling sets the event that the iterator was made with."""
    loop = asyncio.get_running_loop()
    items: asyncio.Queue[Item | BaseException | None] = asyncio.Queue()
    stop, left = threading.Event(), threading.Event()

    def put(item: Item | BaseException | None) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(items.put_nowait, item)

    def work() -> None:
        try:
            for item in make(stop):
                put(item)
                if left.is_set():  # not `stop`: an iterator may set its event itself when it has all it needs
                    break
        except BaseException as error:  # noqa: BLE001 - it is raised in the consumer
            put(error)
        put(None)

    threading.Thread(target=work, daemon=True).start()
    try:
        while (item := await items.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        left.set()
        stop.set()
