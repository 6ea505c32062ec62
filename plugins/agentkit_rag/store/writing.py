"""Sources into and out of a collection, with the counts that BM25 needs kept right, in one transaction."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Sequence
from typing import Any, LiteralString

import psycopg

from agentkit.postgres.connections import Connection
from agentkit_rag.documents import Chunk, Source
from agentkit_rag.store.contract import CollectionError, Entry
from agentkit_rag.store.ranking import K1, USUAL_WORDS, B
from agentkit_rag.store.tables import Tables
from agentkit_rag.store.vectors import matrix, modified, text_digest
from agentkit_rag.store.words import clean, separated, stretches

LOCK = 7_236_548  # with the collection's number: one writer at a time
_LONGEST_NAME = 2_000

_IMPACT: LiteralString = """
    (1000 * {{tf}} / ({{tf}} + {k1}::real * ({rest}::real + {b}::real * {{words}} / {usual}::real)))::smallint
"""

_GONE: LiteralString = """
    with gone as (select id from {sources} where name = any(%(names)s)),
    dead as materialized (select id, words, terms, counts from {chunks} where source in (select id from gone)),
    listed as materialized (
        select d.id, d.words, t.term, t.tf from dead d, unnest(d.terms, d.counts) as t(term, tf)
    ),
    unposted as (
        delete from {postings} p using listed l
        where p.term = l.term and p.chunk = l.id and p.impact = {impact}
    ),
    less as (
        update {terms} t set chunks = t.chunks - n.n
        from (select term, count(*)::int as n from listed group by term) n where t.id = n.term
    )
    update {schema}.collections set sources = sources - (select count(*) from gone),
        chunks = chunks - (select count(*) from dead),
        words = words - (select coalesce(sum(words), 0) from dead)::bigint
    where id = {id}
"""

_SOURCES: LiteralString = """
    insert into {sources} (name, digest, metadata, modified)
    select * from unnest(%(names)s::text[], %(digests)s::text[], %(metadata)s::jsonb[], %(modified)s::timestamptz[])
    returning id, name
"""

_CHUNKS: LiteralString = """
    with given as materialized (
        select nextval(pg_get_serial_sequence(%(chunks)s, 'id'))::int as id, g.*
        from unnest(%(source)s::int[], %(position)s::int[], %(start)s::int[], %(end)s::int[], %(page)s::int[],
                    %(title)s::jsonb[], %(text)s::text[])
            with ordinality as g(source, position, start_at, end_at, page, title_path, text, row)
    ),
    counted as materialized (
        select g.id, u.lexeme, sum(cardinality(u.positions))::real as tf
        from unnest(%(word_row)s::int[], %(word_text)s::text[]) w(row, text)
        join given g on g.row = w.row, unnest(to_tsvector({language}, w.text)) u
        group by g.id, u.lexeme
    ),
    known as (
        insert into {terms} as t (lexeme, chunks)
        select lexeme, count(*)::int from counted group by lexeme order by lexeme
        on conflict (lexeme) do update set chunks = t.chunks + excluded.chunks
        returning t.id as term, t.lexeme
    ),
    numbered as materialized (select c.id, k.term, c.tf from counted c join known k using (lexeme)),
    listed as materialized (
        select id, array_agg(term) as terms, array_agg(tf) as counts, sum(tf)::real as words from numbered group by id
    ),
    stored as (
        insert into {chunks} (id, source, position, start_at, end_at, page, title_path, text, words, terms, counts)
        overriding system value
        select g.id, source, position, start_at, end_at, page, title_path, text,
            coalesce(words, 0), coalesce(terms, '{{}}'), coalesce(counts, '{{}}')
        from given g left join listed using (id)
    ),
    posted as (
        insert into {postings} (term, chunk, tf, words, impact)
        select l.term, l.id, l.tf, l.words, {impact} from (select * from numbered join listed using (id)) l
        order by 1, 5 desc
    ),
    more as (
        update {schema}.collections set sources = sources + %(added)s, chunks = chunks + (select count(*) from given),
            words = words + (select coalesce(sum(words), 0) from listed)::bigint
        where id = {id}
    )
    select id from given order by row
"""


def impact(row: LiteralString = "l") -> psycopg.sql.Composed:
    """The SQL for a posting's place among those of its term: its BM25 weight at a usual length, in thousandths."""
    number = psycopg.sql.Literal
    filled = psycopg.sql.SQL(_IMPACT).format(k1=number(K1), rest=number(1 - B), b=number(B), usual=number(USUAL_WORDS))
    return psycopg.sql.SQL(filled.as_string(None)).format(
        tf=psycopg.sql.Identifier(row, "tf"), words=psycopg.sql.Identifier(row, "words")
    )


def lock(connection: Connection, tables: Tables) -> None:
    """Be the only writer of this collection until the transaction ends; searches go on meanwhile."""
    # plans for a batch's true size: searches on this connection may have turned them off
    connection.execute(
        "select set_config('plan_cache_mode', 'force_custom_plan', true), pg_advisory_xact_lock(%s, %s)",
        [LOCK, tables.id],
    )


def remove(connection: Connection, tables: Tables, names: Iterable[str]) -> None:
    """Remove sources and what the counts have of them; within a transaction that holds the lock."""
    given = {"names": [clean(name) for name in names]}
    connection.execute(tables.fill(_GONE, impact=impact()), given)
    connection.execute(tables.fill("delete from {sources} where name = any(%(names)s)"), given)


def put(connection: Connection, tables: Tables, entries: Sequence[Entry]) -> None:
    """Store sources, replacing those of the same names; within a transaction that holds the lock."""
    # the last of a name counts, as it would if they came one after the other
    given = list({clean(source.name): (source, chunks, vectors) for source, chunks, vectors in entries}.values())
    ready = [matrix(vectors, len(chunks), tables.dimension, source.name) for source, chunks, vectors in given]
    remove(connection, tables, [source.name for source, _, _ in given])
    numbers = _put_sources(connection, tables, [source for source, _, _ in given])
    rows = [(numbers[clean(s.name)], chunk) for s, chunks, _ in given for chunk in chunks]
    ids = _put_chunks(connection, tables, rows, len(given))
    if ids:
        import numpy as np

        copy_vectors(connection, tables, ids, [c.text for _, c in rows], np.concatenate(ready))


def _put_sources(connection: Connection, tables: Tables, sources: Sequence[Source]) -> dict[str, int]:
    for source in sources:
        if not source.name or len(source.name.encode("utf-8", "replace")) > _LONGEST_NAME:
            raise CollectionError(f"{source.name[:60]!r}: a source's name has 1 to {_LONGEST_NAME:,} bytes.")
    now = dt.datetime.now(dt.UTC)
    values = {
        "names": [clean(s.name) for s in sources],
        "digests": [s.digest for s in sources],
        "metadata": [_json(dict(s.metadata)) for s in sources],
        "modified": [modified(s) or now for s in sources],
    }
    found = connection.execute(tables.fill(_SOURCES), values).fetchall()
    return {row["name"]: row["id"] for row in found}


def _put_chunks(connection: Connection, tables: Tables, rows: Sequence[tuple[int, Chunk]], sources: int) -> list[int]:
    texts = [clean(chunk.text) for _, chunk in rows]
    # the titles above a chunk say what it is about, and often do not stand in it
    searched = [
        separated(" ".join([*map(clean, chunk.title_path), text])) for (_, chunk), text in zip(rows, texts, strict=True)
    ]
    words = [(row, part) for row, text in enumerate(searched, 1) for part in stretches(text)]
    values: dict[str, Any] = {
        "chunks": tables.table("chunks").as_string(None),
        "source": [source for source, _ in rows],
        "position": [chunk.position for _, chunk in rows],
        "start": [chunk.start for _, chunk in rows],
        "end": [chunk.end for _, chunk in rows],
        "page": [chunk.page for _, chunk in rows],
        "title": [_json(list(chunk.title_path)) for _, chunk in rows],
        "text": texts,
        "word_row": [row for row, _ in words],
        "word_text": [part for _, part in words],
        "added": sources,
    }
    return [row["id"] for row in connection.execute(tables.fill(_CHUNKS, impact=impact()), values)]


def copy_vectors(
    connection: Connection,
    tables: Tables,
    ids: Sequence[int],
    texts: Sequence[str],
    vectors: Any,
    kind: str = "vectors",
) -> None:
    """Store unit vectors by COPY in pgvector's binary form: big-endian numbers behind a count."""
    import numpy as np

    dimension, size, code = tables.dimension, *((2, ">f2") if tables.half else (4, ">f4"))
    rows = np.empty(
        len(ids),
        [("fields", ">i2"), ("l1", ">i4"), ("chunk", ">i4"), ("l2", ">i4"), ("digest", "V32"), ("l3", ">i4"),
         ("dimension", ">i2"), ("unused", ">i2"), ("embedding", code, (dimension,))],
    )  # fmt: skip
    rows["fields"], rows["l1"], rows["l2"], rows["l3"] = 3, 4, 32, 4 + size * dimension
    rows["chunk"], rows["dimension"], rows["unused"], rows["embedding"] = ids, dimension, 0, vectors
    rows["digest"] = np.frombuffer(b"".join(text_digest(text) for text in texts), "V32")
    target = tables.fill("copy {t} (chunk, digest, embedding) from stdin (format binary)", t=tables.table(kind))
    with connection.cursor().copy(target) as copy:
        copy.write(b"PGCOPY\n\xff\r\n\0" + bytes(8))
        copy.write(rows.tobytes())
        copy.write(b"\xff\xff")


def _json(value: Any) -> str:
    # JSON has neither NaN nor infinity, Postgres' texts no NUL
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise CollectionError(f"metadata {str(value)[:80]!r} cannot be stored: {error}.") from None
    return clean(text.replace("\\u0000", " "))
