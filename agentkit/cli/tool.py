"""`agentkit tool NAME` calls a tool directly; `agentkit tools` lists them."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from agentkit.cli.common import ProgressLine, json_option, plugins, print_json, print_table, settings
from agentkit.errors import ToolInputError

if TYPE_CHECKING:
    from agentkit.results import Artifact, ToolResult
    from agentkit.toolbox import Tool


class ToolCommands(click.Group):
    """One command per tool, its options made from the tool's own schema."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(plugins().tools)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        from agentkit.toolbox import Toolbox

        return _command(Toolbox(plugins()).get(cmd_name))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Tools"):
            formatter.write_dl([(name, given.spec.summary) for name, given in plugins().tools.items()])


@click.group(cls=ToolCommands, options_metavar="")
def tool() -> None:
    """Call a tool directly, with no model involved.

    \b
    Examples:
      agentkit tool train --dataset churn.csv --target churned --budget-seconds 30
      agentkit tool evaluate --model model:churn/1 --dataset may.csv --json
      agentkit tool train --help
    """


@click.command()
@json_option
def tools(as_json: bool) -> None:
    """List the tools that the plugins offer.

    \b
    Examples:
      agentkit tools
      agentkit tools --json
    """
    if as_json:
        from agentkit.toolbox import Toolbox

        print_json([t.describe() for t in Toolbox(plugins())])
        return
    print_table(
        ["name", "risk", "plugin", "summary"],
        [(n, g.spec.risk, g.plugin, g.spec.summary) for n, g in plugins().tools.items()],
    )


def _command(loaded: Tool) -> click.Command:
    schema = loaded.schema
    required = set(schema.get("required", ()))
    options = [_option(name, field, name in required) for name, field in schema["properties"].items()]
    as_json = click.Option(["--json", "as_json"], is_flag=True, help="Print the whole result as JSON.")
    return click.Command(
        loaded.name,
        params=[*options, as_json],
        callback=_caller(loaded),
        help=loaded.function.__doc__ or loaded.spec.summary,
    )


def _option(name: str, field: dict[str, Any], required: bool) -> click.Option:
    kind = _kind(field)
    flags = [f"--{name}"] + ([f"--{name.replace('_', '-')}"] if "_" in name else [])
    help_text = field.get("description", "")
    if not required and field.get("default") not in (None, [], ""):
        help_text += f" [default: {field['default']}]"
    if kind.get("type") == "boolean":
        return click.Option(["/".join([flags[-1], f"--no-{flags[-1][2:]}"]), name], default=None, help=help_text)
    choice = click.Choice([str(c) for c in kind["enum"]]) if "enum" in kind else click.STRING
    return click.Option(
        [*flags, name], required=required, multiple=kind.get("type") == "array", type=choice, help=help_text
    )


def _kind(field: dict[str, Any]) -> dict[str, Any]:
    """The one type that matters to the command line: of `T | None` it is T."""
    return next((f for f in field.get("anyOf", []) if f.get("type") != "null"), field)


def _caller(loaded: Tool) -> Any:
    properties = loaded.schema["properties"]

    def call(as_json: bool, **given: Any) -> None:
        args = {
            name: _parsed(name, value, properties[name]) for name, value in given.items() if value not in (None, ())
        }
        from agentkit.calls import Services, call_directly

        line = ProgressLine()
        with closing(Services(settings(), plugins=plugins())) as services:
            try:
                result = call_directly(loaded.name, args, services, line.tell)
            finally:
                line.clear()
        if as_json:
            print_json(result.model_dump(mode="json"))
        else:
            show_result(result)

    return call


def _parsed(name: str, value: Any, field: dict[str, Any]) -> Any:
    kind = _kind(field).get("type")
    if kind == "array":
        return [part.strip() for item in value for part in item.split(",") if part.strip()]
    if kind == "object":
        import json

        try:
            return json.loads(value)
        except ValueError as error:
            raise ToolInputError(f"--{name} must be a JSON object: {error}") from error
    return value


def show_result(result: ToolResult) -> None:
    """The brief, then the artifacts as people look at them."""
    click.echo(result.message())
    for artifact in result.artifacts:
        _show_artifact(artifact)


def _show_artifact(artifact: Artifact) -> None:
    click.echo()
    if artifact.kind == "table":
        if artifact.title:
            click.echo(artifact.title)
        print_table(artifact.columns, artifact.rows)
    else:
        click.echo(f"{artifact.kind}: {getattr(artifact, 'path', '') or getattr(artifact, 'source', '')}")
