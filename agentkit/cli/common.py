"""What several commands share: settings and plugins of this folder, JSON on stdout, tables."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import click

from agentkit.settings import Settings, load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from agentkit.agent import Agent
    from agentkit.plugins import Plugins

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON for programs, and nothing else, on stdout."
)
yes_option = click.option("--yes", "-y", is_flag=True, help="Approve every call that would ask, except denied ones.")
model_option = click.option(
    "--model", "-m", help="provider:name, such as openai:gpt-5.5, local or http://HOST/v1#NAME."
)


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of the current folder. What is not trusted is said once on stderr."""
    loaded = load_settings()
    if loaded.untrusted:
        names = ", ".join(loaded.untrusted)
        click.echo(f"agentkit: agentkit.toml: {names} ignored until you run `agentkit trust`", err=True)
    return loaded


@lru_cache(maxsize=1)
def plugins() -> Plugins:
    """The plugins of the current folder."""
    from agentkit.plugins import Plugins

    return Plugins(settings())


def make_agent(model: str | None = None, prompts: Path | None = None) -> Agent:
    """The agent of the current folder. `prompts` is a folder that is searched for prompt files first."""
    from agentkit.agent import Agent

    return Agent(model, settings=settings(), plugins=plugins(), prompts=prompts)


class ProgressLine:
    """How far the work is, on stderr: one line that changes on a terminal, a line each elsewhere."""

    def __init__(self) -> None:
        self._shown = False

    def tell(self, message: str, fraction: float | None = None) -> None:
        """Show this now; `fraction` from 0 to 1."""
        text = f"  {'' if fraction is None else f'{fraction:4.0%} '}{message}"
        if sys.stderr.isatty():
            width = shutil.get_terminal_size().columns - 1
            click.echo(f"\r\x1b[2K{text[:width]}", err=True, nl=False)
            self._shown = True
        else:
            click.echo(text, err=True)

    def clear(self) -> None:
        """Make place for other lines."""
        if self._shown:
            click.echo("\r\x1b[2K", err=True, nl=False)
            self._shown = False


def keep_history(file: Path) -> None:
    """Arrow keys, and a file without secrets of what was typed in earlier sessions, where Python has readline."""
    try:
        import atexit
        import readline
    except ImportError:
        return
    from agentkit.redaction import redact

    # a history that cannot be read or written is no reason not to talk
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        readline.read_history_file(file)

    def save() -> None:
        with suppress(OSError):
            readline.write_history_file(file)
            file.write_text(redact(file.read_text(encoding="utf-8")), encoding="utf-8")

    atexit.register(save)


def print_json(value: Any) -> None:
    """One JSON value on stdout."""
    import json

    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Rows under headings, columns aligned; cells that are long or several lines are cut."""
    cells = [[_cell(v) for v in row] for row in rows]
    widths = [max([len(c), *(len(row[i]) for row in cells)]) for i, c in enumerate(columns)]
    for row in [[c.upper() for c in columns], *cells]:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    text = "" if value is None else " ".join(str(value).split())
    return text if len(text) <= 90 else text[:87] + "..."
