"""Bounds that hold whatever a statement calls: time, memory, and what is left when a statement is killed."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from agentkit_sql.engines import apart

from agentkit.context import cancellation
from agentkit.errors import AgentkitError, Cancelled, SqlFailed, SqlTimeout
from agentkit.settings import Settings
from agentkit.sqlguard.limits import Limits
from tests.sql.conftest import Shop, opened

ENDLESS = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
UNSTOPPABLE = {
    "sqlite": "SELECT instr(hex(zeroblob(4000000)), hex(zeroblob(2000000)) || '1')",
    "duckdb": "SELECT levenshtein(repeat('a', 300000), repeat('b', 300000))",
}
"""One call of a function that takes minutes; no engine looks whether it was interrupted."""


def workers() -> list[int]:
    """The processes of this one that run statements."""
    found: list[int] = []
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):
            found += [int(pid) for pid in (task / "children").read_text().split()]
    return [pid for pid in found if b"agentkit_sql.engines.worker" in command_of(pid)]


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize(
    ("shop", "sql"),
    [
        ("sqlite", UNSTOPPABLE["sqlite"]),
        ("sqlite", "SELECT replace(hex(zeroblob(4000000)), hex(zeroblob(2000000)) || '1', '')"),
        ("duckdb", UNSTOPPABLE["duckdb"]),
        ("duckdb", "SELECT damerau_levenshtein(repeat('a', 9000), repeat('b', 9000) || i) FROM range(200) t(i)"),
        ("duckdb", "SELECT jaro_similarity(repeat('a', 900000), repeat('b', 900000))"),
        ("duckdb", "SELECT regexp_matches(repeat('a', 5000000), '(a?){500}(a){500}b')"),
        ("duckdb", "SELECT " + ", ".join(["1"] * 30_000)),
    ],
    indirect=["shop"],
)
def test_what_cannot_be_interrupted_ends_in_time(shop: Shop, sql: str) -> None:
    started = time.monotonic()
    with pytest.raises(AgentkitError):
        shop.guarded.run(sql, Limits(seconds=0.5)).all()
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("shop", ["sqlite", "duckdb"], indirect=True)
def test_a_statement_that_is_killed_leaves_nothing(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No process, no file; the next statement runs."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(apart, "_FRESH", -1.0)  # none that waits, whose files lie elsewhere
    before = set(workers())
    with pytest.raises(SqlTimeout, match=r"0\.3 s"):
        shop.guarded.run(UNSTOPPABLE[shop.guarded.dialect], Limits(seconds=0.3)).all()
    assert not set(workers()) - before
    assert not list(tmp_path.glob("agentkit-sql-*"))
    assert shop.guarded.run("SELECT count(*) FROM customers").all() == [(3,)]


@pytest.mark.parametrize("shop", ["sqlite", "duckdb"], indirect=True)
def test_a_run_that_is_stopped_kills_its_statement(shop: Shop) -> None:
    stop = threading.Event()
    before = cancellation.set(stop)
    threading.Timer(0.3, stop.set).start()
    started = time.monotonic()
    try:
        with pytest.raises(Cancelled):
            shop.guarded.run(UNSTOPPABLE[shop.guarded.dialect], Limits(seconds=20)).all()
    finally:
        cancellation.reset(before)
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("shop", ["sqlite", "duckdb"], indirect=True)
@pytest.mark.parametrize("kind", ["endless", "unstoppable"])
def test_ctrl_c_is_no_failure_of_the_statement(shop: Shop, kind: str) -> None:
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        sql = ENDLESS if kind == "endless" else UNSTOPPABLE[shop.guarded.dialect]
        shop.guarded.run(sql, Limits(seconds=20)).all()
    assert time.monotonic() - started < 10
    timer.join()


DOUBLED = "SELECT repeat('x', 1000) AS x"
for _ in range(22):
    DOUBLED = f"SELECT x || x AS x FROM ({DOUBLED}) AS a"


@pytest.mark.skipif(sys.platform != "linux", reason="macOS does not bound the memory of a process")
@pytest.mark.parametrize(
    ("shop", "sql"),
    [
        ("sqlite", "SELECT group_concat(zeroblob(30000000)) FROM customers a, customers b, customers c"),
        ("sqlite", "SELECT zeroblob(60000000), zeroblob(60000000), zeroblob(60000000) FROM customers a, customers b"),
        ("duckdb", "SELECT repeat('x', 1000000) FROM range(3000)"),
        ("duckdb", "SELECT len(replace(repeat('a', 1000000), 'a', repeat('b', 4000)))"),
        ("duckdb", "SELECT len(regexp_replace(repeat('a', 1000000), 'a', repeat('b', 4000), 'g'))"),
        ("duckdb", "SELECT damerau_levenshtein(repeat('a', 30000), repeat('b', 30000))"),
        ("duckdb", "SELECT list_transform(range(1000), x -> range(1000000))"),
        ("duckdb", "SELECT len(range(1000000000))"),
        ("duckdb", DOUBLED),
    ],
    indirect=["shop"],
)
def test_memory_of_a_statement_is_bounded(shop: Shop, sql: str) -> None:
    """Whoever allocates it: 512 MiB, and as much for the process around it."""
    over, peaks = threading.Event(), [0]
    watching = threading.Thread(target=watch_memory, args=(over, peaks))
    watching.start()
    try:
        with contextlib.suppress(SqlFailed, SqlTimeout):
            shop.guarded.run(sql, Limits(seconds=4)).close()
    finally:
        over.set()
        watching.join()
    assert 0 < max(peaks) < 1_200_000


def watch_memory(over: threading.Event, peaks: list[int]) -> None:
    """The most memory that a worker has had, in kB."""
    while True:
        for pid in workers():
            with contextlib.suppress(OSError):
                told = re.search(r"VmHWM:\s*(\d+)", Path(f"/proc/{pid}/status").read_text())
                peaks.append(int(told[1]) if told else 0)
        if over.wait(0.02):
            return


def test_a_process_is_used_again(sqlite: Shop) -> None:
    sqlite.guarded.run("SELECT 1").all()
    before = set(workers())
    for _ in range(5):
        sqlite.guarded.run("SELECT 1").all()
    assert set(workers()) == before
    assert len(apart._idle) <= 2


@pytest.mark.parametrize("dies", [True, False])
def test_a_process_that_waited_too_long_is_not_asked(sqlite: Shop, monkeypatch: pytest.MonkeyPatch, dies: bool) -> None:
    sqlite.guarded.run("SELECT 1").all()
    before = set(workers())
    assert before
    if dies:
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.2)
    else:
        monkeypatch.setattr(apart, "_FRESH", -1.0)
    assert sqlite.guarded.run("SELECT 1").all() == [(1,)]
    assert not before & set(workers())


def test_a_statement_ends_with_the_process_that_asked(settings: Settings, sqlite: Shop, tmp_path: Path) -> None:
    """Even where that one was killed."""
    code = (
        "from pathlib import Path\nimport sys\n"
        "from agentkit.settings import load_settings\nfrom agentkit.sqlguard.limits import Limits\n"
        "from tests.sql.conftest import opened\n"
        f"s = load_settings(Path({str(settings.folder)!r}), home={str(settings.home)!r})\n"
        f"opened('sqlite:///shop.db', s).guarded.run({UNSTOPPABLE['sqlite']!r}, Limits(seconds=60)).all()\n"
    )
    env = os.environ | {"TMPDIR": str(tmp_path)}
    asking = subprocess.Popen([sys.executable, "-c", code], env=env, cwd=Path(__file__).parents[2])
    deadline = time.monotonic() + 20
    while not list(tmp_path.glob("agentkit-sql-*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1)
    asking.kill()
    asking.wait()
    while list(tmp_path.glob("agentkit-sql-*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list(tmp_path.iterdir()) == []


def test_temporary_files_are_bounded(sqlite: Shop) -> None:
    """In a process of its own, as the bound cannot be taken back."""
    many = (
        "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 300000) SELECT hex(randomblob(50))"
    )
    code = (
        "from agentkit.errors import SqlFailed\nfrom agentkit.sqlguard.limits import Limits\n"
        "from agentkit_sql.engines import sqlite, worker\nfrom pathlib import Path\n"
        f"engine = sqlite.SqliteEngine('shop', Path({str(sqlite.engine._engine._path)!r}))\n"  # type: ignore[attr-defined]
        "worker.LARGEST_FILE = 1 << 20\nworker.bound(Limits())\n"
        "try:\n"
        f"    engine.run('{many} FROM n ORDER BY 1', Limits()).all()\n"
        "except SqlFailed as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "temporary files" in done.stdout


def test_long_numbers_are_cut_and_counted(postgres: Shop) -> None:
    many = "SELECT repeat('9', 130000)::numeric AS n FROM generate_series(1, 2000)"
    rows = postgres.guarded.run(many, Limits(bytes=4 << 20))
    found = rows.all()
    assert len(found) < 100
    assert rows.cut == {"bytes", "cell"}
    assert found[0] == ("9" * Limits().cell,)
    told = postgres.guarded.run("SELECT 1.5::numeric, 'NaN'::numeric, NULL::numeric, 1e900::numeric, -2::numeric(5, 2)")
    row = told.all()[0]
    assert (row[0], str(row[1]), row[2], row[3], row[4]) == (Decimal("1.5"), "NaN", None, Decimal("1e900"), -2)


@pytest.mark.parametrize("kind", ["text", "numeric", "jsonb", "json", "bytea", "varchar"])
def test_long_arrays_are_cut_by_the_server(postgres: Shop, kind: str) -> None:
    """All of it would come as a whole otherwise, up to a gigabyte."""
    slow = Limits(seconds=20)
    value = "repeat('9', 130000)"
    value = f"to_jsonb({value})::{kind}" if kind.startswith("json") else f"{value}::{kind}"
    rows = postgres.engine.run(f"SELECT array_agg({value}) AS a FROM generate_series(1, 60)", slow)
    source: Any = rows._source
    assert len(repr(next(iter(source)))) < 1_000_000
    rows.close()
    rows = postgres.guarded.run(f"SELECT array_agg({value}) AS a FROM generate_series(1, 60)", slow)
    assert re.search("9999|3939", rows.all()[0][0])
    assert rows.cut == {"cell"}


def test_arrays_stay_what_they_are(postgres: Shop) -> None:
    sql = "SELECT ARRAY['a', NULL], NULL::text[], ARRAY[1.5, 2], '{}'::text[], ARRAY['[1]'::jsonb]"
    assert postgres.guarded.run(sql).all() == [(["a", None], None, [Decimal("1.5"), Decimal(2)], [], ["[1]"])]


def test_rows_of_a_fetch_are_bounded(postgres: Shop) -> None:
    """Twenty columns of 5,000 values that grow long after the first rows would be 6 GB."""
    long = ", ".join(f"CASE WHEN i > 1400 THEN repeat('x', 65536) END AS c{c}" for c in range(20))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    postgres.guarded.run(f"SELECT i, {long} FROM generate_series(1, 6000) i", Limits(bytes=4 << 20, seconds=20)).all()
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10 < 400


def test_values_of_sqlite_may_be_long(settings: Settings) -> None:
    """Documents of some megabytes can be searched and measured."""
    with contextlib.closing(sqlite3.connect(settings.folder / "long.db")) as connection:
        connection.execute("CREATE TABLE t (a text)")
        connection.execute("INSERT INTO t VALUES (?)", ("x" * 5_000_000 + "needle",))
        connection.commit()
    database = opened("sqlite:///long.db", settings).guarded
    assert database.run("SELECT length(a), instr(a, 'needle') FROM t").all() == [(5_000_006, 5_000_001)]
    rows = database.run("SELECT a FROM t")
    assert (len(rows.all()[0][0]), rows.cut) == (Limits().cell, {"cell"})
