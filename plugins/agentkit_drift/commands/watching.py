"""`agentkit drift watch`."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agentkit.cli.common import ProgressLine, json_option
from agentkit_drift.commands.outcome import at_work, exit_code, fail_on_option

if TYPE_CHECKING:
    from agentkit_drift.watching.history import Run


@click.command()
@click.argument("config", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--once", is_flag=True, help="Check now and end: for cron or a timer.")
@fail_on_option("never")
@json_option
def watch(config: Path, once: bool, fail_on: str, as_json: bool) -> int:
    """Check on a schedule, keep the history, and tell of changes, as the file CONFIG says (docs/drift-watch.md).

    Runs until Ctrl-C, one line a run. Two processes never run the same watch at the same moment.

    \b
    Examples:
      agentkit drift watch churn-watch.toml
      agentkit drift watch churn-watch.toml --once
      agentkit drift watch churn-watch.toml --once --fail-on drift --json
    """
    from agentkit_drift.watching.config import load_watch
    from agentkit_drift.watching.run import Watcher

    found = load_watch(config)
    line = ProgressLine()

    def say(text: str) -> None:
        line.clear()
        click.echo(f"agentkit: {text}", err=True)

    def ended(run: Run) -> None:
        line.clear()
        if as_json:
            click.echo(json.dumps(told(run), ensure_ascii=False))
        else:
            click.echo(one_line(run))

    with _terminated_as_interrupted(), at_work(f"the watch {found.name!r}", line) as (services, ctx):
        watcher = Watcher(found, services, ctx, say)
        if not once:
            say(f"watching {found.current!r} every {found.every_minutes:g} minutes; Ctrl-C ends it.")
            watcher.go_on(ended)
            return 0
        run = watcher.once()
    ended(run)
    if run.state == "failed":
        return 1
    return exit_code(run.state, fail_on)


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """A service manager's SIGTERM ends a watch as Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def told(run: Run) -> dict[str, Any]:
    """A run as plain data."""
    return {
        "watch": run.watch, "run": run.id, "state": run.state, "before": run.before, "changed": run.changed,
        "started_at": run.started_at.isoformat(), "ended_at": run.ended_at.isoformat() if run.ended_at else None,
        "reference": run.reference, "current": run.current, "rows": run.rows, "drifted_share": run.drifted_share,
        "weighted_share": run.weighted_share, "drifted": list(run.drifted), "recommendation": run.recommendation,
        "error": run.error, "mlflow_run": run.mlflow_run,
    }  # fmt: skip


def one_line(run: Run) -> str:
    """A run as one line of a log."""
    change = f" (before: {run.before or 'no run'})" if run.changed else ""
    names = ", ".join(run.drifted[:5]) + (f" and {len(run.drifted) - 5} more" if len(run.drifted) > 5 else "")
    about = run.error or f"{run.current}, {run.rows:,} rows; {'drifted: ' + names if names else 'no column drifted'}"
    return f"{run.started_at:%Y-%m-%d %H:%M:%S} run {run.id} {run.watch}: {run.state.upper()}{change}. {about}"
