"""What survives: a run that is killed, a server that is killed, a full disk, many at once, an older schema."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from psycopg.types.json import Jsonb

from agentkit import Agent
from agentkit.errors import BadInput, StorageError
from agentkit.postgres import connections, schema
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


def test_an_edited_call_is_neither_asked_nor_run_again_after_a_kill(workspace: Path, home: Path) -> None:
    item = workspace.name
    ours, theirs = processes.Pipe(duplex=False)
    process = processes.Process(target=durability.edited, args=(workspace, home, item, theirs))
    process.start()
    thread = ours.recv()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    with durability.agent(workspace, home) as agent:
        reply = agent.resume(thread)
    assert reply.text == ANSWER.format(item)
    assert [c.args["item"] for c in reply.tool_calls] == [item, f"{item}-edited", item]
    assert [moment for moment, _ in logged(workspace, f"{item}-edited")] == ["begin", "end", "told", "told"]


def test_the_same_call_of_a_later_turn_is_made_again(workspace: Path, home: Path) -> None:
    with durability.agent(workspace, home) as agent:
        first = agent.ask("Work on it", yes=True)
        agent.ask("Work on it", thread=first.thread_id, yes=True)
    assert [moment for moment, name in logged(workspace, "it") if name == "scribble"] == ["begin", "end", "told"] * 2


def test_a_thread_of_which_nothing_was_stored_says_so(workspace: Path, home: Path) -> None:
    with durability.agent(workspace, home) as agent:
        agent.threads.touch("empty", "a title and nothing else")
        with pytest.raises(BadInput, match=r"nothing of thread 'empty' was stored before it was stopped: ask again"):
            agent.resume("empty")
        assert agent.ask("Work on it", thread="empty", yes=True).text == ANSWER.format("it")


def test_resuming_what_has_ended_gives_its_reply_and_runs_nothing(workspace: Path, home: Path) -> None:
    with durability.agent(workspace, home) as agent:
        first = agent.ask("Work on it", yes=True)
        before = logged(workspace, "it")
        assert agent.resume(first.thread_id).text == first.text
    assert logged(workspace, "it") == before


def test_two_processes_of_ten_threads_share_a_folder(workspace: Path, home: Path) -> None:
    pipes = []
    for name in ("one", "two"):
        ours, theirs = processes.Pipe(duplex=False)
        processes.Process(target=durability.crowd, args=(workspace, home, name, 10, theirs)).start()
        theirs.close()
        pipes.append((name, ours))
    for name, pipe in pipes:
        wanted = [[ANSWER.format(f"{name}-{n}-{turn}") for turn in "ab"] for n in range(10)]
        assert pipe.recv() == wanted
        for number in range(10):
            done = [moment for moment, _ in logged(workspace, f"{name}-{number}-b")]
            assert done == ["begin", "end", "told"] * len(STEPS)
    for process in multiprocessing.active_children():
        process.join()


@pytest.fixture
def own_home() -> Iterator[Path]:
    """A home with a server of its own, where that server may run as another user."""
    with tempfile.TemporaryDirectory(prefix="durability-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "home"


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_a_run_goes_on_when_postgres_is_killed(workspace: Path, own_home: Path, kills: int) -> None:
    seed = int(os.environ.get("AGENTKIT_TEST_SEED") or random.randrange(10**6))
    chance = random.Random(seed)
    resumed = 0
    with durability.agent(workspace, own_home) as agent:
        agent.ask("Work on nothing", yes=True)
        usual = _seconds(lambda: agent.ask("Work on nothing", yes=True))
        for number in range(kills):
            item = f"{number}"
            killer = threading.Timer(chance.uniform(0, usual), _kill_server, [own_home])
            killer.start()
            try:
                text = agent.ask(f"Work on {item}", yes=True).text
            except StorageError:
                resumed += 1
                thread = thread_of(agent.services.storage, item)
                text = (agent.resume(thread, yes=True) if thread else agent.ask(f"Work on {item}", yes=True)).text
            killer.join()
            assert text == ANSWER.format(item), f"seed {seed}, kill {number}"
            for tool in ("scribble", "labour"):
                moments = [moment for moment, name in logged(workspace, item) if name == tool]
                assert moments.count("begin") == 1, f"seed {seed}, kill {number}: {tool} ran again"
    print(f"seed {seed}: {kills} kills of the server, {resumed} runs had to be resumed")


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _kill_server(home: Path) -> None:
    file = home / "postgres" / "postmaster.pid"
    # after the last kill it may still be starting
    while not (file.exists() and file.read_text().strip()):
        time.sleep(0.01)
    with contextlib.suppress(ProcessLookupError):
        os.kill(int(file.read_text().splitlines()[0]), signal.SIGKILL)


@pytest.fixture
def small_disk(own_home: Path) -> Iterator[Path]:
    """A home on a disk of its own of 160 MB."""
    own_home.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=160m,mode=755", "agentkit-test", str(own_home)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip(f"only root may mount a small disk: sudo {' '.join(mount)}")
    try:
        yield own_home
    finally:
        subprocess.run(["umount", "--lazy", str(own_home)], check=True)


def test_a_run_on_a_full_disk_says_so_and_goes_on_when_there_is_room(workspace: Path, small_disk: Path) -> None:
    with durability.agent(workspace, small_disk) as agent:
        agent.ask("Work on nothing", yes=True)
        pending = {name: agent.ask(f"Work on {name}").thread_id for name in map(str, range(30))}
        ballast = small_disk / "ballast"
        _fill(ballast)
        with pytest.raises(StorageError, match=r"(?i)no space left.*(free some space|room)"):
            for _ in range(200):
                agent.ask("Work on more", yes=True)
        # pages that were begun have room for some more runs
        with pytest.raises(StorageError):
            for name, thread in pending.items():  # noqa: B007 - the one that failed is gone on with
                agent.resume(thread, yes=True)
        ballast.unlink()
        assert agent.resume(thread, yes=True).text == ANSWER.format(name)
    assert [moment for moment, tool in logged(workspace, name) if tool == "scribble"].count("begin") == 1


def _fill(ballast: Path) -> None:
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


@pytest.fixture
def first_version(home: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a database with the schema of version 1, on the shared server."""
    with Storage(load_settings(workspace, home=str(home))) as storage:
        here = connections.parse(storage.url)
        there = here | {"dbname": "first-version"}
        schema.create_database(here, there["dbname"])
        with monkeypatch.context() as patch:
            patch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
            schema.migrate(there)
        yield connections.as_url("postgresql", there)
        with connections.connected(here) as connection:
            connection.execute('drop database "first-version" with (force)')


LEFT_BY_THE_FIRST_VERSION = {
    "threads": "thread_id, title, created_at, updated_at",
    "tool_results": "thread_id, call_id, name, args, status, brief, result, seconds, created_at",
    "checkpoints": "*",
    "checkpoint_blobs": "*",
    "checkpoint_writes": "*",
}


def test_a_run_that_the_first_version_left_is_migrated_and_resumed(
    workspace: Path, home: Path, first_version: str
) -> None:
    item = workspace.name
    process = processes.Process(target=durability.dying, args=(workspace, home, item, "scribble"))
    process.start()
    process.join()
    with Storage(load_settings(workspace, home=str(home))) as storage, storage.pool().connection() as now:
        thread = thread_of(storage, item)
        with connections.connected(connections.parse(first_version)) as before:
            for table, columns in LEFT_BY_THE_FIRST_VERSION.items():
                _copy(now, before, table, columns, thread)
    settings = load_settings(workspace, home=str(home), database_url=first_version)
    with Agent("stepwise:", plugins=[durability], settings=settings) as agent:
        assert agent.resume(str(thread), yes=True).text == ANSWER.format(item)
    assert [moment for moment, name in logged(workspace, item) if name == "scribble"].count("begin") == 1


def _copy(source: Any, target: Any, table: str, columns: str, thread: str | None) -> None:
    for row in source.execute(f"select {columns} from {table} where thread_id = %s", [thread]).fetchall():
        values = [Jsonb(value) if isinstance(value, dict) else value for value in row.values()]
        places = ", ".join(["%s"] * len(row))
        target.execute(f"insert into {table} ({', '.join(row)}) values ({places})", values)


def test_a_schema_of_a_newer_version_is_refused_with_the_remedy(
    workspace: Path, home: Path, first_version: str
) -> None:
    with connections.connected(connections.parse(first_version)) as connection:
        connection.execute("update agentkit_schema set version = 99")
        connection.execute("delete from agentkit_parts")
    newer = Storage(load_settings(workspace, home=str(home), database_url=first_version))
    with pytest.raises(StorageError, match=r"version 99, made by a newer agentkit.*Upgrade agentkit"):
        newer.pool()
