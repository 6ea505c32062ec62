"""`agentkit models`: the chat models there are, and the files of the embedded ones."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from agentkit.cli.common import json_option, plugins, print_json, print_table, settings
from agentkit.errors import DownloadError

if TYPE_CHECKING:
    from agentkit_local.manifest import ModelEntry

    from agentkit.calls import Services


@click.group()
def models() -> None:
    """List the chat models, and fetch or check the embedded one.

    \b
    Examples:
      agentkit models list
      agentkit models pull
      agentkit models check
    """


@models.command(name="list")
@json_option
def list_models(as_json: bool) -> None:
    """List the providers, whether each can be used now, and which one is chosen."""
    from agentkit.models import choose

    chosen = choose(settings(), plugins())
    rows = []
    for provider, given in plugins().models.items():
        variable = given.spec.key_variable
        ready = (
            f"{variable} is set"
            if variable and os.environ.get(variable)
            else f"set {variable}"
            if variable
            else "ready"
        )
        rows.append({"name": provider, "plugin": given.plugin, "state": ready, "summary": given.spec.summary})
    for entry in _entries():
        from agentkit_local.download import find

        state = "ready" if find(entry) else f"`agentkit models pull {entry.name}` ({_size(entry)})"
        rows.append(
            {
                "name": f"local:{entry.name}",
                "plugin": "local",
                "state": state,
                "summary": f"{entry.kind} model, {entry.licence}",
            }
        )
    if as_json:
        print_json({"chosen": chosen, "models": rows})
        return
    print_table(["name", "state", "summary"], [(r["name"], r["state"], r["summary"]) for r in rows])
    click.echo(f"\nchosen: {chosen}", err=True)


@models.command()
@click.argument("name", default="")
def pull(name: str) -> None:
    """Fetch an embedded model, resuming what an earlier pull left. Without NAME: the chat model and the embeddings."""
    from agentkit_local.manifest import find_entries

    for entry in find_entries(settings(), name):
        _fetch(entry)


def offer_embedded(services: Services) -> None:
    """Ask whether to fetch the embedded model, if the agent is to run on it and it is not here; only on a terminal."""
    provider, _, name = services.model_name.partition(":")
    embedded = provider == "local" and "local" in services.plugins.models and not name.endswith(".gguf")
    if not (embedded and sys.stdin.isatty()):
        return
    from agentkit_local.download import find
    from agentkit_local.manifest import find_entry

    entry = find_entry(services.settings, name)
    question = f"The embedded model {entry.name} ({_size(entry)}) is not here yet. Fetch it?"
    if find(entry) is None and click.confirm(question, default=True, err=True):
        _fetch(entry)


def _fetch(entry: ModelEntry) -> None:
    from agentkit_local.download import pull as fetch
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(entry.name, total=entry.size)
        path = fetch(
            entry,
            lambda done, total, source: bar.update(
                task, completed=done, total=total, description=f"{entry.name} ({source})"
            ),
        )
    click.echo(f"{entry.name}: ready, SHA-256 verified ({path})", err=True)


@models.command()
@click.argument("name", default="")
@json_option
def check(name: str, as_json: bool) -> None:
    """Hash the file of an embedded model again and compare it with the publisher's. Without NAME: the chat model."""
    from agentkit_local.download import check as verify
    from agentkit_local.manifest import find_entries, find_entry

    config = settings()
    found = find_entries(config, name) if name else [find_entry(config)]
    right = [verify(entry) for entry in found]
    if as_json:
        first = found[0]
        print_json({"name": first.name, "sha256": first.sha256, "matches": all(right)})
    for entry, matches in zip(found, right, strict=True):
        if not matches:
            raise DownloadError(
                f"model {entry.name!r} is missing or damaged: `agentkit models pull {entry.name}` fetches it again."
            )
        if not as_json:
            click.echo(f"{entry.name}: matches SHA-256 {entry.sha256}")


def _size(entry: ModelEntry) -> str:
    return f"{entry.size / 1e9:.1f} GB" if entry.size >= 1e8 else f"{entry.size / 1e6:.1f} MB"


def _entries() -> list[ModelEntry]:
    if "local" not in plugins().models:
        return []
    from agentkit_local.manifest import entries

    return entries(settings())
