"""What the commands of drift share: services of the current folder, exit codes, output files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agentkit.cli.common import ProgressLine, plugins, settings
from agentkit.errors import BadInput

if TYPE_CHECKING:
    from agentkit.calls import CallContext, Services
    from agentkit_drift.result import Verdict

DRIFTED = 3
"""The exit code of a check that found what `--fail-on` names."""

_REACHED = {"never": (), "drift": ("drift",), "watch": ("watch", "drift")}


def fail_on_option(default: str) -> Callable[[Any], Any]:
    """`--fail-on`, with the default of the command."""
    return click.option(
        "--fail-on",
        type=click.Choice(["drift", "watch", "never"]),
        default=default,
        show_default=True,
        help=f"Exit with {DRIFTED} from this verdict on.",
    )


def exit_code(verdict: Verdict, fail_on: str) -> int:
    """0, or DRIFTED if the verdict is what `--fail-on` names or graver."""
    return DRIFTED if verdict in _REACHED[fail_on] else 0


@contextmanager
def at_work(what: str, line: ProgressLine) -> Iterator[tuple[Services, CallContext]]:
    """Services and a context of calls, with progress on stderr; Ctrl-C stops the work that goes on."""
    from agentkit.calls import CallContext, Services, guarded

    with closing(Services(settings(), plugins=plugins())) as services:
        ctx = CallContext(services, on_progress=line.tell)
        try:
            with guarded(services.settings, what, ctx.cancelled):
                yield services, ctx
        finally:
            line.clear()


def output(name: str | None, *suffixes: str) -> Path | None:
    """A file to write, its ending and folder checked before the work begins. Raises BadInput."""
    if name is None:
        return None
    path = Path(name).expanduser()
    if suffixes and path.suffix.lower() not in suffixes:
        raise BadInput(f"{name!r} must end in {' or '.join(suffixes)}.")
    if path.is_dir():
        raise BadInput(f"{name!r} is a folder. Name a file in it.")
    if not path.parent.is_dir():
        raise BadInput(f"{name!r}: there is no folder {str(path.parent)!r}. Make it first.")
    return path


def page(name: str | None) -> Path | None:
    """An HTML file to write. Raises BadInput also if a file is there that is no report."""
    from agentkit.pages import is_page

    path = output(name, ".html", ".htm")
    if path is not None and path.exists() and not is_page(path):
        raise BadInput(f"{name!r} is there already and is no report of agentkit. Give another name.")
    return path
