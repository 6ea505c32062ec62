"""The Postgres store: its counts stay right, its writers do not disturb one another, its index is used."""

from __future__ import annotations

import math
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agentkit_rag.store import indexes, postgres, reembedding, statements, writing
from agentkit_rag.store.contract import CollectionError, EmbeddingModel
from agentkit_rag.store.ranking import K1, B

from agentkit.settings import load_settings
from agentkit.storage import Storage
from tests.rag.stores import DIMENSION, MODEL, entry, vector

WORDS = [
    "zebra",
    "quartz",
    "fjord",
    "lynx",
    "vortex",
    "pixel",
    "jigsaw",
    "mango",
    "onyx",
    "kiwi",
    "walrus",
    "yodel",
    "banjo",
    "crypt",
    "dwarf",
]


def sentence(rng: random.Random, length: int = 12) -> str:
    # some words are frequent and some rare, as in a language
    return " ".join(rng.choices(WORDS, [1 / (i + 1) for i in range(len(WORDS))], k=length))


def statistics(collection: Any) -> dict[str, Any]:
    """What BM25 is reckoned from."""
    fill, pool = collection.state(fresh=True).tables.fill, collection.pool
    one = "select chunks, words, sources from agentkit_rag.collections where id = {id}"
    return {
        "collection": pool.query(fill(one)),
        "terms": pool.query(fill("select lexeme, chunks from {terms} where chunks > 0 order by 1")),
        "postings": pool.query(
            fill(
                "select s.name, c.position, t.lexeme, p.tf, p.words, p.impact from {postings} p "
                "left join {terms} t on t.id = p.term left join {chunks} c on c.id = p.chunk "
                "left join {sources} s on s.id = c.source order by 1, 2, 3"
            )
        ),
    }


def test_the_counts_of_bm25_are_those_of_a_rebuild_whatever_came_before(store: Any) -> None:
    rng = random.Random(3)
    lived, rebuilt = (store.create(f"counts {i} {rng.random()}", MODEL) for i in range(2))
    held: dict[str, list[str]] = {}
    for _ in range(40):
        name = f"{rng.randrange(8)}.md"
        if rng.random() < 0.3:
            lived.remove([name, "absent.md"])
            held.pop(name, None)
        else:
            held[name] = [sentence(rng, rng.randrange(1, 40)) for _ in range(rng.randrange(4))]
            lived.put_all([entry(name, "overwritten at once"), entry(name, *held[name])])
    for name, texts in held.items():
        rebuilt.put(*entry(name, *texts))
    assert statistics(lived) == statistics(rebuilt)
    for query in ("zebra", "dwarf banjo", "lynx lynx kiwi"):
        scores = [
            [(h.source, round(h.score, 4)) for h in c.search(query, mode="lexical", k=9)] for c in (lived, rebuilt)
        ]
        assert scores[0] == scores[1]


def bm25(texts: list[str], query: str) -> list[float]:
    """Robertson and Zaragoza 2009, with the logarithm that never is negative."""
    counts = [Counter(t.split()) for t in texts]
    mean = sum(c.total() for c in counts) / len(counts)

    def weight(word: str, c: Counter[str]) -> float:
        n = sum(word in other for other in counts)
        idf = math.log(1 + (len(counts) - n + 0.5) / (n + 0.5))
        return idf * c[word] * (K1 + 1) / (c[word] + K1 * (1 - B + B * c.total() / mean))

    return [sum(weight(word, c) for word in query.split()) for c in counts]


@pytest.mark.parametrize(("whole", "most", "longest"), [(10_000, 5_000, 1_000), (0, 5_000, 1_000), (0, 5, 5)])
def test_scores_are_bm25_also_where_lists_of_postings_are_cut(
    collection: Any, monkeypatch: pytest.MonkeyPatch, whole: int, most: int, longest: int
) -> None:
    for name, value in (("WHOLE", whole), ("POSTINGS", most), ("LIST", longest)):
        monkeypatch.setattr(statements, name, value)
    postgres._plain.cache_clear()
    rng = random.Random(1)
    texts = [sentence(rng, rng.randrange(5, 30)) for _ in range(60)]
    # the title counts too: it stands above every chunk
    collection.put_all([entry(f"{i}", text) for i, text in enumerate(texts)])
    for query in ("zebra quartz", "dwarf crypt", "lynx lynx mango"):
        expected = bm25([f"titl {text}" for text in texts], query)
        hits = collection.search(query, mode="lexical", k=5)
        assert hits
        for hit in hits:
            assert hit.score == pytest.approx(expected[int(hit.source)], rel=1e-5)
        if longest > len(texts):
            best = sorted(expected, reverse=True)[: len(hits)]
            assert [h.score for h in hits] == pytest.approx(best, rel=1e-5)
    postgres._plain.cache_clear()


def test_hybrid_is_the_fusion_of_both_by_reciprocal_ranks(collection: Any) -> None:
    rng = random.Random(2)
    collection.put_all([entry(f"{i}", sentence(rng)) for i in range(30)])
    query = "fjord pixel jigsaw"
    expected: Counter[int] = Counter()
    for mode in ("lexical", "dense"):
        for rank, hit in enumerate(collection.search(query, vector(query), 50, mode), 1):
            expected[hit.id] += 1 / (10 + rank)  # type: ignore[assignment]
    found = collection.search(query, vector(query), 10, "hybrid")
    assert [h.score for h in found] == pytest.approx([s for _, s in expected.most_common(10)])
    assert all(expected[h.id] == pytest.approx(h.score) for h in found)


def test_mmr_shows_less_of_the_same(collection: Any) -> None:
    same = [entry(f"same {i}", "zebra quartz fjord lynx") for i in range(5)]
    collection.put_all([*same, entry("other", "zebra quartz mango onyx")])
    query = vector("zebra quartz fjord")
    assert "other" not in [h.source for h in collection.search("x", query, 2, "dense")]
    assert "other" in [h.source for h in collection.search("x", query, 2, "mmr")]


def test_paths_and_dotted_names_are_found_by_their_parts(collection: Any) -> None:
    collection.put(*entry("a", "See agentkit/plugins.py and ctx.storage for more."))
    for word in ("plugins", "storage", "agentkit/plugins.py"):
        assert collection.search(word, mode="lexical"), word


def test_two_writers_of_the_same_and_of_other_sources(store: Any) -> None:
    collection = store.create(f"writers {random.random()}", MODEL)
    errors: list[Exception] = []

    def write(number: int) -> None:
        rng = random.Random(number)
        try:
            for turn in range(12):
                names = [f"{n}.md" for n in rng.sample(range(6), 3)]
                collection.put_all([entry(name, *(sentence(rng) for _ in range(3))) for name in names])
                if turn % 4 == 3:
                    collection.remove([rng.choice(names)])
        except Exception as error:  # noqa: BLE001 - told below
            errors.append(error)

    threads = [threading.Thread(target=write, args=[i]) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    rows = collection.pool.query(
        collection.state().tables.fill(
            "select t.chunks as told, count(p.chunk)::int as counted from {terms} t left join {postings} p "
            "on p.term = t.id group by t.id, t.chunks"
        )
    )
    assert all(row["told"] == row["counted"] for row in rows)
    info = collection.info()
    assert info.chunks == 3 * info.sources


_KILLED = """
import os, sys
from agentkit.settings import load_settings
from agentkit.storage import Storage
from agentkit_rag.store import writing
from agentkit_rag.store.postgres import open_store
from tests.rag.stores import entry

settings = load_settings()
with Storage(settings) as storage:
    collection = open_store(settings, storage).open(sys.argv[1])
    writing.copy_vectors = lambda *a: os.kill(os.getpid(), 9)  # the chunks are in, the vectors are not
    collection.put_all([entry("a.md", "walrus walrus"), entry("b.md", "yodel")])
"""


@pytest.mark.parametrize("store", ["embedded"], indirect=True)
def test_a_writer_that_is_killed_leaves_what_was_there(store: Any, collection: Any) -> None:
    collection.put(*entry("a.md", "zebra quartz"))
    before = statistics(collection)
    root = str(Path(__file__).parents[2])
    ended = subprocess.run(
        [sys.executable, "-c", _KILLED, collection.name], env=os.environ | {"PYTHONPATH": root}, check=False
    )
    assert ended.returncode == -9
    collection.put(*entry("c.md", "mango"))
    collection.remove(["c.md"])
    assert statistics(collection) == before
    assert [h.text for h in collection.search("zebra", vector("zebra"))] == ["zebra quartz"]


def test_indexing_goes_on_when_the_server_is_killed_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    # not below pytest's folders: an unprivileged server could not go there
    with tempfile.TemporaryDirectory(prefix="killed-") as folder:
        Path(folder).chmod(0o755)
        settings = load_settings(home=f"{folder}/home")
        with Storage(settings) as storage:
            collection = postgres.open_store(settings, storage).create("killed", MODEL)
            collection.put(*entry("before.md", "walrus"))
            killed: list[int] = []
            copy = writing.copy_vectors

            def kill_and_copy(*args: Any) -> None:
                if not killed:
                    killed.append(int((settings.home / "postgres" / "postmaster.pid").read_text().split()[0]))
                    os.kill(killed[0], signal.SIGKILL)
                copy(*args)

            monkeypatch.setattr(writing, "copy_vectors", kill_and_copy)
            collection.put_all([entry("a.md", "zebra"), entry("b.md", "yodel walrus")])
            assert killed
            assert set(collection.digests()) == {"before.md", "a.md", "b.md"}
            assert sorted(h.source for h in collection.search("walrus", mode="lexical")) == ["b.md", "before.md"]
            assert statistics(collection)["collection"] == [{"chunks": 3, "words": 7, "sources": 3}]


def filled(collection: Any, chunks: int) -> Any:
    rng = random.Random(5)
    random_vectors = np.random.default_rng(5).normal(size=(chunks, DIMENSION))
    for i in range(0, chunks, 200):
        source, made, _ = entry(f"{i}.md", *(sentence(rng) for _ in range(200)), part=i // 200)
        collection.put(source, made, random_vectors[i : i + 200])
    collection.settle()
    return random_vectors / np.linalg.norm(random_vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("kind", ["exact", "hnsw"])
def test_each_kind_of_index_comes_with_its_size_and_finds_the_nearest(
    collection: Any, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(indexes, "EXACT_BELOW", 10_000 if kind == "exact" else 500)
    monkeypatch.setattr(postgres, "FEW", 100)
    vectors = filled(collection, 1_000)
    assert collection.info().index == kind
    recalled = []
    for query in np.random.default_rng(6).normal(size=(20, DIMENSION)):
        nearest = set(np.argsort(-vectors @ query)[:10])
        hits = collection.search("x", query, 10, "dense")
        recalled.append(len(nearest & {int(h.source.removesuffix(".md")) + h.position for h in hits}) / 10)
        assert len(collection.search("x", query, 10, "dense", {"part": {"gte": 4}})) == 10, "a filter leaves enough"
    assert np.mean(recalled) > 0.95
    statement = statements.search(collection.state().tables, "dense", kind, k=5)
    given = b"'[" + b",".join([b"1"] * DIMENSION) + b"]'"
    statement = statement.replace(b"%(vector)s", given).replace(b"%(half)s", given)
    with collection.pool.connection() as connection, connection.transaction():
        # so few short vectors are read faster than an index: can the index be used at all?
        connection.execute("set local enable_seqscan = off")
        plan = connection.execute(b"explain " + statement).fetchall()
    assert ("_hnsw" in " ".join(str(row) for row in plan)) is (kind != "exact")


def test_removed_vectors_do_not_take_the_places_of_others(collection: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexes, "EXACT_BELOW", 5)
    source, chunks, _ = entry("old.md", *(f"text {i}" for i in range(300)))
    near = np.ones(DIMENSION)
    collection.put(source, chunks, np.tile(near, (300, 1)) + np.random.default_rng(1).normal(size=(300, DIMENSION)) / 9)
    collection.put_all([entry(f"{i}.md", f"zebra {i}") for i in range(60)])
    collection.settle()
    collection.remove(["old.md"])
    assert collection.info().index == "hnsw"
    for mode in ("dense", "hybrid"):
        assert len(collection.search("quartz", near, 20, mode)) == 20, mode


def test_vectors_of_more_than_2000_dimensions_have_an_index(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexes, "EXACT_BELOW", 5)
    collection = store.create(f"wide {random.random()}", EmbeddingModel("wide", 3_072))
    rng = np.random.default_rng(0)
    source, chunks, _ = entry("a.md", *(f"text {i}" for i in range(20)))
    vectors = rng.normal(size=(20, 3_072))
    collection.put(source, chunks, vectors)
    collection.settle()
    assert collection.info().index == "hnsw"
    assert collection.search("x", vectors[7], 1, "dense")[0].position == 7
    with pytest.raises(CollectionError, match="4,000"):
        store.create("wider", EmbeddingModel("wider", 5_000))


def test_another_model_takes_over_where_it_was_stopped(collection: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reembedding, "BATCH", 50)
    monkeypatch.setattr(indexes, "EXACT_BELOW", 100)
    filled(collection, 200)
    model, given = EmbeddingModel("better", 8), list[str]()

    def embed(texts: list[str]) -> Any:
        if len(given) >= 100 and not stopped:
            stopped.append(True)
            raise KeyboardInterrupt
        given.extend(texts)
        return np.random.default_rng(len(given)).normal(size=(len(texts), 8))

    stopped: list[bool] = []
    with pytest.raises(KeyboardInterrupt):
        reembedding.reembed(collection, model, embed, lambda _m, _f: None)
    assert collection.embedding == MODEL
    assert collection.search("zebra", vector("zebra"), 1)
    collection.put(*entry("late.md", "came meanwhile"))
    assert reembedding.reembed(collection, model, embed, lambda _m, _f: None) == 101
    assert len(given) == 201
    assert collection.info().embedding == model
    assert collection.info().index == "hnsw"
    assert collection.search("zebra", np.ones(8), 1)
    collection.put(entry("new.md", "x")[0], [], np.empty((0, 8)))


def test_a_search_that_meets_another_model_says_so(store: Any, collection: Any) -> None:
    collection.put(*entry("a.md", "zebra"))
    collection.search("zebra", vector("zebra"))
    other = store.open(collection.name)
    model = EmbeddingModel("better", 8)
    reembedding.reembed(other, model, lambda texts: np.ones((len(texts), 8)), lambda _m, _f: None)
    with pytest.raises(CollectionError, match="'better' \\(8 dimensions\\)"):
        collection.search("zebra", vector("zebra"))
    assert collection.search("zebra", np.ones(8))


def test_a_collection_that_was_dropped_meanwhile_is_told(store: Any, collection: Any) -> None:
    collection.put(*entry("a", "zebra"))
    store.open(collection.name).drop()
    for work in (lambda: collection.search("zebra", vector("zebra")), lambda: collection.put(*entry("a", "zebra"))):
        with pytest.raises(CollectionError, match="dropped"):
            work()


def test_many_processes_may_make_the_same_collection(store: Any) -> None:
    name, errors = f"race {random.random()}", list[Exception]()

    def make() -> None:
        try:
            store.create(name, MODEL).put(*entry("a", "zebra"))
        except Exception as error:  # noqa: BLE001 - told below
            errors.append(error)

    threads = [threading.Thread(target=make) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert store.open(name).info().chunks == 1


def test_the_search_is_one_statement(collection: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    collection.put(*entry("a", "zebra"))
    collection.search("zebra", vector("zebra"))
    sent: list[bytes] = []
    original = postgres.PostgresCollection._query
    monkeypatch.setattr(
        postgres.PostgresCollection, "_query", lambda self, s, *more: (sent.append(s), original(self, s, *more))[1]
    )
    collection.search("zebra", vector("zebra"))
    assert len(sent) == 1
    assert re.search(rb"postings_.*<#>", sent[0], re.DOTALL)
    assert writing.LOCK
