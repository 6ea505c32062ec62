"""`agentkit new`: write the beginning of a plugin."""

from __future__ import annotations

import re
from pathlib import Path
from string import Template

import click

from agentkit import __version__
from agentkit.errors import BadInput

TEMPLATE = Path(__file__).parent / "plugin_template"
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")


@click.command()
@click.option("--plugin", "name", metavar="NAME", required=True, help="The plugin's name, such as weather.")
@click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), help="Where it goes (default agentkit-NAME/)."
)
def new(name: str, folder: Path | None) -> None:
    """Write a new plugin: a small package with one tool, tests that pass, and a README.

    \b
    Examples:
      agentkit new --plugin weather
      agentkit new --plugin weather --folder plugins/weather
    """
    values = _values(name)
    target = folder or Path(values["distribution"])
    if target.exists() and any(target.iterdir()):
        raise BadInput(f"the folder {str(target)!r} is not empty: choose another with --folder.")
    _write(target, values)
    click.echo(target)
    click.echo(
        f"Next: cd {target} && pip install -e . && python -m pytest, then agentkit tool {values['tool']} --help",
        err=True,
    )


def _values(name: str) -> dict[str, str]:
    """What the template is filled with. Raises BadInput for a name that cannot be used."""
    from importlib.util import find_spec

    from agentkit.entry_points import entry_points

    if not _NAME.fullmatch(name):
        raise BadInput(f"{name!r} cannot be a plugin's name: lower-case letters, digits, - and _, at most 40.")
    plain = name.replace("-", "_")
    package = f"agentkit_{plain}"
    if find_spec(package) or name in {entry.name for entry in entry_points("agentkit")}:
        raise BadInput(f"there is a plugin {name!r} already: choose another name.")
    distribution = f"agentkit-{name.replace('_', '-')}"
    version = ".".join(__version__.split(".")[:2])
    return {
        "name": name,
        "package": package,
        "distribution": distribution,
        "tool": f"{plain}_count",
        "version": version,
    }


def _write(target: Path, values: dict[str, str]) -> None:
    names = {"package": values["package"], "gitignore": ".gitignore"}
    for source in sorted(TEMPLATE.rglob("*.tmpl")):
        parts = source.relative_to(TEMPLATE).with_suffix("").parts
        file = target.joinpath(*(names.get(part, part) for part in parts))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(Template(source.read_text(encoding="utf-8")).substitute(values), encoding="utf-8")
