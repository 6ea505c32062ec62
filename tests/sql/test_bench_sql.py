"""The bench of questions: what counts as right, and that a model is asked the same only once."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from agentkit.testing import ScriptedChatModel
from evals.bench_sql import HERE, Remembering, agrees, databases, expanded


@pytest.mark.parametrize(
    ("gold", "rows", "ordered", "right"),
    [
        ([(1, "a")], [("a", 1)], False, True),
        ([(1,), (2,)], [(2, "x"), (1, "y")], False, True),
        ([(1,), (2,)], [(2,), (1,)], True, False),
        ([(0.5,)], [(0.5000000001,)], False, True),
        ([(1, 2)], [(1, 1)], False, False),
        ([(1, 2), (2, 1)], [(1, 1), (2, 2)], False, False),
        ([(1,)], [(1,), (2,)], False, False),
        ([(None,)], [(None,)], False, True),
        ([], [], False, True),
        ([(1,)], [], False, False),
    ],
)
def test_columns_are_found_by_content(
    gold: list[tuple[object, ...]], rows: list[tuple[object, ...]], ordered: bool, right: bool
) -> None:
    assert agrees(gold, rows, ordered=ordered) == right


def test_alternatives_and_columns_to_choose_from_are_expanded() -> None:
    assert expanded("SELECT 1; SELECT {a, b} FROM t GROUP BY {}")[0] == "SELECT 1"
    assert len(expanded("SELECT {a, b} FROM t GROUP BY {}")) == 3


def test_the_same_is_asked_once_and_remembered_over_runs(tmp_path: Path) -> None:
    file = tmp_path / "said.jsonl"
    for _ in range(2):
        model = ScriptedChatModel(script=["SELECT 1", "SELECT 2"])
        remembering = Remembering(model, file)
        assert [remembering.bind(max_tokens=9).invoke([("user", "a")]).text for _ in range(2)] == ["SELECT 1"] * 2
    assert model.seen == []
    assert len(file.read_text().splitlines()) == 1


def test_every_gold_statement_of_the_own_questions_has_rows(tmp_path: Path) -> None:
    urls = dict(databases(HERE, tmp_path))
    items = [json.loads(line) for line in (HERE / "questions.jsonl").read_text().splitlines()]
    assert len({item["id"] for item in items}) == len(items) >= 25
    for item in items:
        connection = sqlite3.connect(urls[item["db"]].removeprefix("sqlite:///"))
        assert all(connection.execute(gold).fetchall() for gold in expanded(item["gold"])), item["id"]
        connection.close()
