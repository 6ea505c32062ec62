"""What the guard adds to a statement, and how long the card of a large schema takes, on SQLite files made here."""

from __future__ import annotations

import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from agentkit import Agent
from agentkit.databases import Database
from agentkit.settings import Settings, load_settings
from agentkit.testing import ScriptedChatModel

STATEMENTS = (
    "SELECT label FROM thing_7 WHERE amount > {n} ORDER BY amount DESC LIMIT 5",
    ("SELECT a.kind, count(*), avg(b.amount) FROM thing_1 a JOIN thing_2 b ON a.next_id = b.id WHERE b.pieces < {n} "
    "GROUP BY a.kind"),
    ("WITH best AS (SELECT kind, max(amount) AS most FROM thing_3 WHERE id > {n} GROUP BY kind) "
    "SELECT t.label, t.amount FROM thing_3 t JOIN best ON best.kind = t.kind AND best.most = t.amount"),
)  # fmt: skip
REPEATS = 100
QUESTION = "How many of thing 77 are red?"


def guard_bench() -> None:
    """The guard's check of a statement on 50 tables; the first and the second card of 500; the prompt's length."""
    with tempfile.TemporaryDirectory() as folder:
        for tables in (50, 500):
            _make(Path(folder) / f"of_{tables}.db", tables)
        with Agent(ScriptedChatModel(script=[]), settings=_settings(Path(folder))) as agent:
            _guard(agent.services.databases.open("of_50"))
        for run in ("first", "second"):
            # another agent, as a new process would have it: what the first one kept is on disk
            model = ScriptedChatModel(script=["SELECT count(*) FROM thing_77 WHERE kind = 'red'"])
            with Agent(model, settings=_settings(Path(folder))) as agent:
                taken = _timed(lambda agent=agent: agent.sql(QUESTION, database="of_500"))  # type: ignore[misc]
            prompt = sum(len(m.text) for m in model.seen[0])
            print(f"card         500 tables, {run:6}  {taken:6.2f} s   prompt of {prompt:,} characters")


def _guard(database: Database) -> None:
    check: Callable[[str], str] = database.check  # type: ignore[attr-defined]
    check(STATEMENTS[0].format(n=0))
    # no statement twice: the same again may be remembered
    texts = [sql.format(n=n) for n in range(1, 1 + 2 * REPEATS) for sql in STATEMENTS]
    taken = [_timed(lambda sql=sql: check(sql)) for sql in texts[::2]]  # type: ignore[misc]
    runs = [_timed(lambda sql=sql: database.run(sql).all()) for sql in texts[1::2]]  # type: ignore[misc]
    middle, slow = statistics.median(taken), sorted(taken)[int(len(taken) * 0.95)]
    print(f"guard        50 tables           {middle * 1000:6.2f} ms  (95%: {slow * 1000:.2f} ms)")
    whole = statistics.median(runs)
    print(f"guard        check, run, fetch   {whole * 1000:6.2f} ms  {middle / whole:5.0%} of it is the check")


def _make(file: Path, tables: int) -> None:
    connection = sqlite3.connect(file)
    for n in range(tables):
        connection.execute(
            f"CREATE TABLE thing_{n} (id INTEGER PRIMARY KEY, label TEXT, kind TEXT, noted_on TEXT, amount REAL, "
            f"share REAL, pieces INTEGER, remark TEXT, next_id INTEGER REFERENCES thing_{(n + 1) % tables} (id))"
        )
        rows = [(i, f"label {i}", ("red", "green")[i % 2], "2024-01-01", i / 2, 0.5, i, "-", i) for i in range(50)]
        connection.executemany(f"INSERT INTO thing_{n} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)  # noqa: S608
    connection.commit()
    connection.close()


def _settings(folder: Path) -> Settings:
    (folder / "agentkit.toml").write_text(
        '[databases]\nof_50 = "sqlite:///of_50.db"\nof_500 = "sqlite:///of_500.db"\n', encoding="utf-8"
    )
    return load_settings(folder)


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
