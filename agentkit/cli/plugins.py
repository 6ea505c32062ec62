"""`agentkit plugins`: what was loaded, and what failed."""

from __future__ import annotations

import click

from agentkit.cli.common import json_option, plugins, print_json


@click.command(name="plugins")
@click.option("--timing", is_flag=True, help="Show how long each plugin took to load.")
@json_option
def plugins_command(timing: bool, as_json: bool) -> None:
    """List the plugins: OK, DISABLED or FAILED with the cause.

    \b
    Examples:
      agentkit plugins
      agentkit plugins --timing
    """
    reports = plugins().reports.values()
    if as_json:
        print_json(
            [
                {
                    "name": r.name,
                    "status": r.status,
                    "version": r.version,
                    "origin": r.origin,
                    "cause": r.cause,
                    "seconds": round(r.seconds, 4),
                }
                for r in reports
            ]
        )
        return
    for r in reports:
        took = f"  {r.seconds * 1000:7.1f} ms" if timing else ""
        click.echo(f"{r.status:8}  {r.name}  {r.version}{took}  ({r.origin})" + (f"  {r.cause}" if r.cause else ""))
