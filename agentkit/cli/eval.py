"""`agentkit eval`: run an evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from agentkit.cli.common import json_option, model_option, print_json, print_table
from agentkit.errors import EvaluationError, suggest

if TYPE_CHECKING:
    from agentkit.evaluation import Case, CaseResult

SUITES = Path("evals")


@click.command(name="eval")
@click.argument("suite")
@model_option
@click.option("--only", help="Ids or groups of cases, separated by commas.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Append each result to this file as JSON Lines; a case that stands in it is not run again.",
)
@click.option("--at-least", type=click.FloatRange(0, 1), default=0.0, help="Exit with 1 below this share of passes.")
@json_option
def evaluate(suite: str, model: str | None, only: str | None, out: Path | None, at_least: float, as_json: bool) -> int:
    """Run an evaluation. SUITE is a folder with a suite.yaml, or its name in evals/.

    Each case is a conversation in a fresh workspace; every call is approved.

    \b
    Examples:
      agentkit eval agent
      agentkit eval agent --model openai:gpt-5.5 --out results.jsonl
      agentkit eval agent --only memory,train-1 --json
      agentkit eval evals/agent --at-least 0.9
    """
    from agentkit.evaluation import load_suite, run_case, shares

    folder = Path(suite) if Path(suite).is_dir() else SUITES / suite
    found, cases = load_suite(folder)
    chosen = _chosen(cases, only)
    earlier = _earlier(out)
    results = []
    for number, case in enumerate(chosen, 1):
        result = earlier.get(case.id) or run_case(case, folder / found.files, model)
        if out and case.id not in earlier:
            with out.open("a", encoding="utf-8") as file:
                file.write(result.model_dump_json() + "\n")
        results.append(result)
        verdict = click.style("pass", fg="green") if result.passed else click.style("FAIL", fg="red")
        click.echo(f"{number}/{len(chosen)} {verdict} {case.id} ({result.seconds:.1f} s)  {result.why}", err=True)
    table = shares(results)
    passed, count = table["all"]
    if as_json:
        print_json({"passed": passed, "cases": count, "results": [r.model_dump() for r in results]})
    else:
        print_table(["about", "passed", "of"], [(about, *row) for about, row in table.items()])
    return 0 if passed >= at_least * count else 1


def _chosen(cases: list[Case], only: str | None) -> list[Case]:
    wanted = [w.strip() for w in only.split(",")] if only else []
    known = {c.id for c in cases} | {c.about for c in cases}
    for name in wanted:
        if name not in known:
            raise EvaluationError(f"there is no case or group {name!r}.{suggest(name, known)}")
    return [c for c in cases if not wanted or c.id in wanted or c.about in wanted]


def _earlier(out: Path | None) -> dict[str, CaseResult]:
    """The results that a run which was cut off left in the file."""
    from pydantic import ValidationError

    from agentkit.evaluation import CaseResult

    if out is None or not out.exists():
        return {}
    try:
        results = [
            CaseResult.model_validate_json(line) for line in out.read_text(encoding="utf-8").splitlines() if line
        ]
    except (ValidationError, UnicodeDecodeError) as error:
        raise EvaluationError(f"{out} holds something else than results; name another file for --out.") from error
    return {r.id: r for r in results}
