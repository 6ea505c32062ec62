"""`agentkit ml`: what a person says about trained models."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import click

from agentkit.cli.common import json_option, plugins, print_json, settings

if TYPE_CHECKING:
    from agentkit_ml.registry.tracking import Tracking


@click.group()
def ml() -> None:
    """Promote trained models and read their cards.

    \b
    Examples:
      agentkit ml promote model:churn/3
      agentkit ml card model:churn@champion
    """


@ml.command()
@click.argument("model")
@json_option
def promote(model: str, as_json: bool) -> None:
    """Make a version the champion of its name: what model:NAME@champion means from now on.

    \b
    Examples:
      agentkit ml promote model:churn/3
      agentkit ml promote model:churn@challenger --json
    """
    from agentkit_ml.registry.aliases import promote as make_champion

    with _tracking() as tracking:
        found = tracking.model(model)
        before = make_champion(tracking, found.handle)
    if as_json:
        print_json({"champion": str(found.handle), "before": None if before is None else str(before)})
        return
    was = f" Before it was {before}: `agentkit ml promote {before}` goes back." if before else ""
    click.echo(f"{found.handle} is the champion.{was}")


@ml.command()
@click.argument("model")
def card(model: str) -> None:
    """Print the model card: what it predicts, how good, its limits, and how to use it (Markdown)."""
    with _tracking() as tracking:
        click.echo(tracking.model(model).card())


@contextmanager
def _tracking() -> Iterator[Tracking]:
    from agentkit.calls import CallContext, Services
    from agentkit_ml.registry.tracking import Tracking

    with closing(Services(settings(), plugins=plugins())) as services:
        yield Tracking(CallContext(services))
