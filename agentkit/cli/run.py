"""`agentkit run`: run a prompt file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from agentkit.cli.common import json_option, make_agent, model_option, print_json, yes_option
from agentkit.cli.models import offer_embedded
from agentkit.errors import ApprovalRequired, PromptError


@click.command()
@click.argument("prompt")
@click.option(
    "--input",
    "-i",
    "inputs",
    multiple=True,
    metavar="KEY=VALUE",
    help="An input of the prompt; KEY=@FILE reads a file.",
)
@click.option(
    "--prompts-dir", type=click.Path(file_okay=False, exists=True, path_type=Path), help="Search this folder first."
)
@model_option
@yes_option
@json_option
def run(
    prompt: str, inputs: tuple[str, ...], prompts_dir: Path | None, model: str | None, yes: bool, as_json: bool
) -> None:
    """Run a prompt file with the agent.

    PROMPT is a name (`agentkit prompts list`) or a file NAME.prompt.md.

    \b
    Examples:
      agentkit run weekly-report -i dataset=churn.csv
      agentkit run prompts/weekly-report.prompt.md -i dataset=churn.csv --json
    """
    from agentkit.prompts import read_prompt

    with make_agent(model, prompts_dir) as agent:
        offer_embedded(agent.services)
        chosen = read_prompt(Path(prompt)) if prompt.endswith(".prompt.md") else agent.services.prompts.get(prompt)
        types = {name: spec.type for name, spec in chosen.header.inputs.items()}
        values = dict(_value(item, types) for item in inputs)
        reply = agent.run(chosen, values, yes=yes)
    if as_json:
        print_json(reply.as_json())
    else:
        click.echo(reply.text)
    if reply.pending:
        raise ApprovalRequired(f"the run needs approval: `agentkit chat --thread {reply.thread_id} --resume --yes`.")


def _value(item: str, types: dict[str, Any]) -> tuple[str, Any]:
    """KEY=VALUE as the prompt's declared type wants it."""
    import json

    key, equals, text = item.partition("=")
    if not equals:
        raise PromptError(f"-i {item!r} is not of the form KEY=VALUE.")
    if text.startswith("@"):
        try:
            text = Path(text[1:]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise PromptError(f"-i {key}: {text[1:]!r} cannot be read: {error}") from error
    if types.get(key, "string") == "string":
        return key, text
    try:
        return key, json.loads(text)
    except ValueError as error:
        raise PromptError(f"-i {key}: {text!r} is not a {types[key]}.") from error
