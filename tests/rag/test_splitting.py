"""Chunks are exactly the characters that they name, and together they are the whole text."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from agentkit_rag.documents import Piece, Source
from agentkit_rag.reading import read, text_of
from agentkit_rag.reading.markdown import sections
from agentkit_rag.reading.text import placed
from agentkit_rag.splitting import Kind, Splitting, split
from hypothesis import given, settings
from hypothesis import strategies as st

WORDS = st.lists(
    st.sampled_from(["oak", "elm ", "\n", "\n\n", ". ", "aaaa", "# Tree\n", "def f():\n", "é", "\t", "- "])
)
KINDS: list[Kind] = ["auto", "recursive", "markdown", "token", "code"]


def whole(text: str, name: str = "a.md") -> Source:
    return Source(name, "d", tuple(sections(text)))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None)
@given(words=WORDS, name=st.sampled_from(["a.md", "a.py", "a.txt"]))
def test_chunks_name_their_characters_and_leave_none_out(kind: Kind, words: list[str], name: str) -> None:
    source = whole("".join(words), name)
    text = text_of(source)
    chunks = split(source, Splitting(kind, size=20, overlap=5))
    assert [c.position for c in chunks] == list(range(len(chunks)))
    covered = set[int]()
    for chunk in chunks:
        assert text[chunk.start : chunk.end] == chunk.text
        assert chunk.text == chunk.text.strip() != ""
        covered |= set(range(chunk.start, chunk.end))
    assert "".join(text[i] for i in range(len(text)) if i not in covered).strip() == ""


@pytest.mark.parametrize("kind", ["auto", "recursive", "markdown", "code"])
def test_no_chunk_is_longer_than_the_size_and_neighbours_overlap(kind: Kind) -> None:
    source = Source("a.txt", "d", (Piece(" ".join(f"word{n}" for n in range(2_000))),))
    chunks = split(source, Splitting(kind, size=300, overlap=60))
    assert max(len(c.text) for c in chunks) <= 300
    overlaps = [a.end - b.start for a, b in pairwise(chunks)]
    assert all(40 < o <= 60 for o in overlaps)


def test_what_fits_is_not_cut_and_no_short_rest_is_left_over() -> None:
    sentence = "The oak bears acorns in autumn. "
    for count in (28, 31, 62):
        (chunk,) = split(Source("a.txt", "d", (Piece(sentence * count),)))
        assert len(chunk.text) == len(sentence) * count - 1
    for count, page in ((63, None), (80, None), (32, 1), (40, 1), (54, 1)):
        lengths = [len(c.text) for c in split(Source("a.txt", "d", (Piece(sentence * count, page),)))]
        assert max(lengths) <= 1_000
        assert min(lengths) > 0.5 * max(lengths), lengths


def test_pages_are_never_joined_and_keep_their_numbers() -> None:
    pages = placed([Piece("short one", 1), Piece("short two", 2), Piece("x " * 900, 3)])
    chunks = split(Source("a.pdf", "d", pages))
    assert [c.page for c in chunks] == [1, 2, 3, 3, 3]


def test_short_sections_are_joined_and_long_ones_keep_their_headings() -> None:
    text = f"# Shop\n## Hours\n{'9 to 5. ' * 20}\n## Days\nMonday.\n## Refunds\n{'Money comes back. ' * 40}\n"
    chunks = split(whole(text))
    assert [c.title_path for c in chunks] == [("Shop",), ("Shop", "Refunds")]
    assert [c.title_path[-1] for c in split(whole(text), Splitting("markdown"))] == ["Shop", "Hours", "Days", "Refunds"]


def test_code_is_cut_before_functions() -> None:
    text = "".join(f"def function_{n}(a):\n    '''Do {n}.'''\n    return a + {n}\n\n\n" for n in range(60))
    chunks = split(Source("m.py", "d", (Piece(text),)), Splitting("code", size=400, overlap=0))
    assert len(chunks) > 8
    assert all(c.text.startswith("def ") for c in chunks)


def test_tokens_are_counted_as_asked() -> None:
    source = Source("a.txt", "d", (Piece("one two three four " * 100),))
    chunks = split(source, Splitting("token", size=16, overlap=0, count=lambda t: len(t.split())))
    assert {len(c.text.split()) for c in chunks} <= set(range(8, 17))


def test_an_overlap_as_large_as_the_size_is_refused() -> None:
    with pytest.raises(ValueError, match="overlap 200"):
        Splitting(size=200, overlap=200)


def test_fifty_megabytes_on_one_line_are_split_in_seconds(workspace: Path) -> None:
    """Only a tenth of it here: what counts is that the time grows with the length, not with its square."""
    (workspace / "big.txt").write_text("lorem ipsum " * 400_000)
    chunks = split(read(workspace / "big.txt"))
    assert len(chunks) > 5_000
