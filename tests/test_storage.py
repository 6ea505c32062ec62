"""The database, on real servers: it starts by itself, is shared, survives being killed, and says what is wrong."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import empty_checkpoint

from agentkit.errors import StorageError
from agentkit.postgres import cluster, schema
from agentkit.settings import Settings
from agentkit.storage import Storage
from tests.given_server import given_server as started_server
from tests.given_server import url as given_url

CLIENT = """
import sys, time
from pathlib import Path
from agentkit.settings import Settings
from agentkit.storage import Storage

home = Path(sys.argv[1])
storage = Storage(Settings(folder=home, home=home))
with storage.pool().connection() as connection:
    connection.execute("insert into threads (thread_id) values (%s)", [sys.argv[2]])
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def own_home() -> Iterator[Path]:
    """Not below pytest's own folders, which are 0700 for root: an unprivileged server could not go there."""
    with tempfile.TemporaryDirectory(prefix="storage-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "home"


def settings(home: Path, url: str | None = None) -> Settings:
    return Settings(folder=home, home=home, database_url=url)


def add(storage: Storage, name: str) -> None:
    with storage.pool().connection() as connection:
        connection.execute("insert into threads (thread_id) values (%s) on conflict do nothing", [name])


def names(storage: Storage) -> list[str]:
    with storage.pool().connection() as connection:
        return [row["thread_id"] for row in connection.execute("select thread_id from threads order by thread_id")]


def client(home: Path, name: str) -> subprocess.Popen[str]:
    """Another process that adds a thread, and uses the storage until its stdin is closed."""
    command = [sys.executable, "-c", CLIENT, str(home), name]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)


def is_ready(process: subprocess.Popen[str]) -> bool:
    assert process.stdout is not None
    return process.stdout.readline() == "ready\n"


def server_pid(home: Path) -> int:
    return int((home / "postgres" / "postmaster.pid").read_text().splitlines()[0])


def is_stopped(home: Path, within: float = 0.0) -> bool:
    """Whether neither the server nor any process of it is left."""
    deadline = time.monotonic() + within
    with (home / "postgres.server").open() as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.02)
            else:
                return True


def test_a_new_home_has_a_database_that_outlives_its_use(own_home: Path) -> None:
    with Storage(settings(own_home)) as storage:
        add(storage, "kept")
    assert is_stopped(own_home)
    with Storage(settings(own_home)) as storage:
        assert names(storage) == ["kept"]


def test_nothing_starts_before_it_is_needed_and_closing_twice_is_fine(own_home: Path) -> None:
    storage = Storage(settings(own_home))
    storage.close()
    assert not own_home.exists()
    assert storage.artifacts() == own_home / "artifacts"
    assert storage.artifacts().is_dir()
    add(storage, "a")
    storage.close()
    storage.close()
    assert names(storage) == ["a"], "usable again after close"
    storage.close()


def test_the_schema_is_recorded_and_holds_what_the_rooms_above_need(own_home: Path) -> None:
    with Storage(settings(own_home)) as storage, storage.pool().connection() as connection:
        version = connection.execute("select version from agentkit_schema").fetchone()
        tables = connection.execute("select table_name from information_schema.tables where table_schema = 'public'")
        assert version == {"version": len(schema.MIGRATIONS)}
        assert {"threads", "tool_results", "traces", "checkpoints"} <= {row["table_name"] for row in tables}
        assert connection.execute("select '[1,2]'::vector <-> '[1,4]' as distance").fetchone() == {"distance": 2}


def test_the_server_is_private_to_its_owner(own_home: Path) -> None:
    with Storage(settings(own_home)) as storage, storage.pool().connection() as connection:
        assert (own_home / "postgres").stat().st_mode & 0o777 == 0o700
        assert connection.execute("show listen_addresses").fetchone() == {"listen_addresses": ""}


def test_unicode_is_sorted_and_folded_alike_everywhere(own_home: Path) -> None:
    with Storage(settings(own_home)) as storage, storage.pool().connection() as connection:
        row = connection.execute(
            "select lower('ÉCOLE') as low, to_tsvector('simple', 'ÜBER')::text as words"
        ).fetchone()
        assert row == {"low": "école", "words": "'über':1"}


@pytest.mark.parametrize("name", ["with space and ünïcode ☂", "x" * 120, "comma,quote'\"%41;"])
def test_the_home_may_have_any_name(own_home: Path, name: str) -> None:
    with Storage(settings(own_home / name)) as storage:
        add(storage, "a")
        with psycopg.connect(storage.url) as connection:
            assert connection.execute("select thread_id from threads").fetchall() == [("a",)]
        folder = Path((own_home / name / "postgres" / "postmaster.pid").read_text().splitlines()[4])
        assert folder.stat().st_mode & 0o777 == 0o700
    assert folder == own_home / name / "postgres" or not folder.exists()
    with Storage(settings(own_home / name)) as storage:
        assert names(storage) == ["a"]


def test_processes_share_a_home_and_the_last_one_stops_the_server(own_home: Path) -> None:
    first, second = client(own_home, "first"), client(own_home, "second")
    assert is_ready(first)
    assert is_ready(second)
    first.communicate()
    assert not is_stopped(own_home)
    second.communicate()
    assert is_stopped(own_home), "an ordinary exit waits until the server is gone"
    with Storage(settings(own_home)) as storage:
        assert names(storage) == ["first", "second"]


def test_four_processes_may_be_the_first_at_once(own_home: Path) -> None:
    clients = [client(own_home, f"{number}") for number in range(4)]
    assert all([is_ready(process) for process in clients])  # noqa: C419
    for process in clients:
        process.communicate()
    with Storage(settings(own_home)) as storage:
        assert names(storage) == ["0", "1", "2", "3"]


def test_a_killed_client_loses_nothing_and_its_server_stops(own_home: Path) -> None:
    process = client(own_home, "kept")
    assert is_ready(process)
    process.kill()
    process.communicate()
    assert is_stopped(own_home, within=10)
    with Storage(settings(own_home)) as storage:
        assert names(storage) == ["kept"]


def test_interrupting_the_client_that_started_the_server_leaves_it_to_the_others(own_home: Path) -> None:
    first = client(own_home, "first")
    assert is_ready(first)
    with Storage(settings(own_home)) as storage:
        assert names(storage) == ["first"]
        pid = server_pid(own_home)
        os.killpg(first.pid, signal.SIGINT)
        first.communicate()
        assert names(storage) == ["first"]
        assert server_pid(own_home) == pid


def test_a_killed_server_comes_back_with_all_rows_while_it_is_used(own_home: Path) -> None:
    with Storage(settings(own_home)) as storage:
        add(storage, "before")
        os.kill(server_pid(own_home), signal.SIGKILL)
        patiently(lambda: add(storage, "after"))
        assert patiently(lambda: names(storage)) == ["after", "before"]
    assert is_stopped(own_home, within=10)


def patiently(work: Callable[[], Any]) -> Any:
    """Try again: a process of a killed server that has not noticed may serve one query more."""
    for _ in range(20):
        with contextlib.suppress(StorageError):
            return work()
    return work()


def test_a_killed_server_is_recovered_by_the_next_process(own_home: Path) -> None:
    process = client(own_home, "kept")
    assert is_ready(process)
    os.kill(server_pid(own_home), signal.SIGKILL)
    process.kill()
    process.communicate()
    with Storage(settings(own_home)) as storage:
        assert names(storage) == ["kept"]


def test_a_stale_pid_file_whose_pid_is_alive_again_is_not_believed(own_home: Path) -> None:
    with Storage(settings(own_home)) as storage:
        add(storage, "kept")
        stale = (own_home / "postgres" / "postmaster.pid").read_text().splitlines()
    stale[0] = str(os.getppid())
    (own_home / "postgres" / "postmaster.pid").write_text("\n".join(stale) + "\n")
    with Storage(settings(own_home)) as storage:
        assert names(storage) == ["kept"]


def test_a_crash_while_the_data_folder_was_made_leaves_no_half_of_it(own_home: Path) -> None:
    (own_home / "postgres.new").mkdir(parents=True)
    (own_home / "postgres.new" / "PG_VERSION").write_text("18\n")
    with Storage(settings(own_home)) as storage:
        assert names(storage) == []
    assert not (own_home / "postgres.new").exists()


def test_threads_share_a_storage(own_home: Path) -> None:
    with Storage(settings(own_home)) as storage, ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: add(storage, f"{number:02}"), range(24)))
        assert len(names(storage)) == 24


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_has_connections_of_its_own(own_home: Path) -> None:
    with Storage(settings(own_home)) as storage:
        add(storage, "parent")
        child = os.fork()
        if child == 0:
            code = 1
            try:
                add(storage, "child")
                storage.close()
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert names(storage) == ["child", "parent"]


def test_the_checkpointer_keeps_a_thread(own_home: Path) -> None:
    config = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
    with Storage(settings(own_home)) as storage:
        storage.checkpointer().put(config, empty_checkpoint(), {"step": 7}, {})
    with Storage(settings(own_home)) as storage:
        found = storage.checkpointer().get_tuple(config)
        assert found is not None
        assert found.metadata["step"] == 7


def test_the_checkpointer_serves_async_graphs_too(own_home: Path) -> None:
    config: RunnableConfig = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}

    async def write_and_read(storage: Storage) -> list[int]:
        saver = storage.checkpointer()
        stored = await saver.aput(config, empty_checkpoint(), {"step": 3}, {})
        await saver.aput_writes(stored, [("messages", "hello")], "task")
        found = await saver.aget_tuple(config)
        assert found is not None
        assert found.pending_writes == [("task", "messages", "hello")]
        steps = [c.metadata["step"] async for c in saver.alist(config)]
        await saver.adelete_thread("t")
        assert await saver.aget_tuple(config) is None
        return steps

    with Storage(settings(own_home)) as storage:
        assert asyncio.run(write_and_read(storage)) == [3]


def test_an_older_schema_is_brought_up_to_date_in_place(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Storage(settings(own_home)) as storage:
        add(storage, "kept")
    newer = (*schema.MIGRATIONS, "alter table threads add column mood text default 'calm'")
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", newer)
        with Storage(settings(own_home)) as storage, storage.pool().connection() as connection:
            assert connection.execute("select thread_id, mood from threads").fetchall() == [
                {"thread_id": "kept", "mood": "calm"}
            ]
    with pytest.raises(StorageError, match="made by a newer agentkit"):
        _ = Storage(settings(own_home)).url


def test_data_of_another_major_version_is_left_alone(own_home: Path) -> None:
    Storage(settings(own_home)).artifacts()
    (own_home / "postgres").mkdir()
    (own_home / "postgres" / "PG_VERSION").write_text("12\n")
    with pytest.raises(StorageError, match=r"made by PostgreSQL 12, and \d+ is installed\. Move the folder away"):
        Storage(settings(own_home)).pool()
    assert (own_home / "postgres" / "PG_VERSION").read_text() == "12\n"


def test_a_home_that_cannot_be_written_is_an_error_with_the_remedy(own_home: Path) -> None:
    own_home.parent.joinpath("file").write_text("")
    with pytest.raises(StorageError, match="AGENTKIT_HOME"):
        Storage(settings(own_home.parent / "file" / "home")).pool()


def test_a_server_that_does_not_start_says_why(own_home: Path) -> None:
    with Storage(settings(own_home)) as storage:
        add(storage, "kept")
    control = own_home / "postgres" / "global" / "pg_control"
    control.write_bytes(b"\0" * 8192)
    with pytest.raises(StorageError, match=r"did not start in .*: .+ Set AGENTKIT_HOME"):
        Storage(settings(own_home)).pool()
    assert is_stopped(own_home, within=10)


def test_the_template_is_made_once_and_a_damaged_one_again(own_home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    made: list[Path] = []

    def prepare(folder: Path) -> None:
        made.append(folder)
        (folder / "postgres" / "base").mkdir(parents=True)
        (folder / "postgres" / "base" / "1259").write_text("rows")

    own_home.mkdir()
    cache = own_home / "cache"
    for number in range(3):
        if number == 2:
            next(cache.glob("postgres/*/postgres/base/1259")).unlink()
        cluster.from_template(own_home / f"{number}", cache, "key", prepare)
        assert (own_home / f"{number}" / "base" / "1259").read_text() == "rows"
    assert len(made) == 2
    assert capfd.readouterr().err == cluster.NOTICE * 2


def test_a_cache_that_cannot_be_used_only_costs_time(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_home.mkdir()
    (own_home / "cache").write_text("not a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(own_home / "cache"))
    monkeypatch.setenv("HOME", str(own_home / "cache"))
    with Storage(settings(own_home)) as storage:
        add(storage, "a")
        assert names(storage) == ["a"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another identity")
def test_root_without_namespaces_hands_the_data_to_an_unprivileged_user(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Storage(settings(own_home)) as storage:
        add(storage, "kept")
        assert (own_home / "postgres").stat().st_uid == 0
    monkeypatch.setattr(cluster, "namespaces_permitted", lambda: False)
    with Storage(settings(own_home)) as storage:
        assert names(storage) == ["kept"]
        assert (own_home / "postgres").stat().st_uid != 0
    own_home.parent.chmod(0o700)
    with pytest.raises(StorageError, match=r"does not run as root.*Run as an ordinary user"):
        Storage(settings(own_home.parent / "other")).pool()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can write into another's folder")
def test_what_root_makes_in_another_users_home_belongs_to_that_user(own_home: Path) -> None:
    own_home.mkdir()
    os.chown(own_home, 65534, 65534)
    with Storage(settings(own_home)) as storage:
        add(storage, "a")
    assert {path.stat().st_uid for path in own_home.iterdir() if path.name.startswith("postgres")} == {65534}


def test_mlflow_tracks_beside_agentkit(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    script = (
        "import sys; from mlflow import MlflowClient; client = MlflowClient(sys.argv[1]);"
        "run = client.create_run(client.create_experiment('e', artifact_location=sys.argv[2]));"
        "client.log_metric(run.info.run_id, 'auc', 0.5); print(client.get_run(run.info.run_id).data.metrics)"
    )
    with Storage(settings(own_home / "ünï code")) as storage:
        uri = storage.mlflow_uri()
        assert uri.startswith("postgresql+psycopg://")
        outcome = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", script, uri, str(storage.artifacts())],
            env=os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert outcome.stdout == "{'auc': 0.5}\n", outcome.stderr
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert Storage(settings(own_home)).mlflow_uri() == "http://127.0.0.1:5000"


@pytest.fixture(scope="module")
def given_server() -> Iterator[str]:
    """A server over TCP with a password: the port."""
    with started_server() as port:
        yield port


def test_a_given_server_is_used_instead(own_home: Path, given_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with Storage(settings(own_home, given_url(given_server, "maker"))) as storage:
        add(storage, "a")
        assert names(storage) == ["a"]
        with psycopg.connect(storage.mlflow_uri().replace("+psycopg", "")) as connection:
            assert connection.execute("select count(*) from experiments").fetchone() is not None
    with Storage(settings(own_home, given_url(given_server, "maker").replace(":", "+psycopg:", 1))) as storage:
        assert names(storage) == ["a"]
    assert not own_home.exists()


def test_a_given_server_without_rights_says_what_is_missing(
    own_home: Path, given_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with psycopg.connect(given_url(given_server, "maker"), autocommit=True) as connection:
        connection.execute("drop database if exists mlflow")
    with Storage(settings(own_home, given_url(given_server, "plain"))) as storage:
        assert names(storage) == []
        with pytest.raises(StorageError, match="MLFLOW_TRACKING_URI"):
            storage.mlflow_uri()
    elsewhere = given_url(given_server, "plain").removesuffix("plain") + "postgres"
    with pytest.raises(StorageError, match="may not create tables"):
        Storage(settings(own_home, elsewhere)).pool()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://maker:wrongsecret@127.0.0.1:{port}/maker", "password authentication failed"),
        ("postgresql://maker:wrongsecret@127.0.0.1:1/maker", "refused"),
        ("postgresql://maker:wrongsecret@[127.0.0.1/x", "is not a PostgreSQL URL"),
        ("mysql://maker:wrongsecret@host/x", "is not a PostgreSQL URL"),
        ("wrongsecret", "is not a PostgreSQL URL"),
    ],
)
def test_a_wrong_url_is_explained_without_its_password(own_home: Path, given_server: str, url: str, says: str) -> None:
    with pytest.raises(StorageError, match=says) as caught:
        Storage(settings(own_home, url.format(port=given_server))).pool()
    assert "wrongsecret" not in str(caught.value)
