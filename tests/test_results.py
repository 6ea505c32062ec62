"""What the model reads of a result is short; what people and programs read is whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agentkit import Figure, File, Table, ToolResult
from agentkit.results import BRIEF_LIMIT, Citation, TextResult


class Report(ToolResult):
    score: float
    text: str = "fine"

    def brief(self) -> str:
        return self.text


def test_a_short_brief_is_read_as_it_is_with_its_notes() -> None:
    report = Report(score=0.5, text="accuracy 0.5", notes=["2 rows dropped", "dates parsed"])
    assert report.message() == "accuracy 0.5\nNote: 2 rows dropped\nNote: dates parsed"


def test_a_long_brief_is_cut_at_a_line() -> None:
    lines = [f"column {i}: some text about it" for i in range(100)]
    message = TextResult(text="\n".join(lines)).message()
    assert len(message) <= BRIEF_LIMIT
    *kept, mark = message.splitlines()
    assert mark == "[shortened]"
    assert kept == lines[: len(kept)]
    assert len(message) > BRIEF_LIMIT - 100


@pytest.mark.parametrize("text", ["x" * 5_000, "title\n" + "x" * 5_000])
def test_a_long_line_is_cut_inside_so_that_enough_is_left(text: str) -> None:
    message = TextResult(text=text).message()
    assert BRIEF_LIMIT - 50 < len(message) <= BRIEF_LIMIT
    assert message.endswith("x\n[shortened]")


@given(st.text(alphabet="ab \n", max_size=4_000), st.lists(st.text(alphabet="ab\n", max_size=900), max_size=3))
def test_no_brief_is_longer_than_the_limit(text: str, notes: list[str]) -> None:
    message = TextResult(text=text, notes=notes).message()
    assert len(message) <= BRIEF_LIMIT
    whole = "\n".join([text, *(f"Note: {n}" for n in notes)])
    assert message == whole or whole.startswith(message.removesuffix("\n[shortened]"))


def test_a_result_without_a_brief_says_which_class_lacks_it() -> None:
    class Silent(ToolResult):
        pass

    with pytest.raises(NotImplementedError, match=r"Silent must say in brief\(\)"):
        Silent().message()


def test_a_result_is_the_same_after_it_was_stored() -> None:
    report = Report(score=0.25, notes=["assumed UTC"])
    assert Report.model_validate_json(report.model_dump_json()) == report


def test_a_misspelt_field_is_an_error() -> None:
    with pytest.raises(ValidationError, match="scor"):
        Report(score=1.0, scor=2.0)  # type: ignore[call-arg]


def test_artifacts_know_their_kind_and_cannot_be_changed() -> None:
    table = Table(columns=["a"], rows=[[1]])
    assert [x.kind for x in (table, Figure(title="t", path="p"), File(path="p"), Citation(source="s", text="t"))] == [
        "table",
        "figure",
        "file",
        "citation",
    ]
    with pytest.raises(ValidationError):
        table.title = "other"
