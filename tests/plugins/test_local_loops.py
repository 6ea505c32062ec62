"""A model that says the same over and over is not listened to any longer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from agentkit_local.loops import LEAST, TIMES, Unrepeated
from agentkit_local.steps import REPETITION, Answer, Piece
from hypothesis import given, settings
from hypothesis import strategies as st

SENTENCE = "What is the distribution of each column by the target? "


def read(text: str, width: int, **options: Any) -> tuple[list[Piece], int]:
    """The pieces of an output that comes in parts of `width` characters, and how many characters were taken."""
    taken = 0

    def chunks() -> Iterator[dict[str, Any]]:
        nonlocal taken
        yield {"choices": [], "prompt_progress": {"total": 900, "cache": 880, "processed": 900}}
        for at in range(0, len(text), width):
            taken += width
            yield {"choices": [{"delta": {"content": text[at : at + width]}}]}
        yield {"choices": [{"delta": {}, "finish_reason": "length"}], "usage": {"prompt_tokens": 900}}

    return list(Answer(**options).read(chunks())), taken


@pytest.mark.parametrize("width", [1, 4, 7])
def test_a_call_that_loops_is_cut_and_no_further_token_is_taken(width: int) -> None:
    start = f'{{"tool": "query_database", "arguments": {{"question": "How many rows? {SENTENCE}'
    pieces, taken = read(start + SENTENCE * 50, width, constrained=True)
    assert [(p.tool, p.arguments) for p in pieces if p.tool] == [("query_database", None)]
    assert pieces[-1].finish == REPETITION
    assert taken < len(start) + (TIMES + 1) * len(SENTENCE)
    assert pieces[-1].usage["prompt_tokens"] == 900
    assert pieces[-1].usage["completion_tokens"] == taken // width
    assert pieces[-1].usage["prompt_tokens_details"] == {"cached_tokens": 880}


@pytest.mark.parametrize("constrained", [False, True])
@pytest.mark.parametrize("width", [1, 4, 7])
def test_an_answer_that_loops_ends_before_the_loop(constrained: bool, width: int) -> None:
    said = "There are two tables. " + SENTENCE * 50
    text = json.dumps({"tool": "respond", "arguments": {"answer": said}}) if constrained else said
    pieces, _ = read(text, width, constrained=constrained)
    assert "".join(p.text for p in pieces) == f"There are two tables. {SENTENCE}".strip()
    assert pieces[-1].finish == REPETITION


def test_a_loop_that_begins_in_a_sentence_leaves_the_sentence_whole() -> None:
    pieces, _ = read("Look at the target? " + SENTENCE * 50, 3, constrained=False)
    assert "".join(p.text for p in pieces) == "Look at the target? " + SENTENCE.strip()


@pytest.mark.parametrize(
    "text",
    [
        "-" * 150,
        "Yes. " * 10,
        SENTENCE * (TIMES - 1),
        "".join(f"Column {c} has 3 missing values and 12 distinct ones. " for c in "abcdefghijklmnop"),
        "| city | count |\n|------|-------|\n" + "".join(f"| town {n} | 25 |\n" for n in range(40)),
        json.dumps([{"id": n, "kind": "a", "left": False} for n in range(40)]),
    ],
)
@pytest.mark.parametrize("width", [1, 5])
def test_what_is_only_alike_is_no_loop(text: str, width: int) -> None:
    pieces, _ = read(text, width, constrained=False)
    assert "".join(p.text for p in pieces) == text
    assert pieces[-1].finish == "length"


@settings(deadline=None)
@given(st.lists(st.text("ab .", max_size=9), max_size=60))
def test_nothing_is_lost_and_nothing_that_was_given_is_taken_back(pieces: list[str]) -> None:
    text = Unrepeated()
    given_ = "".join(text.feed(piece) for piece in pieces)
    whole = "".join(pieces)
    assert whole.startswith(given_)
    if text.loops:
        assert len(whole) >= LEAST
    else:
        assert given_ + text.rest() == whole


@settings(deadline=None)
@given(st.text("abc .?", min_size=1, max_size=70), st.text("xyz .?", max_size=40))
def test_every_stretch_that_comes_often_enough_is_found(stretch: str, before: str) -> None:
    text = Unrepeated()
    given_ = "".join(map(text.feed, before + stretch * (LEAST // len(stretch) + TIMES + 1)))
    assert text.loops
    assert len(given_ + text.rest()) <= len(before) + 2 * len(stretch) + 40
