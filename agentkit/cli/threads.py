"""`agentkit threads`: the stored conversations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from agentkit.cli.common import json_option, print_json, print_table, settings

if TYPE_CHECKING:
    from agentkit.threads import Threads


@click.group()
def threads() -> None:
    """List, export and delete stored conversations.

    \b
    Examples:
      agentkit threads list
      agentkit threads show 3f2a91c04b77 --json > thread.json
      agentkit threads delete 3f2a91c04b77
    """


@threads.command(name="list")
@click.option("--last", default=20, show_default=True, help="How many.")
@json_option
def list_threads(last: int, as_json: bool) -> None:
    """List the threads used last."""
    with _open() as stored:
        rows = stored.recent(last)
    if as_json:
        print_json(rows)
    else:
        print_table(
            ["thread", "updated", "title"],
            [(r["thread_id"], f"{r['updated_at']:%Y-%m-%d %H:%M}", r["title"]) for r in rows],
        )


@threads.command()
@click.argument("thread")
@json_option
def show(thread: str, as_json: bool) -> None:
    """Show the messages of a thread."""
    with _open() as stored:
        messages = stored.messages(thread)
    if as_json:
        print_json(messages)
        return
    for message in messages:
        calls = "".join(f"\n  > {c['name']} {c['args']}" for c in message.get("tool_calls", []))
        click.echo(f"{message['role']}: {message['content']}{calls}")


@threads.command()
@click.argument("thread")
def delete(thread: str) -> None:
    """Delete a thread with its messages, results and traces."""
    with _open() as stored:
        stored.delete(thread)
    click.echo(f"deleted {thread}", err=True)


@contextmanager
def _open() -> Iterator[Threads]:
    from agentkit.storage import Storage
    from agentkit.threads import Threads

    with Storage(settings()) as storage:
        yield Threads(storage)
