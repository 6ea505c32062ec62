"""A search as one SQL statement.

BM25: each word of the query gives the postings of its term, and their weights are added up by chunk. In a collection of
more than WHOLE chunks, for words that together stand in more than POSTINGS of them, a term gives only its best LIST
postings by `impact`; what a term that was cut adds to the best chunks is then read from the chunk's own list of terms.
Vectors: the HNSW index, or all of them. Fused by reciprocal ranks.
"""

from __future__ import annotations

from typing import LiteralString

from psycopg import sql

from agentkit_rag.store.contract import POOL
from agentkit_rag.store.ranking import K1, RRF_K, B
from agentkit_rag.store.tables import Tables

WHOLE = 10_000
"""Chunks up to which reading all postings of a query is as fast as looking chunks up."""
POSTINGS, LIST = 5_000, 1_000
QUERY_TERMS = 64
"""Terms of a query that count; the rarest if it has more."""

_ALLOWED: LiteralString = """
    allowed as materialized (
        select c.id from {chunks} c join {sources} s on s.id = c.source where {condition}
    ),
"""

_ASKED: LiteralString = """
    asked as materialized (
        select t.id as term, t.chunks, ({k1}::float8 * {b}::float8 / o.mean)::real as slope,
            (u.n * {more}::float8 * ln(1 + (o.chunks - t.chunks + 0.5::float8) / (t.chunks + 0.5::float8)))::real
                as weight
        from (
            select chunks::float8 as chunks, greatest(words::float8 / greatest(chunks, 1), 1) as mean
            from {schema}.collections where id = {id}
        ) o, (
            select lexeme, cardinality(positions) as n from unnest(to_tsvector({language}, %(words)s)) x
        ) u join {terms} t using (lexeme)
        where t.chunks > 0
        order by weight desc limit {query_terms}
    ),
"""
_WEIGHT: LiteralString = "sum(a.weight * p.tf / (p.tf + {rest}::real + a.slope * p.words))"

_WHOLE: LiteralString = """
    scored as (
        select p.chunk, {weight} as score from asked a join {postings} p using (term)
        where true {only_allowed}
        group by p.chunk order by score desc, p.chunk limit {pool}
    ),
"""

_CUT: LiteralString = """
    listed as materialized (
        select *, sum(chunks) over () > {most} and chunks > {list} as cut from asked
    ),
    seen as materialized (
        select p.chunk, {weight} as score, {weight} filter (where not a.cut) as sure
        from listed a cross join lateral (
            select chunk, tf, words from {postings} where term = a.term {only_allowed}
            order by impact desc limit case when a.cut then {list} end
        ) p
        group by p.chunk order by score desc, p.chunk limit {candidates}
    ),
    scored as (
        select s.chunk, coalesce(s.sure, 0) + coalesce(c.rest, 0) as score
        from seen s left join lateral (
            select {weight} as rest
            from {chunks} c cross join listed a
            cross join lateral (select c.counts[array_position(c.terms, a.term)] as tf, c.words offset 0) p
            where c.id = s.chunk and a.cut
        ) c on (select bool_or(cut) from listed)
        order by score desc, s.chunk limit {pool}
    ),
"""

_LEXICAL: LiteralString = """
    lexical as (select chunk, score, row_number() over () as rank from scored)
"""

_DENSE: LiteralString = """
    nearest as materialized (
        select v.chunk, {distance} as distance from {vectors} v {where_allowed}
        order by {distance} limit {nearest}
    ),
    dense as (
        select chunk, -distance as score, row_number() over (order by distance, chunk) as rank from nearest
    )
"""

_FUSED: LiteralString = """
    found as (
        select chunk,
            coalesce(1::float8 / ({rrf} + l.rank), 0) + coalesce(1::float8 / ({rrf} + d.rank), 0) as score
        from lexical l full join dense d using (chunk)
    )
"""

_HITS: LiteralString = """
    select c.id, c.text, s.name as source, f.score{fade} as score, c.page, {near} as near,
        nullif(c.title_path, '[]') as title_path, c.start_at, c.end_at,
        c.position, nullif(s.metadata, '{{}}') as metadata
    from (select chunk, score from {found} {first}) f join {chunks} c on c.id = f.chunk
    join {sources} s on s.id = c.source
    order by 4 desc, c.id limit {k}
"""
_FADE = " * power(0.5::float8, greatest(extract(epoch from now() - s.modified), 0) / 86400 / %(half_life)s)"

KINDS: dict[str, str] = {"lexical": "lexical", "dense": "dense", "hybrid": "found", "mmr": "dense"}


def search(
    tables: Tables,
    mode: str,
    index: str,
    *,
    condition: sql.Composable | None = None,
    few: bool = False,
    fades: bool = False,
    whole: bool = True,
    k: int = POOL,
) -> bytes:
    """The statement of a mode. Parameters: `words`, `vector` and `half` (the same in 16 bits), `half_life`, and those
    of the condition.

    `index`: the kind that the collection has. `few`: so few chunks meet the condition that all of them are compared.
    `whole`: no list of postings is cut. `k` stands in the text, so that one plan serves all searches and knows how few
    rows are wanted. Each row tells in `near` how many vectors were found.
    """
    pool = max(POOL, k)
    number = sql.Literal
    parts: list[LiteralString] = [_ALLOWED] if condition is not None else []
    steps: list[LiteralString] = []
    if mode in ("lexical", "hybrid"):
        steps.append(_ASKED + (_WHOLE if whole else _CUT) + _LEXICAL)
    if mode in ("dense", "hybrid", "mmr"):
        steps.append(_DENSE)
    if mode == "hybrid":
        steps.append(_FUSED)
    body: LiteralString = "with " + "".join(parts) + ",".join(steps) + _HITS
    weight = sql.SQL(_WEIGHT).format(rest=number(K1 * (1 - B)))
    return tables.fill(
        body,
        condition=condition or sql.SQL("true"),
        only_allowed=sql.SQL("and chunk in (select id from allowed)" if condition is not None else ""),
        where_allowed=sql.SQL(_where(condition is not None, few)),
        distance=distance(tables, "exact" if few else index),
        weight=weight,
        found=sql.Identifier(KINDS[mode]),
        near=sql.SQL("0" if mode == "lexical" else "(select count(*) from nearest)"),
        # the best few before their texts are read, unless age changes the order
        first=sql.SQL("" if fades else "order by score desc, chunk limit {k}").format(k=number(k)),
        fade=sql.SQL(_FADE if fades else ""),
        k1=number(K1), b=number(B), more=number(K1 + 1), rrf=number(RRF_K), query_terms=number(QUERY_TERMS),
        k=number(k), pool=number(pool), nearest=number(nearest(mode, k, fades)),
        most=number(POSTINGS), list=number(LIST), candidates=number(2 * pool),
    )  # fmt: skip


def nearest(mode: str, k: int, fades: bool) -> int:
    """How many vectors a search asks for."""
    return max(POOL, k) if fades or mode == "hybrid" else k


def _where(filtered: bool, few: bool) -> LiteralString:
    if not filtered:
        return ""
    # "is true" keeps the planner from a join that would read all vectors instead of following the index
    return "join allowed on allowed.id = v.chunk" if few else "where (v.chunk in (select id from allowed)) is true"


def distance(tables: Tables, index: str) -> sql.Composed:
    """The negative inner product as the index has it; of unit vectors that is the order of the cosine."""
    half = index == "hnsw" or tables.half
    column = "v.embedding" if tables.half or not half else "v.embedding::{type}"
    given = "%(half)s::{type}" if half else "%(vector)s::{type}"
    return sql.SQL(f"({column} <#> {given})").format(type=tables.names["half" if half else "type"])
