"""`agentkit drift report` and `agentkit drift history`: what was found earlier."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agentkit.cli.common import ProgressLine, json_option, print_json, print_table
from agentkit.errors import BadInput
from agentkit_drift.commands.outcome import at_work, output, page
from agentkit_drift.commands.watching import told

if TYPE_CHECKING:
    from agentkit_drift.checks import Check


@click.command()
@click.argument("source")
@click.argument("html")
@click.option("--figure", help="Draw the worst columns in this .png file, too.")
def report(source: str, html: str, figure: str | None) -> None:
    """Make the HTML report of an earlier check; nothing is computed again.

    SOURCE is a file that `agentkit drift check --json` printed, or a run of a watch: its NAME for the last run, or
    NAME/NUMBER.

    \b
    Examples:
      agentkit drift report result.json drift.html
      agentkit drift report churn-watch drift.html
      agentkit drift report churn-watch/17 drift.html --figure drift.png
    """
    from agentkit_drift.checks import write_outputs

    path, picture = page(html), output(figure, ".png")
    found = _from_file(Path(source)) if Path(source).is_file() else _from_history(source)
    write_outputs(found, html=path, figure=picture)
    click.echo(f"file: {path}")


@click.command()
@click.argument("watch", required=False)
@click.option("--last", type=click.IntRange(1, 100_000), default=20, show_default=True, help="How many runs.")
@click.option("--figure", help="Draw the runs in this .png file.")
@json_option
def history(watch: str | None, last: int, figure: str | None, as_json: bool) -> None:
    """List the runs of a watch, the newest first; without WATCH, the last run of every watch.

    WATCH is its name, or its file.

    \b
    Examples:
      agentkit drift history
      agentkit drift history churn-watch --last 50
      agentkit drift history churn-watch.toml --figure history.png
      agentkit drift history churn-watch --json
    """
    from agentkit_drift.watching.history import History

    picture = output(figure, ".png")
    if picture is not None and watch is None:
        raise click.UsageError("--figure draws one watch: name it.")
    name = watch and _name(watch)
    with at_work("reading the history", ProgressLine()) as (services, _):
        kept = History(services.storage)
        runs = kept.runs(name, last) if name else kept.watches()
        if name and not runs:
            kept.run(name)
    if picture is not None and name is not None:
        from agentkit_drift.reports.figures import Point, draw_history

        points = [Point(r.started_at, r.state, r.drifted_share or 0.0) for r in reversed(runs) if r.state != "failed"]
        draw_history(points, picture, name)
    if as_json:
        print_json([told(r) for r in runs])
        return
    rows = [
        (r.id, r.watch, f"{r.started_at:%Y-%m-%d %H:%M}", r.state, r.drifted_share, r.rows,
         r.error or ", ".join(r.drifted))
        for r in runs
    ]  # fmt: skip
    print_table(["run", "watch", "started", "state", "drifted", "rows", "what"], rows)
    if picture is not None:
        click.echo(f"\nfigure: {picture}")


def _name(watch: str) -> str:
    from agentkit_drift.watching.config import load_watch

    return load_watch(Path(watch)).name if watch.endswith(".toml") and Path(watch).is_file() else watch


def _from_file(path: Path) -> Check:
    from agentkit_drift.checks import Check

    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise BadInput(f"{str(path)!r} is no JSON of `agentkit drift check --json`.") from error
    return Check.from_json(data, str(path))


def _from_history(source: str) -> Check:
    from agentkit_drift.checks import Check
    from agentkit_drift.watching.history import History

    name, _, number = source.partition("/")
    if number and not number.isdigit():
        raise BadInput(f"{source!r} is neither a file nor NAME/NUMBER of a watch's run.")
    with at_work("reading the history", ProgressLine()) as (services, _ctx):
        kept = History(services.storage)
        run = kept.run(name, int(number) if number else None)
        result = kept.result(run)
    if result is None:
        why = run.error or "its result is no longer kept"
        raise BadInput(f"run {run.id} of the watch {name!r} has no report: {why}")
    return Check.from_json(result, source)
