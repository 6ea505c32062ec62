"""`agentkit prompts`: the prompt files and what is in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from agentkit.cli.common import json_option, plugins, print_json, print_table, settings

if TYPE_CHECKING:
    from agentkit.prompts import Prompts

folder_option = click.option(
    "--prompts-dir", type=click.Path(file_okay=False, exists=True, path_type=Path), help="Search this folder first."
)


@click.group()
def prompts() -> None:
    """Look at the prompt files.

    \b
    Examples:
      agentkit prompts list
      agentkit prompts show agent
    """


@prompts.command(name="list")
@folder_option
@json_option
def list_prompts(prompts_dir: Path | None, as_json: bool) -> None:
    """List the prompts, and the file that each name means."""
    found = _prompts(prompts_dir)
    rows = [
        (p.name, p.header.version, p.hash, p.header.description, str(p.path))
        for p in map(found.get, sorted(found.paths))
    ]
    columns = ["name", "version", "hash", "description", "path"]
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table(columns, rows)


@prompts.command()
@click.argument("name")
@folder_option
@json_option
def show(name: str, prompts_dir: Path | None, as_json: bool) -> None:
    """Show one prompt: its inputs and its text."""
    prompt = _prompts(prompts_dir).get(name)
    if as_json:
        sections = [{"role": role, "text": text} for role, text in prompt.sections]
        print_json(
            {
                "name": prompt.name,
                "path": str(prompt.path),
                "hash": prompt.hash,
                **prompt.header.model_dump(),
                "sections": sections,
            }
        )
    else:
        click.echo(prompt.path.read_text(encoding="utf-8"))


def _prompts(first: Path | None) -> Prompts:
    from agentkit.prompts import Prompts, search_folders

    return Prompts(search_folders(settings().folder, [g.spec.folder for g in plugins().prompts], first))
