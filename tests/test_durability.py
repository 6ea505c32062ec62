"""What survives: a run that is killed, a server that is killed, a full disk, many at once, an older schema."""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple

import pytest

from agentkit.settings import load_settings
from agentkit.storage import Storage
from agentkit.threads import Threads
from tests import durability
from tests.durability import ANSWER, STEPS, logged

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["tests.durability"])

KILLS_OF_RESUMES = 0.3
"""The share of resumed runs that are killed again."""


class Turn(NamedTuple):
    """How one process ended: what it said (None if it was killed before), and the seconds from its start."""

    said: tuple[str, list[str]] | None
    seconds: float


def in_a_process(folder: Path, home: Path, item: str, thread: str | None, kill_after: float | None) -> Turn:
    """Ask or resume in a process of its own, which is killed after so many seconds."""
    ours, theirs = processes.Pipe(duplex=False)
    process: BaseProcess = processes.Process(target=durability.turn, args=(folder, home, item, thread, theirs))
    process.start()
    theirs.close()
    said = None
    try:
        assert ours.recv() == "ready"
        start = time.perf_counter()
        if kill_after is not None and not ours.poll(kill_after):
            process.kill()
        else:
            said = ours.recv()
        return Turn(said, time.perf_counter() - start)
    finally:
        process.join()
        ours.close()


def thread_of(storage: Storage, item: str) -> str | None:
    """As a person finds it: by the title in the list of threads."""
    return next((t["thread_id"] for t in Threads(storage).recent(500) if t["title"] == f"Work on {item}"), None)


@pytest.mark.parametrize("kills", [8, pytest.param(50, marks=pytest.mark.slow)])
def test_killed_runs_resume_to_the_right_answer_and_do_nothing_finished_twice(
    workspace: Path, home: Path, kills: int
) -> None:
    seed = int(os.environ.get("AGENTKIT_TEST_SEED") or random.randrange(10**6))
    chance = random.Random(seed)
    usual = in_a_process(workspace, home, "nothing", None, None).seconds
    died_in, killed, run = dict.fromkeys(("no thread", "before", "tool", "between", "after"), 0), 0, 0
    with Storage(load_settings(workspace, home=str(home))) as storage:
        while killed < kills:
            run += 1
            item, thread, said = f"{workspace.name}-{run}", None, None
            doomed = True
            while said is None:
                moment = chance.uniform(0, usual) if doomed else None
                said = in_a_process(workspace, home, item, thread, moment).said
                if said is None:
                    killed += 1
                    thread = thread_of(storage, item)
                    died_in[_where(thread, logged(workspace, item))] += 1
                    doomed = chance.random() < KILLS_OF_RESUMES
            assert said == (ANSWER.format(item), list(STEPS)), f"seed {seed}, run {run}"
            for tool in ("scribble", "labour"):
                moments = [moment for moment, name in logged(workspace, item) if name == tool]
                assert "begin" not in moments[moments.index("told") :], f"seed {seed}, run {run}: {tool} ran again"
    print(f"seed {seed}: {killed} kills of {run} runs of {usual:.2f} s; died {died_in}")


def _where(thread: str | None, moments: list[tuple[str, str]]) -> str:
    last = moments[-1] if moments else ("", "")
    if not moments:
        return "before" if thread else "no thread"
    return {"begin": "tool", "end": "between"}.get(last[0], "after" if last[1] == STEPS[-1] else "between")
