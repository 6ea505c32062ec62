"""Files as they come: each trains with a note on what was repaired, or is refused with what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from agentkit import Agent
from agentkit.errors import BadInput

ROWS = 120


def table(rows: int = ROWS) -> pd.DataFrame:
    """Two numbers that decide about `y`, and a category."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(rows, 2)).round(3), columns=["a", "b"])
    frame["town"] = random.choice(["Bonn", "Ulm", "Jena"], rows)
    frame["y"] = np.where(frame["a"] + frame["b"] > 0, "yes", "no")
    return frame


class Case(NamedTuple):
    """`write` makes a file and names it. `told`: part of a note or finding, or of the error if `refused`."""

    write: Callable[[], str]
    told: str
    refused: bool = False
    target: str = "y"


def csv(change: Callable[[pd.DataFrame], pd.DataFrame] = lambda frame: frame, rows: int = ROWS, **options: Any) -> Any:
    """A function that writes the table, changed, as t.csv."""

    def write() -> str:
        change(table(rows)).to_csv("t.csv", index=False, **options)
        return "t.csv"

    return write


def text(content: Callable[[str], str], **options: Any) -> Any:
    """A function that writes t.csv after a change of its text."""

    def write() -> str:
        Path("t.csv").write_text(content(table().to_csv(index=False, **options)), encoding="utf-8")
        return "t.csv"

    return write


def workbook() -> str:
    with pd.ExcelWriter("t.xlsx") as book:
        table().to_excel(book, sheet_name="May", index=False)
        table().to_excel(book, sheet_name="June", index=False)
    return "t.xlsx"


def cut_parquet() -> str:
    table().to_parquet("t.parquet")
    whole = Path("t.parquet").read_bytes()
    Path("t.parquet").write_bytes(whole[: len(whole) // 2])
    return "t.parquet"


def _some(column: str, value: Any, every: int = 20) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Put a value into every so many cells of a column."""
    return lambda f: f.assign(**{column: f[column].astype("object").where(f.index % every > 0, value)})


CASES: dict[str, Case] = {
    "gaps in the target": Case(csv(_some("y", None)), "6 rows without a value of 'y' were left out"),
    "a target of one class": Case(csv(lambda f: f.assign(y="yes")), "the same value in every row", refused=True),
    "a class with one row": Case(
        csv(lambda f: f.assign(y=["yes"] * 119 + ["no"])),
        "fewer than 3 rows have the class 'no'. Add rows",
        refused=True,
    ),
    "a class with one row beside two others": Case(
        csv(lambda f: f.assign(y=[*f["y"][:-1], "maybe"])), "fewer than 3 rows have the class 'maybe'"
    ),
    "columns that never change": Case(
        csv(lambda f: f.assign(a=1, b=2, town="Ulm")), "has nothing to learn from beside 'y'", refused=True
    ),
    "all cells the same": Case(
        csv(lambda f: f.assign(a=1, b=1, town=1, y=1)), "the same value in every row", refused=True
    ),
    "dates that do not parse": Case(
        csv(lambda f: f.assign(day=["2026-01-02", "02.03.2026", "2026-13-45"] * 40)),
        "look like dates of several formats",
    ),
    "some dates that do not parse": Case(
        csv(lambda f: f.assign(day=pd.date_range("2026-01-01", periods=ROWS).astype(str)).pipe(_some("day", "soon"))),
        "6 values in 'day' are no dates of the column's format, such as 'soon'",
    ),
    "numbers and texts in a column": Case(csv(_some("a", "broken", 2)), "'a' mix numbers and texts"),
    "some texts among numbers": Case(
        csv(_some("a", "broken")), "6 values in 'a' are no finite numbers, such as 'broken'"
    ),
    "infinite values": Case(csv(_some("a", np.inf)), "6 values in 'a' are no finite numbers, such as 'inf'"),
    "infinite values in the target": Case(
        csv(_some("a", -np.inf)), "6 rows whose 'a' is no finite number, such as '-inf', were left out", target="a"
    ),
    "infinite values in Excel's way": Case(csv(_some("a", "#DIV/0!")), "such as '#DIV/0!'"),
    "many categories": Case(csv(lambda f: f.assign(code=[f"c{i % 50}" for i in range(ROWS)])), ""),
    "a semicolon instead of a comma": Case(csv(sep=";"), ""),
    "a caret instead of a comma": Case(csv(sep="^"), "separates its columns by '^'"),
    "a delimiter that nobody uses": Case(csv(sep="#"), "'y' is not a column of 't.csv'", refused=True),
    "a file cut in the middle of a line": Case(text(lambda t: t[:-12]), "the file may be cut"),
    "a file cut in the middle of a quote": Case(
        text(lambda t: t + '1,2,"a text that'), "cannot be read: EOF inside string", refused=True
    ),
    "a Parquet file cut in the middle": Case(
        cut_parquet, "is not a complete parquet file. Write it again", refused=True
    ),
    "Excel with several sheets": Case(workbook, "has 2 sheets; 'May' was read. Write 't.xlsx#June' for another"),
    "thousands separators": Case(
        csv(lambda f: f.assign(a=[f"{1000 + 37 * i:,}" for i in range(ROWS)])), "'1,000' was read as 1000"
    ),
    "decimal commas": Case(csv(sep=";", decimal=","), "writes decimal commas"),
    "a byte order mark": Case(csv(encoding="utf-8-sig"), "", target="a"),
    "a header with a name twice": Case(
        text(lambda t: t.replace("a,b,town,y", "a,a,town,y")), "has the column 'a' more than once", refused=True
    ),
    "a row that is too long": Case(text(lambda t: t + "1,2,Ulm,yes,more\n"), "line 122", refused=True),
    "a huge integer": Case(csv(lambda f: f.assign(a=[10**30 * (i + 1) for i in range(ROWS)])), ""),
    "huge integers as the target": Case(csv(lambda f: f.assign(y=[10**25 * (i % 40) for i in range(ROWS)])), ""),
    "booleans as text": Case(csv(lambda f: f.assign(flag=["TRUE", "false", "True"] * 40)), ""),
    "a target of booleans as text": Case(csv(lambda f: f.assign(y=f["y"].map({"yes": "TRUE", "no": "FALSE"}))), ""),
    "spaces at the ends of labels": Case(
        csv(lambda f: f.assign(y=f["y"] + np.where(f.index % 2, "", " "))), "differ only in spaces at their ends"
    ),
    "labels in two ways of writing": Case(
        csv(lambda f: f.assign(y=f["y"].where(f.index % 2 > 0, f["y"].str.upper()))), "are classes of their own"
    ),
    "names in other scripts": Case(
        csv(lambda f: f.rename(columns={"a": "größe", "town": "城市", "y": "цель"})), "", target="цель"
    ),
    "one row": Case(csv(rows=1), "at least 10 are needed to train", refused=True),
    "no rows": Case(csv(rows=0), "has a header but no rows", refused=True),
    "an empty file": Case(lambda: str(Path("t.csv").write_text("") or "t.csv"), "is empty", refused=True),
    "no other column": Case(csv(lambda f: f[["y"]]), "has nothing to learn from beside 'y'", refused=True),
    "numbers beyond floats": Case(
        csv(lambda f: f.assign(a=[f"1e{300 + i}" for i in range(ROWS)])), "no finite numbers"
    ),
}


@pytest.mark.parametrize("what", CASES)
def test_bad_input_trains_with_a_note_or_says_what_to_do(what: str, agent: Agent) -> None:
    case = CASES[what]
    name = case.write()
    if case.refused:
        with pytest.raises(BadInput) as raised:
            agent.call("train", dataset=name, target=case.target, model="linear", budget_seconds=5)
        assert case.told in str(raised.value)
        return
    result: Any = agent.call("train", dataset=name, target=case.target, model="linear", budget_seconds=5)
    told = "\n".join([*result.notes, *(f.text for f in result.findings)])
    assert case.told in told
    assert np.isfinite(result.score)
    predicted: Any = agent.call("predict", model=result.model, dataset=name, output="p.csv")
    assert pd.read_csv("p.csv")["prediction"].notna().sum() == predicted.rows


def test_10_000_categories_train_in_time(agent: Agent) -> None:
    random = np.random.default_rng(0)
    frame = table(20_000).assign(code=random.permutation([f"c{i // 2}" for i in range(20_000)]))
    frame.to_csv("t.csv", index=False)
    result: Any = agent.call("train", dataset="t.csv", target="y", model="linear", budget_seconds=20)
    assert result.score > 0.95


def test_2000_columns_train_in_time(agent: Agent) -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(300, 2_000)).round(3)).add_prefix("x")
    frame["y"] = np.where(frame.iloc[:, :200].sum(axis=1) > 0, "yes", "no")
    frame.to_csv("t.csv", index=False)
    result: Any = agent.call("train", dataset="t.csv", target="y", model="linear", budget_seconds=20)
    assert result.score > 0.6
    assert any("more columns (2000) than rows (300)" in f.text for f in result.findings)


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_a_file_that_is_read_as_a_big_one_gives_the_same_model(
    name: str, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    from agentkit import tables

    random = np.random.default_rng(0)
    frame = table(300).assign(
        day=(pd.Timestamp("2026-01-01") + pd.to_timedelta(random.integers(0, 90, 300), unit="D")).astype(str),
        flag=random.choice([True, False], 300),
        count=random.integers(0, 9, 300),
        note=[f"{i} parcels came to door {i % 7} at last" for i in range(300)],
    )
    frame.loc[::9, ["town", "a"]] = None
    if name == "t.csv":
        frame.to_csv(name, index=False)
    else:
        frame.to_parquet(name)
    train: dict[str, Any] = {"dataset": name, "target": "y", "model": "hist_gradient_boosting", "trials": 2}
    small: Any = agent.call("train", **train)
    monkeypatch.setattr(tables, "_BIG_TEXT", 0)
    monkeypatch.setattr(tables, "BIG_CELLS", 0)
    big: Any = agent.call("train", **train)
    assert big.metrics == pytest.approx(small.metrics)
    assert big.columns == small.columns
    assert [f.level for f in big.findings] == [f.level for f in small.findings]
    scored: Any = agent.call("evaluate", model=big.model, dataset=name)
    assert scored.score == pytest.approx(big.score)
    agent.call("train", **train, time_column="day")
    agent.call("train", **train, group_column="town")


def test_a_place_that_cannot_hold_a_model_is_told_before_anything_is_fitted(workspace: Path) -> None:
    (workspace / "file").write_text("not a folder")
    pd.DataFrame({"x": [1, 2, 3, 4] * 10, "y": ["a", "b"] * 20}).to_csv("t.csv", index=False)
    done = subprocess.run(
        [str(Path(sys.executable).with_name("agentkit")), "tool", "train", "--dataset", "t.csv", "--target", "y"],
        cwd=workspace, env=os.environ | {"AGENTKIT_HOME": str(workspace / "file")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "cannot be made" in done.stderr
    assert "Set AGENTKIT_HOME" in done.stderr
    assert "Trial" not in done.stderr
