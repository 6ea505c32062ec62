"""The tools index_documents and search_documents, as agents and programs call them."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from agentkit_rag.store.contract import CollectionError
from langchain_core.embeddings import Embeddings

from agentkit import Agent, EmbeddingSpec, hookimpl
from agentkit.errors import BadInput, ToolInputError, WorkspaceError
from agentkit.results import BRIEF_LIMIT
from agentkit.settings import Settings, load_settings
from agentkit.testing import ScriptedChatModel
from tests.rag.stores import Hashing


def hashing(name: str, settings: Settings) -> Embeddings:
    return Hashing(f"hashing-{name}" if name else "hashing")


class Hashes:
    @hookimpl
    def register_embeddings(self) -> list[EmbeddingSpec]:
        return [EmbeddingSpec("hashing", f"{__name__}:hashing", "Words by hash", remote=False)]


def made(**settings: Any) -> Agent:
    chosen = load_settings(**{"embeddings": "hashing", **settings})
    return Agent(ScriptedChatModel(script=["hi"]), plugins=[Hashes()], settings=chosen)


@pytest.fixture
def name() -> str:
    return f"docs {secrets.token_hex(4)}"


@pytest.fixture
def agent(workspace: Path, name: str) -> Iterator[Any]:
    (workspace / "docs").mkdir()
    (workspace / "docs" / "oak.md").write_text("# Trees\n\n## Oaks\n\nThe oak bears acorns in autumn.\n")
    (workspace / "docs" / "fish.txt").write_text("The pike has teeth.")
    (workspace / "docs" / "prices.csv").write_text("fruit,price\nacorn,3\nplum,4\n")
    (workspace / "docs" / "noise.bin").write_bytes(bytes(range(256)) * 40)
    with made() as agent:
        yield agent
        store = agent.services.vector_store("postgres")
        if name in store.names():
            store.open(name).drop()


def test_a_folder_is_indexed_and_searched(agent: Any, name: str, workspace: Path) -> None:
    indexed = agent.call("index_documents", path="docs", collection=name)
    assert (indexed.added, indexed.sources, indexed.embedding_model) == (3, 3, "hashing")
    assert [s.source for s in indexed.skipped] == ["docs/noise.bin"]
    found = agent.call("search_documents", query="what bears acorns?", collection=name, k=2)
    hit = found.hits[0]
    assert hit.source == "docs/oak.md"
    assert "acorns in autumn" in hit.text
    assert hit.title_path[0] == "Trees"
    assert (found.mode, found.collection, len(found.hits)) == ("hybrid", name, 2)
    assert found.artifacts[0].source == hit.place == "docs/oak.md, " + " > ".join(hit.title_path)
    again = agent.call("index_documents", path="docs", collection=name)
    assert (again.unchanged, again.added, again.changed, again.removed) == (3, 0, 0, 0)
    (workspace / "docs" / "fish.txt").unlink()
    assert agent.call("index_documents", path="docs", collection=name).removed == 1


def test_one_file_and_then_the_whole_workspace(agent: Any, name: str) -> None:
    assert agent.call("index_documents", path="docs/oak.md", collection=name).added == 1
    whole = agent.call("index_documents", path=".", collection=name)
    assert whole.unchanged == 1
    assert whole.added == 2


def test_the_briefs_are_short_and_say_what_is_next(agent: Any, name: str, workspace: Path) -> None:
    for i in range(40):
        (workspace / "docs" / f"{'long name ' * 15}{i}.bin").write_bytes(bytes(range(256)))
        (workspace / "docs" / f"{'long name ' * 15}{i}.txt").write_text(f"The acorn number {i} lies in the wood. " * 30)
    indexed = agent.call("index_documents", path="docs", collection=name)
    assert len(indexed.brief()) < BRIEF_LIMIT
    assert "43 sources: 43 added, 0 changed" in indexed.brief()
    assert "more" in indexed.brief()
    assert "search_documents" in indexed.brief()
    found = agent.call("search_documents", query="acorn", collection=name, k=20)
    assert len(found.hits) == 20
    assert len(found.brief()) < BRIEF_LIMIT


def test_filters_modes_and_neighbours(agent: Any, name: str) -> None:
    agent.call("index_documents", path="docs", collection=name)
    search: dict[str, Any] = {"query": "acorn", "collection": name}
    assert {h.source for h in agent.call("search_documents", **search, filters={"kind": "csv"}).hits} == {
        "docs/prices.csv"
    }
    assert {h.source for h in agent.call("search_documents", **search, filters={"source": "*.md"}).hits} == {
        "docs/oak.md"
    }
    for mode in ("dense", "lexical", "mmr"):
        assert agent.call("search_documents", **search, mode=mode, neighbours=1, half_life=30).hits
    assert (
        agent.call("search_documents", query="zyzzyva", collection=name, mode="lexical").brief().startswith("Nothing")
    )


def test_what_cannot_be_done_is_said(agent: Any, name: str, tmp_path: Path) -> None:
    with pytest.raises(CollectionError, match=r"no collection 'trees'"):
        agent.call("search_documents", query="oak", collection="trees")
    with pytest.raises(BadInput, match=r"'doc' is not in the workspace. The nearest name is 'docs'"):
        agent.call("index_documents", path="doc", collection=name)
    with pytest.raises(WorkspaceError):
        agent.call("index_documents", path="..", collection=name)
    agent.call("index_documents", path="docs", collection=name)
    for query in ("", "   ", "x" * 20_001):
        with pytest.raises((CollectionError, ToolInputError)):
            agent.call("search_documents", query=query, collection=name)
    assert agent.call("search_documents", query="acorn' | !! & <-> --; drop", collection=name).hits


def test_other_embeddings_than_the_collections_are_refused_with_the_remedy(agent: Any, name: str) -> None:
    agent.call("index_documents", path="docs", collection=name)
    with made(embeddings="hashing:b") as other:
        for tool, arguments in (("search_documents", {"query": "oak"}), ("index_documents", {"path": "docs"})):
            with pytest.raises(CollectionError, match=r"'hashing-b'.*--reembed"):
                other.call(tool, collection=name, **arguments)
        assert other.call("search_documents", query="oak", collection=name, mode="lexical").hits


def test_the_same_tools_work_on_chroma(workspace: Path) -> None:
    pytest.importorskip("chromadb", reason="Chroma is not installed: pip install 'agentkit-ml[chroma]'")
    (workspace / "oak.md").write_text("The oak bears acorns.")
    (workspace / "agentkit.toml").write_text('[rag]\nstore = "chroma"\n')
    with made(home=str(workspace / "home")) as agent:
        assert agent.call("index_documents", path="oak.md").added == 1  # type: ignore[attr-defined]
        found: Any = agent.call("search_documents", query="acorns")
        assert (found.mode, found.hits[0].source) == ("dense", "oak.md")


def test_a_store_that_no_plugin_offers(workspace: Path) -> None:
    (workspace / "agentkit.toml").write_text('[rag]\nstore = "postgress"\n')
    with made() as agent, pytest.raises(BadInput, match=r"'postgress'. The nearest name is 'postgres'"):
        agent.call("search_documents", query="acorns")


_AFTER_A_CHAT = """
from tests.rag.test_search_documents import made
with made() as agent:
    agent.ask("Hello")
    agent.call("index_documents", path="docs", collection="after a chat")
    print(agent.call("search_documents", query="acorns", collection="after a chat", k=1).hits[0].source)
    agent.services.vector_store("postgres").open("after a chat").drop()
"""


def test_connections_that_are_older_than_the_plugin_are_searched(workspace: Path) -> None:
    """An agent talks first: its threads opened the connections before anything of retrieval was imported."""
    (workspace / "docs").mkdir()
    (workspace / "docs" / "oak.md").write_text("The oak bears acorns.")
    root = str(Path(__file__).parents[2])
    ended = subprocess.run(
        [sys.executable, "-c", _AFTER_A_CHAT], env=os.environ | {"PYTHONPATH": root}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert ended.stdout == "docs/oak.md\n", ended.stderr
