"""`agentkit trust`: let a folder's agentkit.toml run code."""

from __future__ import annotations

import click

from agentkit.cli.common import yes_option
from agentkit.errors import SettingsError
from agentkit.settings import FILE_NAME, load_settings


@click.command()
@yes_option
def trust(yes: bool) -> None:
    """Allow what agentkit.toml of this folder would run, open or send elsewhere.

    Trust holds for the file's present content; a changed file must be trusted again.

    \b
    Examples:
      agentkit trust
      agentkit trust --yes
    """
    from agentkit.trust import trust as remember

    settings = load_settings()
    file = settings.folder / FILE_NAME
    if not file.is_file():
        raise SettingsError(f"there is no {FILE_NAME} in {settings.folder}.")
    if not settings.untrusted:
        click.echo(f"{FILE_NAME} asks for nothing that needs trust, or is trusted already.", err=True)
        return
    content = file.read_bytes()
    click.echo(content.decode(errors="replace"), err=True)
    click.echo(f"This would take effect: {', '.join(settings.untrusted)}.", err=True)
    if not yes:
        click.confirm("Do you trust this file?", abort=True, err=True)
    remember(file, content)
    click.echo(f"trusted {file}", err=True)
