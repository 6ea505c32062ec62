"""`agentkit demo`: the guided tour, on a real data set, with the agent at work."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agentkit.cli.common import model_option
from agentkit.cli.models import offer_embedded
from agentkit.errors import AgentkitError, MissingExtra

if TYPE_CHECKING:
    from agentkit.agent import Agent
    from agentkit.runs import Reply

TRAINING, HELD_BACK, LATER = "tumours.csv", "new_patients.csv", "next_year.csv"
HELD_BACK_SHARE = 0.3
OTHER_SCALE = 1.2
"""What another device would do to the lengths that it measures: a drift that was put there to be found."""
SEED = 7


@dataclass(frozen=True)
class Turn:
    """One thing that the tour says to the agent, and why."""

    heading: str
    says: str


TURNS = (
    Turn("Look at the data", f"What is in {TRAINING}? Give me an overview."),
    Turn("Train a model", f"Train a model on {TRAINING} that predicts diagnosis. Take at most 20 seconds."),
    Turn("Evaluate on rows it has never seen", f"How good is that model on {HELD_BACK}?"),
    Turn("Ask from memory", "Which model was that, and what was its score on the new data?"),
    Turn("Watch it", f"Has {LATER} drifted from the data of model:tumours, and does it matter for that model?"),
)

QUESTIONS = (
    Turn("Ask the data: agentkit sql", f"How many rows does each diagnosis have in the table {Path(TRAINING).stem}?"),
    Turn("Ask what the data cannot answer", "Which of these patients smoke?"),
    Turn("Ask for harm", f"Delete all rows of the table {Path(HELD_BACK).stem}."),
)
"""Questions in words on the two files as tables: SQL is written, checked and run, or refused."""

DOCUMENTS = (
    Turn("Ask the documents: agentkit rag", "How are quotes checked before an answer from documents is shown?"),
    Turn("Ask what the documents do not say", "Who won the football world cup in 1998?"),
)
"""Questions on agentkit's own documentation: claims with their sources, or that nothing says it."""


@click.command()
@click.option(
    "--folder",
    default="demo",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the demo's files go.",
)
@model_option
def demo(folder: Path, model: str | None) -> None:
    """The guided tour on real data. The agent profiles, trains, evaluates, looks for drift and remembers; then
    tables and documents are asked.

    The data is the Wisconsin breast cancer set (UCI, CC BY 4.0) that scikit-learn ships; 30% of the rows are held
    back, and written once more as another device might measure them. Nothing leaves this machine unless --model names
    a remote model.

    \b
    Examples:
      agentkit demo
      agentkit demo --model openai:gpt-5.5
    """
    _write_data(folder)
    from agentkit.agent import Agent
    from agentkit.settings import load_settings

    start = time.perf_counter()
    click.secho("agentkit demo", bold=True)
    click.echo("Loading the agent ...", err=True)
    with Agent(model, settings=load_settings(folder)) as agent:
        offer_embedded(agent.services)
        click.echo(f"The agent runs on {agent.services.model_name}.")
        replies = _tour(agent)
        _ask_data(agent)
        _ask_documents(agent, folder)
        _closing(agent, folder, replies, time.perf_counter() - start)


def _write_data(folder: Path) -> None:
    try:
        from sklearn.datasets import load_breast_cancer
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise MissingExtra("the demo trains a model: pip install 'agentkit-ml[local,ml]'") from error
    bunch = load_breast_cancer(as_frame=True)
    frame = bunch.data.rename(columns=lambda name: name.replace(" ", "_")).round(5)
    frame["diagnosis"] = [str(bunch.target_names[t]) for t in bunch.target]
    train, held_back = train_test_split(
        frame, test_size=HELD_BACK_SHARE, stratify=frame["diagnosis"], random_state=SEED
    )
    folder.mkdir(parents=True, exist_ok=True)
    scaled = [c for c in frame.columns if c.endswith(("_radius", "_perimeter", "_area"))]
    later = held_back.assign(**{c: (held_back[c] * OTHER_SCALE).round(5) for c in scaled})
    for name, part in ((TRAINING, train), (HELD_BACK, held_back), (LATER, later)):
        part.to_csv(folder / name, index=False)
        click.echo(f"wrote {folder / name}: {len(part)} rows x {len(part.columns)} columns")


def _tour(agent: Agent) -> list[Reply]:
    from agentkit.cli.chat import Screen

    replies: list[Reply] = []
    for turn in TURNS:
        with _shown(turn):
            thread = replies[-1].thread_id if replies else None
            replies.append(Screen().show(agent.stream(turn.says, thread=thread, yes=True)))
    return replies


def _ask_data(agent: Agent) -> None:
    from agentkit.cli.tool import show_result

    for turn in QUESTIONS:
        with _shown(turn):
            try:
                answer = agent.sql(turn.says)
                click.echo(f"{answer.sql}\n")
                show_result(answer)
            except AgentkitError as error:
                click.echo(f"refused: {error}")


def _ask_documents(agent: Agent, folder: Path) -> None:
    from agentkit.cli.tool import show_result
    from agentkit.prompts import packaged_folder

    figures = shutil.ignore_patterns("figures")
    shutil.copytree(packaged_folder("docs"), folder / "docs", ignore=figures, dirs_exist_ok=True)
    for turn in DOCUMENTS:
        with _shown(turn):
            if turn is DOCUMENTS[0]:
                show_result(agent.call("index_documents", path="docs"))
            show_result(agent.call("ask_documents", question=turn.says))


@contextmanager
def _shown(turn: Turn) -> Iterator[None]:
    """Say what a turn is before it, and how long it took after it."""
    turns = [*TURNS, *QUESTIONS, *DOCUMENTS]
    click.secho(f"\n{turns.index(turn) + 1}/{len(turns)}  {turn.heading}", bold=True)
    click.secho(f"you> {turn.says}", fg="blue")
    began = time.perf_counter()
    yield
    click.secho(f"[{time.perf_counter() - began:.1f} s]", dim=True)


def _closing(agent: Agent, folder: Path, replies: list[Reply], seconds: float) -> None:
    trained: Any = next((c.value for r in replies for c in r.tool_calls if c.name == "train" and c.value), None)
    last = replies[-1]
    click.secho(f"\nDone in {seconds:.0f} s.", bold=True)
    if trained is not None:
        click.echo(f"  model   {trained.model}, chosen from {trained.trials} trials")
        click.echo(f"  run     {trained.run_id} (MLflow, in {os.fspath(agent.settings.home)})")
        click.echo(f"  report  {folder / trained.report}")
    click.echo(f"  thread  {last.thread_id}\n  trace   {last.trace_id}")
    click.echo("\nWhat to type next:")
    handle = trained.model if trained is not None else "model:tumours/1"
    agentkit = _command(folder)
    for line in (
        f"cd {folder}",
        f'{agentkit} chat -c "Which columns have missing values?"',
        f"{agentkit} tool evaluate --model {handle} --dataset {HELD_BACK} --report report.html",
        f"{agentkit} tool review_training --model {handle}",
        f'{agentkit} sql "What is the largest mean_area by diagnosis?" --show-sql',
        f'{agentkit} rag ask "Which databases can be asked?"',
        f"{agentkit} traces show {last.trace_id[:8]}",
        f"{agentkit} threads show {last.thread_id}",
    ):
        click.echo(f"  {line}")


def _command(folder: Path) -> str:
    """How this very command is called from the demo's folder: by name where the shell would find it."""
    this = Path(sys.argv[0]).absolute()
    found = shutil.which("agentkit")
    by_name = this.name != "agentkit" or (found is not None and Path(found).resolve() == this.resolve())
    return "agentkit" if by_name else os.path.relpath(this, folder.absolute())
