"""`agentkit drift check` and `agentkit drift profile`."""

from __future__ import annotations

import click

from agentkit.cli.common import ProgressLine, json_option, print_json
from agentkit_drift.commands.outcome import at_work, exit_code, fail_on_option, output, page

_PLAIN = "-"


@click.command()
@click.argument("reference")
@click.argument("current")
@click.option("--columns", "-c", multiple=True, help="Only these columns; repeated or separated by commas.")
@click.option("--method", type=click.Choice(["auto", "exact", "profile"]), default="auto", show_default=True,
              help="exact: all values; profile: little memory, bounded error.")  # fmt: skip
@click.option("--time-column", help="Column of dates in CURRENT: since when?")
@click.option(
    "--model", "-m", help="Check what this model says of CURRENT, too; a model as REFERENCE is checked anyway."
)
@click.option("--predictions/--no-predictions", default=None, help="Check what the model says, or do not.")
@click.option("--html", help="Write a report to this .html file.")
@click.option("--figure", help="Draw the worst columns in this .png file.")
@click.option("--prometheus", help="Write metrics to this file; - prints them instead of the findings.")
@fail_on_option("drift")
@json_option
def check(
    reference: str, current: str, columns: tuple[str, ...], method: str, time_column: str | None, model: str | None,
    predictions: bool | None, html: str | None, figure: str | None, prometheus: str | None, fail_on: str, as_json: bool,
) -> int:  # fmt: skip
    """Compare the data set CURRENT with REFERENCE: a data set, a saved profile, or a model.

    Of a model, its training data are the reference, and its answers for CURRENT are checked, too. Exit codes: 0 no
    drift, 3 drift (--fail-on watch: also something to look at; never: 0 always), 1 it failed, 2 bad input.

    \b
    Examples:
      agentkit drift check may.csv june.csv
      agentkit drift check model:churn june.csv --html drift.html --fail-on watch
      agentkit drift check may.parquet "sql:SELECT * FROM orders WHERE month = 6" --json
      agentkit drift check may.csv june.csv --time-column day --prometheus drift.prom
    """
    from agentkit_drift.checks import Question, run_check, write_outputs

    if as_json and prometheus == _PLAIN:
        raise click.UsageError("--json and --prometheus - both print to stdout: choose one.")
    asked = Question(
        reference, current, [n for c in columns for n in _names(c)] or None, method, time_column, predictions, model
    )
    _ = asked.asked_model
    report, picture = page(html), output(figure, ".png")
    metrics = None if prometheus in (None, _PLAIN) else output(prometheus)
    with at_work("the check", ProgressLine()) as (_, ctx):
        found = run_check(asked, ctx)
        write_outputs(found, html=report, figure=picture, prometheus=metrics)
    if as_json:
        print_json(found.as_json())
    elif prometheus == _PLAIN:
        from agentkit_drift.reports.prometheus import prometheus_text

        click.echo(prometheus_text(found.drift, found.predictions), nl=False)
    else:
        click.echo(found.brief())
        for path in filter(None, [report, picture, metrics]):
            click.echo(f"\nfile: {path}")
    return exit_code(found.verdict, fail_on)


@click.command()
@click.argument("data", nargs=-1, required=True)
@click.option("--output", "-o", "name", required=True, help="The .parquet file to write.")
def profile(data: tuple[str, ...], name: str) -> None:
    """Save a profile of DATA, to compare later data with; several data sets or profiles become one.

    \b
    Examples:
      agentkit drift profile may.csv --output may.profile.parquet
      agentkit drift profile monday.parquet tuesday.parquet --output week.profile.parquet
      agentkit drift check week.profile.parquet june.csv
    """
    from agentkit_drift.compare import opened_data
    from agentkit_drift.profile_file import DriftProfile, merged_profile, profile_of
    from agentkit_drift.sources import opening

    path = output(name, ".parquet", ".pq")
    assert path is not None
    line = ProgressLine()
    made: list[DriftProfile] = []
    with at_work("the profile", line) as (_, ctx):
        for number, each in enumerate(data):
            ctx.progress(f"Reading {each}", number / len(data))
            with opening() as opened:
                found = opened_data(ctx.dataset(each), opened)
                made.append(found if isinstance(found, DriftProfile) else profile_of(found))
        merged = made[0] if len(made) == 1 else merged_profile(made, path.stem)
        merged.save(path)
    click.echo(f"{path}: {merged.rows:,} rows, {len(merged.columns)} columns.")


def _names(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
