"""`agentkit rag` from a folder of mixed documents to an answer, with the embeddings that come along."""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentkit.testing import ScriptedChatModel

from .files import docx, paragraph, pdf

Cli = Callable[..., Any]


@pytest.fixture
def name(cli: Cli) -> Iterator[str]:
    made = f"cli-{secrets.token_hex(4)}"
    yield made
    cli("rag", "drop", made, "--yes")


@pytest.fixture
def shop(workspace: Path) -> Path:
    folder = workspace / "docs"
    folder.mkdir()
    (folder / "refunds.md").write_text("# Refunds\n\nMoney comes back within 14 days of the request.\n")
    (folder / "report.pdf").write_bytes(pdf(["Revenue was 12 million euros", "In May the costs fell"]))
    docx(folder / "hours.docx", paragraph("Hours", "Heading1") + paragraph("The shop opens at nine in the morning."))
    (folder / "oaks.py").write_text("def grow(oak):\n    '''Let an oak grow.'''\n    return oak + 1\n")
    (folder / "broken.pdf").write_bytes(pdf(["secret"], encrypted=True))
    return folder


def test_from_a_folder_to_passages_and_back(cli: Cli, shop: Path, name: str) -> None:
    done = cli("rag", "index", "docs", "-c", name)
    assert done.code == 0, done.err
    assert "4 sources: 4 added" in done.out
    assert "docs/broken.pdf: is encrypted" in done.out
    assert "4 unchanged" in cli("rag", "index", "docs", "-c", name).out

    for query, source in [
        ("when do I get a refund", "docs/refunds.md"),
        ("opening time of the shop", "docs/hours.docx"),
        ("expenses in spring", "docs/report.pdf"),
        ("function that lets a tree grow", "docs/oaks.py"),
    ]:
        found = json.loads(cli("rag", "search", query, "-c", name, "-k", "1", "--json").out)
        assert [hit["source"] for hit in found["hits"]] == [source], query

    shown = cli("rag", "search", "costs in May", "-c", name, "-k", "1", "--filter", "page=2")
    assert "docs/report.pdf, page 2, characters" in shown.out
    listed = {c["name"]: c for c in json.loads(cli("rag", "list", "--json").out)}
    assert (listed[name]["sources"], listed[name]["embeddings"]) == (4, "all-minilm-l6-v2")
    checked = json.loads(cli("rag", "check", name, "--json").out)
    assert checked["recall"] == 1.0
    assert "nothing is missed" in checked["advice"]

    (shop / "refunds.md").unlink()
    assert "1 removed" in cli("rag", "index", "docs", "-c", name).out
    assert cli("rag", "drop", name, "--yes").code == 0
    assert name not in cli("rag", "list").out


def test_an_answer_shows_its_sources(cli: Cli, shop: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cli("rag", "index", "docs", "-c", name)
    claim = {"passage": 1, "quote": "Money comes back within 14 days", "claim": "Refunds take 14 days."}
    model = ScriptedChatModel(script=[json.dumps({"claims": [claim]}), '{"claims": []}'])
    monkeypatch.setattr("agentkit.models.create", lambda *_: model)
    told = cli("rag", "ask", "How long do refunds take?", "-c", name)
    assert told.code == 0, told.err
    assert told.out.startswith("Refunds take 14 days. [1]\n")
    assert '[1] docs/refunds.md, characters 11-42: "Money comes back within 14 days"' in told.out
    again = json.loads(cli("rag", "ask", "Who is the queen of Spain?", "-c", name, "--json").out)
    assert (again["found"], again["answer"]) == (False, "The documents do not say it.")


def test_neither_key_nor_hub_nor_internet_is_needed(
    cli: Cli, shop: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    connect = socket.socket.connect

    def local_only(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX:
            asked.append(address)
            raise OSError("no network")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", local_only)
    assert cli("rag", "index", "docs", "-c", name).code == 0
    found = json.loads(cli("rag", "search", "when do I get a refund", "-c", name, "-k", "1", "--json").out)
    assert [hit["source"] for hit in found["hits"]] == ["docs/refunds.md"]
    assert asked == []


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("search", ""), "empty"),
        (("search", "x" * 20_001), "20,000"),
        (("ask", "  "), "empty"),
        (("search", "oak", "--filter", "page"), "KEY=VALUE"),
        (("index", "/etc"), "outside the workspace"),
        (("index", "nowhere"), "not in the workspace"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(
    cli: Cli, workspace: Path, name: str, args: tuple[str, ...], message: str
) -> None:
    (workspace / "a.txt").write_text("An oak.")
    cli("rag", "index", "a.txt", "-c", name)
    done = cli("rag", *args, "-c", name)
    assert done.code == 2
    assert message in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("args", [("search", "oak", "-c"), ("ask", "oak?", "-c"), ("drop", "--yes"), ("check",)])
def test_a_collection_that_is_not_there_is_named(cli: Cli, args: tuple[str, ...]) -> None:
    done = cli("rag", *args, "no-such-collection")
    assert done.code == 2
    assert "There is no collection 'no-such-collection'" in done.err


@pytest.mark.parametrize("query", ["oak & ! | (", "'; drop table x; --", "NOT AND OR", "oak:*", "\\", "<->", "%_"])
def test_operators_in_a_query_are_words(cli: Cli, workspace: Path, name: str, query: str) -> None:
    (workspace / "a.txt").write_text("An oak grows.")
    cli("rag", "index", "a.txt", "-c", name)
    done = cli("rag", "search", query, "-c", name)
    assert done.code == 0, done.err


def test_embedding_anew_needs_no_path_and_indexing_does(cli: Cli, workspace: Path, name: str) -> None:
    (workspace / "a.txt").write_text("An oak grows.")
    cli("rag", "index", "a.txt", "-c", name)
    done = cli("rag", "index", "--reembed", "-c", name, "--json")
    assert (done.code, json.loads(done.out)["collection"]) == (0, name)
    assert cli("rag", "index", "-c", name).code == 2
