"""Bringing a collection up to date with a folder."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from agentkit_rag.documents import Chunk, Piece, Source
from agentkit_rag.files import walk
from agentkit_rag.indexing import Indexing, Outcome
from agentkit_rag.store import indexes
from agentkit_rag.store.postgres import open_store

from agentkit.errors import BadInput, Cancelled, WorkspaceError
from agentkit.settings import load_settings
from agentkit.storage import Storage
from tests.rag.stores import MODEL, Hashing, entry


class Unreadable(BadInput):
    """A test's own."""


def read(path: Path) -> Source:
    text = path.read_text(encoding="utf-8", errors="replace")
    if text.startswith("%broken"):
        raise Unreadable("encrypted")
    return Source(str(path), "", (Piece(text),))


def split(source: Source) -> list[Chunk]:
    """A chunk a paragraph."""
    chunks, start = list[Chunk](), 0
    for part in source.pieces[0].text.split("\n\n"):
        if part.strip():
            chunks.append(Chunk(part, start, start + len(part), position=len(chunks)))
        start += len(part) + 2
    return chunks


@pytest.fixture
def collection() -> Iterator[Any]:
    settings = load_settings()
    with Storage(settings) as storage:
        made = open_store(settings, storage).create(f"index {secrets.token_hex(4)}", MODEL)
        yield made
        made.drop()


def index(
    collection: Any, folder: Path, embeddings: Any = None, name: str = "docs", recipe: str = "a", progress: Any = None
) -> Outcome:
    def allowed(path: str | Path) -> None:
        if not Path(path).is_relative_to(folder.parent):
            raise WorkspaceError("outside")

    run = Indexing(collection, embeddings or Hashing(), split, progress or (lambda _m, _f: None))
    found = list(walk(folder, name, allowed, 1.0, run.outcome.skip))
    return run.files(found, read, recipe, name)


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    (folder / "deep").mkdir(parents=True)
    (folder / "oak.md").write_text("The oak has acorns.\n\nIt grows slowly.")
    (folder / "deep" / "pike.md").write_text("The pike has teeth.")
    return folder


def test_new_changed_and_missing_files(collection: Any, docs: Path) -> None:
    first = index(collection, docs)
    assert (first.added, first.chunks, first.embedded, first.skipped) == (2, 3, 3, [])
    assert set(collection.digests()) == {"docs/oak.md", "docs/deep/pike.md"}
    (docs / "oak.md").write_text("The oak has acorns.\n\nIt grows for centuries.")
    (docs / "deep" / "pike.md").unlink()
    (docs / "elm.md").write_text("The elm dies.")
    second = index(collection, docs)
    assert (second.added, second.changed, second.removed, second.unchanged) == (1, 1, 1, 0)
    assert second.embedded == 2, "the paragraph that stayed is not embedded again"
    assert set(collection.digests()) == {"docs/oak.md", "docs/elm.md"}
    assert [h.text for h in collection.search("centuries", mode="lexical")] == ["It grows for centuries."]
    assert collection.search("slowly", mode="lexical") == []


def test_an_unchanged_folder_is_neither_read_nor_embedded(collection: Any, docs: Path) -> None:
    index(collection, docs)
    embeddings = Hashing()
    again = index(collection, docs, embeddings)
    assert (again.unchanged, again.added, again.changed, again.removed, embeddings.given) == (2, 0, 0, 0, 0)


def test_another_way_of_splitting_makes_all_files_changed(collection: Any, docs: Path) -> None:
    index(collection, docs)
    assert index(collection, docs, recipe="b").changed == 2


def test_a_thousand_unchanged_files_take_less_than_two_seconds(collection: Any, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    for i in range(1_000):
        (folder / f"{i}.md").write_text(f"The text number {i} on oaks. " * 20)
    assert index(collection, folder).added == 1_000
    start = time.perf_counter()
    assert index(collection, folder).unchanged == 1_000
    assert time.perf_counter() - start < 2


def test_what_cannot_be_indexed_is_skipped_with_its_reason_and_the_rest_is_indexed(
    collection: Any, docs: Path, tmp_path: Path
) -> None:
    (docs / "broken.pdf").write_text("%broken")
    (docs / "copy of oak.md").write_text((docs / "oak.md").read_text())
    (docs / "empty.md").write_text("")
    (docs / "blank.md").write_text(" \n\n ")
    (docs / "huge.md").write_text("x" * 1_100_000)
    (docs / "loop").symlink_to(docs)
    (docs / "self.md").symlink_to(docs / "self.md")
    outside = tmp_path.parent / f"{tmp_path.name}-outside.md"
    outside.write_text("secret")
    (docs / "outside.md").symlink_to(outside)
    (docs / "gone.md").symlink_to(docs / "nothing.md")
    (docs / ".hidden.md").write_text("hidden")
    outcome = index(collection, docs)
    assert set(collection.digests()) == {"docs/copy of oak.md", "docs/deep/pike.md"}
    reasons = {name.removeprefix("docs/"): reason for name, reason in outcome.skipped}
    assert reasons.pop("self.md").startswith(("cannot be read", "a link"))
    assert reasons == {
        "broken.pdf": "encrypted",
        "oak.md": "the same as docs/copy of oak.md",
        "empty.md": "empty",
        "blank.md": "no text in it",
        "huge.md": "1 MB; [rag] largest_file is 1 MB",
        "loop": "a link to a folder: index that folder itself",
        "outside.md": "a link out of the workspace",
        "gone.md": "cannot be read: No such file or directory",
    }


def test_a_file_that_became_unreadable_is_no_longer_found(collection: Any, docs: Path) -> None:
    index(collection, docs)
    (docs / "oak.md").write_text("%broken")
    outcome = index(collection, docs)
    assert outcome.removed == 1
    assert outcome.skipped == [("docs/oak.md", "encrypted")]
    assert set(collection.digests()) == {"docs/deep/pike.md"}


def test_indexing_one_folder_leaves_others_and_programs_documents_alone(collection: Any, docs: Path) -> None:
    other = docs.parent / "docs2"
    other.mkdir()
    (other / "elm.md").write_text("The elm.")
    index(collection, other, name="docs2")
    Indexing(collection, Hashing(), split, lambda _m, _f: None).sources(
        [Source("ticket-7", "d1", (Piece("A ticket."),))]
    )
    index(collection, docs)
    (docs / "oak.md").unlink()
    assert index(collection, docs).removed == 1
    assert set(collection.digests()) == {"docs2/elm.md", "ticket-7", "docs/deep/pike.md"}


def test_documents_of_a_program_are_skipped_if_they_are_there_already(collection: Any) -> None:
    sources = [Source(f"ticket-{i}", f"d{i}", (Piece(f"Ticket {i}."),)) for i in range(3)]
    first = Indexing(collection, Hashing(), split, lambda _m, _f: None).sources(iter(sources))
    sources[1] = Source("ticket-1", "other", (Piece("Ticket 1 is closed."),))
    second = Indexing(collection, Hashing(), split, lambda _m, _f: None).sources(iter(sources))
    assert (first.added, second.changed, second.unchanged) == (3, 1, 2)


def test_a_run_that_was_stopped_goes_on_where_it_was(collection: Any, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    for i in range(600):
        (folder / f"{i:03}.md").write_text(f"Text {i}.")

    def stop(_message: str, share: float | None) -> None:
        if share and share > 0.5:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        index(collection, folder, progress=stop)
    done = len(collection.digests())
    assert 0 < done < 600
    rest = index(collection, folder)
    assert (rest.unchanged, rest.added) == (done, 600 - done)


def test_an_index_that_a_cut_run_did_not_build_is_built_by_the_next(
    collection: Any, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index(collection, docs)
    collection.put_all([entry(f"{i}", f"Text {i}.") for i in range(30)])
    monkeypatch.setattr(indexes, "EXACT_BELOW", 20)
    assert collection.info().index == "exact"
    assert index(collection, docs).unchanged == 2
    assert collection.info().index == "hnsw"


def test_progress_has_a_rate_and_the_time_left(collection: Any, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for i in range(300):
        (tmp_path / "docs" / f"{i}.md").write_text(f"Text {i}.")
    told: list[tuple[str, float | None]] = []
    index(collection, tmp_path / "docs", progress=lambda m, f: told.append((m, f)))
    assert any("/s embedded" in message and message.endswith("s left") for message, _ in told)
    assert all(share is None or 0 <= share <= 1 for _, share in told)


def test_a_document_whose_vectors_fail_is_skipped_and_the_others_are_stored(collection: Any, docs: Path) -> None:
    class Broken(Hashing):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            nan = [float("nan")] * self.dimension
            return [nan if "pike" in t else v for t, v in zip(texts, super().embed_documents(texts), strict=True)]

    outcome = index(collection, docs, Broken())
    assert outcome.added == 1
    assert [name for name, _ in outcome.skipped] == ["docs/deep/pike.md"]
    assert "NaN" in outcome.skipped[0][1]
