"""What every store does, whatever it is made of."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from agentkit_rag.store.contract import CollectionError, EmbeddingModel

from tests.rag.stores import DIMENSION, MODEL, entry, vector

OAK = "The oak is a tree with acorns."
ELM = "The elm is a tree that beetles kill."
PIKE = "The pike is a fish with teeth."


def found(collection: Any, query: str, k: int = 5, **more: Any) -> list[str]:
    return [hit.source for hit in collection.search(query, vector(query), k, **more)]


def filled(collection: Any) -> Any:
    collection.put_all([
        entry("oak.md", OAK, page=1, kind="tree", height=40, native=True),
        entry("elm.md", ELM, page=2, kind="tree", height=30),
        entry("pike.md", PIKE, page=3, kind="fish", height=1),
    ])  # fmt: skip
    return collection


def test_what_was_put_is_found_with_its_place(any_collection: Any) -> None:
    filled(any_collection)
    (hit,) = any_collection.search("a tree with acorns", vector("a tree with acorns"), 1)
    assert (hit.source, hit.text, hit.page, hit.title_path) == ("oak.md", OAK, 1, ("Title",))
    assert (hit.start, hit.end, hit.position) == (0, len(OAK), 0)
    assert hit.metadata == {"kind": "tree", "height": 40, "native": True}


def test_every_mode_finds_the_right_one_first(any_collection: Any) -> None:
    filled(any_collection)
    for mode in any_collection.modes:
        assert found(any_collection, "fish with teeth", mode=mode)[0] == "pike.md", mode


def test_putting_a_source_again_replaces_it(any_collection: Any) -> None:
    filled(any_collection)
    any_collection.put(*entry("oak.md", "A text on tax.", "Another one on tariffs."))
    assert sorted(found(any_collection, "tax and tariffs", 9)).count("oak.md") == 2
    assert all(hit.text != OAK for hit in any_collection.search(OAK, vector(OAK), 9))
    assert any_collection.info().chunks == 4
    assert any_collection.info().sources == 3


def test_what_was_removed_is_not_found(any_collection: Any) -> None:
    filled(any_collection)
    any_collection.remove(["oak.md", "not there.md"])
    any_collection.remove([])
    assert "oak.md" not in found(any_collection, "oak tree acorns", 9)
    assert set(any_collection.digests()) == {"elm.md", "pike.md"}


def test_digests_tell_what_is_stored(any_collection: Any) -> None:
    oak = entry("oak.md", OAK)
    any_collection.put(*oak)
    assert any_collection.digests() == {"oak.md": oak[0].digest}


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"kind": "tree"}, ["elm.md", "oak.md"]),
        ({"kind": ["fish", "fungus"]}, ["pike.md"]),
        ({"native": True}, ["oak.md"]),
        ({"height": {"gte": 30, "lt": 40}}, ["elm.md"]),
        ({"kind": "tree", "height": {"gt": 30}}, ["oak.md"]),
        ({"kind": {"ne": "tree"}}, ["pike.md"]),
        ({"source": "elm.md"}, ["elm.md"]),
        ({"page": {"gte": 2}}, ["elm.md", "pike.md"]),
        ({"kind": "bird"}, []),
        ({"colour": "red"}, []),
    ],
)
def test_filters(any_collection: Any, filters: dict[str, Any], expected: list[str]) -> None:
    filled(any_collection)
    for mode in any_collection.modes:
        assert sorted(found(any_collection, "the tree with teeth", filters=filters, mode=mode)) == expected, mode


@pytest.mark.parametrize("filters", [{"kind": {"regex": "t.*"}}, {"kind": {}}, {"": 1}, {"kind": [None]}])
def test_a_filter_that_is_not_understood_is_named(collection: Any, filters: dict[str, Any]) -> None:
    with pytest.raises(CollectionError, match="filters: "):
        filled(collection).search("tree", vector("tree"), filters=filters)


def test_neighbours_are_joined_and_what_they_share_stands_once(any_collection: Any) -> None:
    text = "One two three four five six."
    source, chunks, vectors = entry("a.md", text[:13], text[8:23], text[19:])
    places = [(0, 13), (8, 23), (19, len(text))]
    chunks = [
        type(c)(c.text, *place, c.page, c.title_path, c.position) for c, place in zip(chunks, places, strict=True)
    ]
    any_collection.put(source, chunks, vectors)
    (hit,) = any_collection.search("three four", vector(chunks[1].text), 1)
    assert hit.position == 1
    wide = any_collection.around(hit)
    assert (wide.text, wide.start, wide.end) == (text, 0, len(text))
    assert wide.score == hit.score


def test_older_sources_count_less_if_asked(any_collection: Any) -> None:
    any_collection.put_all([entry("old.md", OAK, modified="2001-01-01"), entry("new.md", OAK + " Yes.")])
    assert found(any_collection, OAK)[0] == "old.md"
    assert found(any_collection, OAK, half_life=30)[0] == "new.md"


def test_vectors_of_known_texts_are_given_again(any_collection: Any) -> None:
    filled(any_collection)
    known = any_collection.known_vectors([OAK, "unknown"])
    assert list(known) == [OAK]
    assert np.allclose(known[OAK], vector(OAK), atol=1e-6)
    assert any_collection.known_vectors([]) == {}


@pytest.mark.parametrize(
    ("query", "k", "named"),
    [("", 5, "empty"), (" \n", 5, "empty"), ("x" * 20_001, 5, "20,001"), ("tree", 0, "k is"), ("tree", 10**6, "k is")],
)
def test_a_search_that_cannot_be_done_says_why(any_collection: Any, query: str, k: int, named: str) -> None:
    with pytest.raises(CollectionError, match=named):
        any_collection.search(query, vector("a"), k)


HOSTILE = [
    "tree & | ! <-> :* (",
    "'; drop table x; --",
    "%s %(words)s {chunks}",
    "tree\0acorns",
    "\ud800 tree",
    "🌳" * 50,
    "tree " * 4_000,
]


@pytest.mark.parametrize("query", HOSTILE)
def test_operators_and_odd_characters_in_a_query_are_words_like_others(any_collection: Any, query: str) -> None:
    filled(any_collection)
    for mode in any_collection.modes:
        any_collection.search(query, vector("tree"), mode=mode)
    assert any_collection.info().chunks == 3


@pytest.mark.parametrize(
    "text", ["NUL \0 tree", "half \ud800 tree", "a" * 2_000_000 + " tree", "tree 'quoted' \\ {} %s"]
)
def test_texts_that_databases_dislike(any_collection: Any, text: str) -> None:
    any_collection.put(*entry("odd \0 \ud800 name.md", text, note="a\0b"))
    (hit,) = any_collection.search("tree", vector("tree"), 1)
    assert len(hit.text) == len(text)
    assert hit.text.count("tree") == 1


@pytest.mark.parametrize("bad", [np.full((1, DIMENSION), np.nan), np.ones((1, 3)), np.ones((2, DIMENSION)), [["a"]]])
def test_vectors_that_do_not_fit_are_refused_and_change_nothing(any_collection: Any, bad: Sequence[Any]) -> None:
    filled(any_collection)
    source, chunks, _ = entry("oak.md", "Something else.")
    with pytest.raises(CollectionError, match=r"oak\.md"):
        any_collection.put_all([entry("new.md", "New."), (source, chunks, bad)])
    assert set(any_collection.digests()) == {"oak.md", "elm.md", "pike.md"}
    assert found(any_collection, "oak acorns tree", 1) == ["oak.md"]


def test_collections_are_listed_opened_and_dropped(any_store: Any) -> None:
    name = f"Bücher & more {secrets.token_hex(4)}"
    made = any_store.create(name, MODEL)
    assert name in any_store.names()
    assert any_store.create(name, MODEL).embedding == any_store.open(name).embedding == MODEL
    filled(made).drop()
    assert name not in any_store.names()
    with pytest.raises(CollectionError, match="There is no collection"):
        any_store.open(name)


def test_another_embedding_model_is_refused_with_the_remedy(any_store: Any) -> None:
    name = f"mixed {secrets.token_hex(4)}"
    made = any_store.create(name, MODEL)
    for other in (
        EmbeddingModel("other", DIMENSION),
        EmbeddingModel("hashing", 3),
        EmbeddingModel("hashing", DIMENSION, False),
    ):
        for attempt in (any_store.create, any_store.open):
            with pytest.raises(CollectionError, match="--reembed"):
                attempt(name, other)
    made.drop()


@pytest.mark.parametrize("name", ["", "x" * 101])
def test_a_name_that_cannot_be_shown_is_refused(any_store: Any, name: str) -> None:
    with pytest.raises(CollectionError, match="1 to 100"):
        any_store.create(name, MODEL)


def test_all_chunks_of_a_source_come_in_their_order(any_collection: Any) -> None:
    any_collection.put_all([entry("a", "One.", "Two.", "Three."), entry("b", "Four.")])
    assert [h.text for h in any_collection.chunks_of(["b", "absent", "a"])] == ["Four.", "One.", "Two.", "Three."]
    assert any_collection.chunks_of([]) == []
