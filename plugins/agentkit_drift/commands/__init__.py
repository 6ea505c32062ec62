"""`agentkit drift`: check, watch, and look at what was found."""

from __future__ import annotations

import click

from agentkit_drift.commands import checking, looking, watching


@click.group()
def drift() -> None:
    """Find out whether data or a model's answers have drifted, once or on a schedule.

    \b
    Examples:
      agentkit drift check may.csv june.csv
      agentkit drift check model:churn june.csv --html drift.html
      agentkit drift profile may.csv --output may.profile.parquet
      agentkit drift watch churn-watch.toml
      agentkit drift history churn-watch
    """


for command in (checking.check, checking.profile, looking.report, watching.watch, looking.history):
    drift.add_command(command)
