"""`agentkit units`."""

from __future__ import annotations

import click

from agentkit_units.convert import UNITS


@click.command()
@click.option("--kind", type=click.Choice(list(UNITS)), help="Only units of this kind.")
def units(kind: str | None) -> None:
    """List the units that convert_units knows."""
    for name, known in UNITS.items():
        if kind in (None, name):
            click.echo(f"{name}: {', '.join(known)}")
