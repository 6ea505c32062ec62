"""The command line: one file per command, each imported when it is used."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import Any

import click

from agentkit import __version__
from agentkit.errors import AgentkitError

COMMANDS = {
    "chat": ("agentkit.cli.chat:chat", "Talk to the agent."),
    "run": ("agentkit.cli.run:run", "Run a prompt file with the agent."),
    "tool": ("agentkit.cli.tool:tool", "Call a tool directly, with no model involved."),
    "tools": ("agentkit.cli.tool:tools", "List the tools that the plugins offer."),
    "eval": ("agentkit.cli.eval:evaluate", "Run an evaluation."),
    "models": ("agentkit.cli.models:models", "List the chat models, and fetch or check the embedded one."),
    "plugins": ("agentkit.cli.plugins:plugins_command", "List the plugins: OK, DISABLED or FAILED with the cause."),
    "prompts": ("agentkit.cli.prompts:prompts", "Look at the prompt files."),
    "threads": ("agentkit.cli.threads:threads", "List, export and delete stored conversations."),
    "traces": ("agentkit.cli.traces:traces", "Look at traced runs in the local store."),
    "new": (
        "agentkit.cli.new:new",
        "Write a new plugin: a small package with one tool, tests that pass, and a README.",
    ),
    "doctor": ("agentkit.cli.doctor:doctor", "Check this installation and folder."),
    "trust": ("agentkit.cli.trust:trust", "Allow what agentkit.toml of this folder would run, open or send elsewhere."),
    "demo": ("agentkit.cli.demo:demo", "The guided tour on real data."),
}
"""Name -> import string and the line that `agentkit --help` shows without importing the command."""


class Commands(click.Group):
    """Built-in commands by import string, then those of plugins."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *sorted(_plugin_commands())]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        from agentkit.specs import resolve

        target = COMMANDS[cmd_name][0] if cmd_name in COMMANDS else _plugin_commands().get(cmd_name)
        return resolve(target) if target else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])
        if theirs := _plugin_commands():
            with formatter.section("Commands of plugins"):
                formatter.write_dl([(name, _summary(target)) for name, target in sorted(theirs.items())])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        from agentkit.errors import suggest

        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise click.UsageError(f"there is no command {args[0]!r}.{suggest(args[0], self.list_commands(ctx))}", ctx)
        return super().resolve_command(ctx, args)


def _plugin_commands() -> dict[str, str]:
    from agentkit.cli.common import plugins

    return {name: given.spec for name, given in plugins().commands.items()}


def _summary(target: str) -> str:
    """The first sentence of a command's docstring, read from its file: importing it could take seconds."""
    import ast
    from importlib.util import find_spec

    module, _, name = target.partition(":")
    try:
        found = find_spec(module)
        tree = ast.parse(Path(found.origin or "").read_text(encoding="utf-8")) if found else ast.Module([], [])
    except (ImportError, OSError, SyntaxError, ValueError):
        return target
    made = (n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name)
    text = next((ast.get_docstring(function) for function in made), None)
    return text.partition("\n")[0] if text else target


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="agentkit")
@click.option("--debug", is_flag=True, envvar="AGENTKIT_DEBUG", help="Show stack traces and library warnings.")
def cli(debug: bool) -> None:
    """An agent for machine learning: train, evaluate, predict and ask, in words or as commands.

    \b
    Start here:
      agentkit demo                                  the guided tour on real data
      agentkit chat "What is in churn.csv?"          talk to the agent
      agentkit tool train --dataset churn.csv --target churned
    """
    if not debug:
        warnings.simplefilter("ignore")


def main() -> None:
    """Run a command. Exit codes: 0 done, 1 it failed, 2 used wrongly or bad input, 130 interrupted."""
    debug = "--debug" in sys.argv[1:2] or os.environ.get("AGENTKIT_DEBUG", "") not in ("", "0")
    sys.exit(_run(debug))


def _run(debug: bool) -> int:
    try:
        done: Any = cli(standalone_mode=False)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("\nagentkit: interrupted", err=True)
        return 130
    except AgentkitError as error:
        if debug:
            raise
        from agentkit.redaction import redact

        click.echo(f"agentkit: {redact(str(error))}", err=True)
        return error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader went away: nothing more to say
        return 1
    except Exception as error:
        if debug:
            raise
        return _unexpected(error)
    return done if isinstance(done, int) else 0


def _unexpected(error: Exception) -> int:
    from agentkit.calls import log_failure
    from agentkit.settings import load_settings

    try:
        text = log_failure(load_settings(), "the command", error)
    except (AgentkitError, OSError):
        text = f"the command failed unexpectedly ({type(error).__name__}); --debug shows where."
    click.echo(f"agentkit: {text}", err=True)
    return 1
