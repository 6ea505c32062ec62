"""Files of every kind give their text with its place; those that cannot be read give the reason."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any

import pytest
from agentkit_rag.documents import Source
from agentkit_rag.reading import Unreadable, read, sources, text_of
from langchain_core.documents import Document

from agentkit.errors import BadInput

from .files import docx, paragraph, pdf, table


def told(source: Source) -> list[tuple[tuple[str, ...], str]]:
    return [(p.title_path, p.text.strip()) for p in source.pieces]


def check_places(source: Source) -> None:
    text = text_of(source)
    assert all(text[p.start : p.start + len(p.text)] == p.text for p in source.pieces)


def test_markdown_keeps_headings_and_the_file_as_it_is(workspace: Path) -> None:
    text = "intro\n\n# Plans #\nAll plans.\n## Pro\nCosts 9.\n```sh\n# no heading\n```\n# Refunds\n14 days.\n"
    (workspace / "plans.md").write_text(text)
    source = read(workspace / "plans.md")
    assert text_of(source) == text
    check_places(source)
    assert told(source) == [
        ((), "intro"),
        (("Plans",), "# Plans #\nAll plans."),
        (("Plans", "Pro"), "## Pro\nCosts 9.\n```sh\n# no heading\n```"),
        (("Refunds",), "# Refunds\n14 days."),
    ]


def test_html_becomes_markdown_without_scripts_and_pictures(workspace: Path) -> None:
    (workspace / "p.html").write_text(
        "<html><head><title>The shop</title><style>b{}</style></head><body><h1>Refunds</h1><p>Within <b>14</b> days."
        "<img src='data:image/png;base64,AAAA'><script>steal()</script><table><tr><th>a</th></tr><tr><td>1</td></tr>"
        "</table></body></html>"
    )
    source = read(workspace / "p.html")
    assert source.pieces[-1].title_path == ("Refunds",)
    text = text_of(source)
    assert "Within **14** days." in text
    assert "| 1 |" in text
    assert not any(word in text for word in ("steal", "base64", "b{}"))


def test_pdf_pages_are_numbered_and_empty_ones_count(workspace: Path) -> None:
    (workspace / "report.pdf").write_bytes(pdf(["Revenue rose", "", "Costs fell"]))
    source = read(workspace / "report.pdf")
    assert [(p.page, p.text.strip()) for p in source.pieces] == [(1, "Revenue rose"), (3, "Costs fell")]
    check_places(source)


def test_docx_keeps_headings_and_tables(workspace: Path) -> None:
    docx(workspace / "d.docx", paragraph("Refunds", "Heading1") + paragraph("14 days") + table([["plan", "9 EUR"]]))
    text = text_of(read(workspace / "d.docx"))
    assert "14 days" in text
    assert "9 EUR" in text


def test_a_notebook_gives_its_cells_under_its_headings(workspace: Path) -> None:
    cells: list[dict[str, Any]] = [
        {"cell_type": "markdown", "source": ["# Load\n", "We load it."]},
        {"cell_type": "code", "source": "frame = load()", "outputs": [{"text": "SECRET"}]},
        {"cell_type": "code", "source": []},
    ]
    (workspace / "n.ipynb").write_text(json.dumps({"cells": cells}))
    source = read(workspace / "n.ipynb")
    assert told(source) == [(("Load",), "# Load\nWe load it."), (("Load",), "frame = load()")]
    check_places(source)


@pytest.mark.parametrize(
    ("name", "content"),
    [("t.txt", "plain text"), ("LICENSE", "free"), ("c.py", "def f():\n    return 1\n"), ("l.jsonl", '{"a": 1}\n')],
)
def test_text_and_code_are_read_as_they_are(workspace: Path, name: str, content: str) -> None:
    (workspace / name).write_text(content)
    assert text_of(read(workspace / name)) == content


def test_csv_rows_keep_their_columns_and_json_its_shape(workspace: Path) -> None:
    (workspace / "c.csv").write_text("name,price\noak,9\n")
    assert read(workspace / "c.csv").pieces[0].title_path == ("name,price",)
    (workspace / "j.json").write_text('{"oak": {"price": 9}}')
    assert '"price": 9' in text_of(read(workspace / "j.json"))


def test_windows_line_ends_marks_and_utf16_are_understood(workspace: Path) -> None:
    (workspace / "a.txt").write_bytes("\ufeffone\r\ntwo".encode())
    (workspace / "b.txt").write_bytes("one\r\ntwo".encode("utf-16"))
    assert [text_of(read(workspace / n)) for n in ("a.txt", "b.txt")] == ["one\ntwo"] * 2


BAD: dict[str, tuple[str, bytes]] = {
    "empty": ("a.txt", b""),
    "blank": ("a.md", b" \n\t\n"),
    "nul": ("a.txt", b"abc\0def"),
    "binary": ("a.txt", bytes(range(128, 256))),
    "latin1": ("a.md", "Grüße".encode("latin-1")),
    "picture": ("a.png", b"\x89PNG\r\n\x1a\n\0\0"),
    "encrypted": ("a.pdf", pdf(["secret"], encrypted=True)),
    "no pdf": ("a.pdf", b"plain text, called a PDF"),
    "damaged": ("a.pdf", b"%PDF-1.4\n" + b"x" * 100),
    "scanned": ("a.pdf", pdf(["", ""])),
    "pdf as text": ("a.txt", b"%PDF-1.4\n\xe2\xe3\xcf\xd3\n"),
    "no docx": ("a.docx", b"plain text"),
    "no json": ("a.json", b"{broken"),
    "deep json": ("a.json", b"[" * 200_000),
    "no notebook": ("a.ipynb", b'{"cells": 3}'),
}
REASONS = {
    "empty": "empty", "blank": "empty", "nul": "NUL", "binary": "binary", "latin1": "UTF-8", "picture": "binary",
    "encrypted": "encrypted", "no pdf": "not a PDF", "damaged": "damaged", "scanned": "OCR", "pdf as text": "binary",
    "no docx": "not a Word document", "no json": "not JSON", "deep json": "not JSON", "no notebook": "no cells",
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_read_gives_the_reason(workspace: Path, case: str) -> None:
    name, content = BAD[case]
    (workspace / name).write_bytes(content)
    with pytest.raises(Unreadable, match=REASONS[case]):
        read(workspace / name)


def test_links_in_a_circle_folders_and_missing_files_give_the_reason(workspace: Path) -> None:
    (workspace / "a.txt").symlink_to(workspace / "b.txt")
    (workspace / "b.txt").symlink_to(workspace / "a.txt")
    os.mkfifo(workspace / "pipe.txt")
    for name in ("a.txt", ".", "none.txt", "pipe.txt"):
        with pytest.raises(Unreadable):
            read(workspace / name)


def test_elements_nested_a_thousand_deep_do_not_break(workspace: Path) -> None:
    (workspace / "deep.html").write_text("<div>" * 5_000 + "word" + "</div>" * 5_000)
    with warnings.catch_warnings(action="ignore"):
        try:
            assert "word" in text_of(read(workspace / "deep.html"))
        except Unreadable as error:
            assert "nested" in str(error)


def test_what_a_database_does_not_take_is_replaced_in_place(workspace: Path) -> None:
    (workspace / "n.ipynb").write_text('{"cells": [{"cell_type": "code", "source": "a\\u0000b\\ud800c"}]}')
    assert text_of(read(workspace / "n.ipynb")) == "a\ufffdb\ufffdc"


def test_python_documents_of_every_form() -> None:
    given = [
        "a text",
        ("id-2", "another"),
        {"id": "id-3", "text": "third", "title": "Third", "metadata": {"year": 2024, "tags": ["x"]}},
        Document("fourth", metadata={"source": "four.txt"}),
    ]
    made = list(sources(given))
    assert [text_of(s) for s in made] == ["a text", "another", "third", "fourth"]
    assert [s.name for s in made][1:] == ["id-2", "id-3", "four.txt"]
    assert made[2].metadata == {"year": 2024}
    assert made[2].pieces[0].title_path == ("Third",)
    assert [s.name for s in sources(["a text"])] == [made[0].name]
    changed = next(iter(sources([{"id": "id-3", "text": "third", "title": "Third", "metadata": {"year": 2025}}])))
    assert changed.digest != made[2].digest
    with pytest.raises(BadInput, match=r"document 1: int"):
        list(sources(["fine", 3]))
