"""`agentkit chat`: talk to the agent, one message or a conversation."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from agentkit.cli.common import (
    ProgressLine,
    json_option,
    keep_history,
    make_agent,
    model_option,
    print_json,
    settings,
    yes_option,
)
from agentkit.cli.models import offer_embedded
from agentkit.errors import AgentkitError, ApprovalRequired, BadInput, BudgetExceeded
from agentkit.redaction import redact

if TYPE_CHECKING:
    from agentkit.agent import Agent
    from agentkit.events import ApprovalNeeded, Event
    from agentkit.runs import Answer, Reply

HELP = "/exit ends, /thread shows the thread's id, /new starts another thread, /help shows this"


@click.command()
@click.argument("message", required=False)
@click.option("--continue", "-c", "continued", is_flag=True, help="Go on with the thread used last.")
@click.option("--thread", "-t", help="Go on with this thread.")
@click.option("--resume", is_flag=True, help="Finish a run of the thread that waits for approval or was cut off.")
@model_option
@yes_option
@json_option
def chat(
    message: str | None, continued: bool, thread: str | None, resume: bool, model: str | None, yes: bool, as_json: bool
) -> int:
    """Talk to the agent. With a MESSAGE it answers and ends; `-` reads the message from stdin.

    \b
    Examples:
      agentkit chat
      agentkit chat "Train a model on churn.csv that predicts churned"
      agentkit chat -c "And how good is it on may.csv?"
      agentkit chat "Write predictions for may.csv to out.csv" --yes --json
      agentkit chat --thread 3f2a91c04b77 --resume --yes
    """
    if message == "-":
        message = sys.stdin.read()
    if not (message or resume or sys.stdin.isatty()):
        raise BadInput("there is no terminal to talk on: give a MESSAGE, or `-` to read it from stdin.")
    with make_agent(model) as agent:
        offer_embedded(agent.services)
        thread = agent.threads.latest() if continued and not thread else thread
        if resume and not thread:
            thread = agent.threads.latest()
        if as_json:
            return _answer_json(agent, message, thread, resume, yes)
        if message or resume:
            return _answer(agent, message, thread, resume, yes)
        return _converse(agent, thread, yes)


def _answer_json(agent: Agent, message: str | None, thread: str | None, resume: bool, yes: bool) -> int:
    try:
        reply = agent.resume(str(thread), yes=yes) if resume else agent.ask(message or "", thread=thread, yes=yes)
    except BudgetExceeded as error:
        if error.reply:
            print_json(error.reply.as_json() | {"stopped": str(error)})
        raise
    print_json(reply.as_json())
    if reply.pending:
        raise ApprovalRequired(_how_to_resume(reply))
    return 0


def _answer(agent: Agent, message: str | None, thread: str | None, resume: bool, yes: bool) -> int:
    events = (
        agent.resume_stream(str(thread), yes=yes) if resume else agent.stream(message or "", thread=thread, yes=yes)
    )
    reply = Screen().show(events)
    while reply.pending:
        if not sys.stdin.isatty():
            raise ApprovalRequired(_how_to_resume(reply))
        reply = Screen().show(agent.resume_stream(reply.thread_id, {p.call_id: _ask_person(p) for p in reply.pending}))
    return 0


def _converse(agent: Agent, thread: str | None, yes: bool) -> int:
    keep_history(settings().home / "chat_history")
    click.echo(f"agentkit with {redact(agent.services.model_name)}. {HELP}.", err=True)
    while True:
        try:
            said = input("\nyou> ").strip()
        except EOFError:
            click.echo()
            return 0
        if said in ("/exit", "/quit"):
            return 0
        if said == "/thread":
            click.echo(thread or "no thread yet")
        elif said == "/new":
            thread = None
        elif said.startswith("/"):
            click.echo(HELP)
        elif said:
            thread = _turn(agent, said, thread, yes)


def _turn(agent: Agent, said: str, thread: str | None, yes: bool) -> str | None:
    """One exchange. An error or Ctrl-C ends the turn, not the conversation."""
    screen = Screen()
    try:
        reply = screen.show(agent.stream(said, thread=thread, yes=yes))
        while reply.pending:
            reply = screen.show(
                agent.resume_stream(reply.thread_id, {p.call_id: _ask_person(p) for p in reply.pending})
            )
    except KeyboardInterrupt:
        click.echo("\n(interrupted; what was finished is kept)", err=True)
    except AgentkitError as error:
        click.echo(f"agentkit: {error}", err=True)
    else:
        return reply.thread_id
    rows = agent.threads.recent(1)
    return thread or (rows[0]["thread_id"] if rows else None)


class Screen:
    """Shows a run as it happens: the answer on stdout, everything else on stderr."""

    def __init__(self) -> None:
        self._in_text = False
        self._progress = ProgressLine()

    def show(self, events: Iterator[Event]) -> Reply:
        """Print the events until the run ends, and give its reply."""
        from agentkit import events as kinds

        try:
            for event in events:
                if isinstance(event, kinds.ToolProgress):
                    self._end_text()
                    self._progress.tell(event.message, event.fraction)
                    continue
                self._progress.clear()
                if isinstance(event, kinds.TextDelta):
                    click.echo(event.text, nl=False)
                    self._in_text = True
                elif isinstance(event, kinds.Finished):
                    self._end_text()
                    return event.reply
                else:
                    self._end_text()
                    self._aside(event)
        finally:
            self._progress.clear()
        raise BudgetExceeded("the run ended without a reply.")

    def _aside(self, event: Event) -> None:
        from agentkit import events as kinds

        if isinstance(event, kinds.ToolStarted):
            args = ", ".join(f"{k}={json.dumps(v, ensure_ascii=False)}" for k, v in event.args.items())
            click.secho(f"> {event.name}({args})", err=True, fg="cyan")
        elif isinstance(event, kinds.ToolFinished):
            color = "green" if event.status == "success" else "red"
            click.secho(
                f"  {'done' if event.status == 'success' else 'failed'} in {event.seconds:.1f} s", err=True, fg=color
            )
            for line in event.brief.splitlines():
                click.secho(f"  {line}", err=True, dim=True)
        elif isinstance(event, kinds.Notice):
            click.secho(f"note: {event.message}", err=True, fg="yellow")

    def _end_text(self) -> None:
        if self._in_text:
            click.echo()
            self._in_text = False


def _ask_person(needed: ApprovalNeeded) -> Answer:
    from agentkit.runs import Answer

    click.secho(f"{needed.name} wants to run ({needed.reason}):", err=True, fg="yellow")
    click.echo(json.dumps(needed.args, indent=2, ensure_ascii=False), err=True)
    choice = click.prompt(
        "Run it? [y]es, [n]o, [e]dit", type=click.Choice(["y", "n", "e"]), show_choices=False, err=True
    )
    if choice == "y":
        return Answer("approve")
    if choice == "n":
        return Answer("refuse", message=click.prompt("Why (for the model)", default="", show_default=False, err=True))
    while True:
        try:
            return Answer(
                "edit", json.loads(click.prompt("Arguments as JSON", default=json.dumps(needed.args), err=True))
            )
        except ValueError as error:
            click.echo(f"that is not JSON: {error}", err=True)


def _how_to_resume(reply: Reply) -> str:
    names = ", ".join(p.name for p in reply.pending)
    return (
        f"{names} needs your approval: `agentkit chat --thread {reply.thread_id} --resume --yes` runs it,"
        " or give --yes from the start."
    )
