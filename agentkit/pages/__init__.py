"""Reports as one HTML file that needs nothing else: no script, no network, pictures inside.

Everything that comes from data (names, cells, labels) is escaped by the templates; a policy in the page forbids scripts
and addresses as a second lock. A plugin's template extends `page.html.jinja` and fills its block `body`.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agentkit.errors import WorkspaceError

_MARK = '<meta name="generator" content="agentkit">'
_BASE = Path(__file__).parent


def render(
    template: Path,
    title: str,
    *,
    filters: Mapping[str, Callable[..., Any]],
    made: datetime | None = None,
    **values: Any,
) -> str:
    """The page of a template; `made`: when, now by default. A name that the template misspells is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from agentkit import __version__

    pages = Environment(
        loader=FileSystemLoader([template.parent, _BASE]), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    pages.filters |= filters
    return pages.get_template(template.name).render(
        title=title, mark=_MARK, version=__version__, made=made or datetime.now(UTC), **values
    )


def write_page(path: Path, text: str) -> Path:
    """Write a file that appears when it is complete; its folder is made. Raises WorkspaceError if it cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        number, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(number, "w", encoding="utf-8") as file:
                file.write(text)
            Path(scratch).chmod(0o644)
            Path(scratch).replace(path)
        finally:
            Path(scratch).unlink(missing_ok=True)
    except OSError as error:
        raise WorkspaceError(f"the report {str(path)!r} cannot be written: {error.strerror}.") from error
    return path


def is_page(path: Path) -> bool:
    """True for a page that was rendered here: only such a file may be replaced without asking."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return _MARK in file.read(2_000)
    except OSError:
        return False
