"""A search as one SQL statement.

BM25: each word of the query gives the postings of its term, best first by `impact` and at most LIST of them; the best
CANDIDATES by what was seen are then scored in full from the chunk's own list of terms, if any list was cut. Vectors:
the HNSW index, or all of them. Fused by reciprocal ranks.
"""

from __future__ import annotations

from typing import LiteralString

from psycopg import sql

from agentkit_rag.store.contract import POOL
from agentkit_rag.store.ranking import K1, RRF_K, B
from agentkit_rag.store.tables import Tables

LIST = 2_000
"""Postings that are read of one term. Below so many chunks with a term nothing is left out."""
CANDIDATES = 200
QUERY_TERMS = 64
"""Terms of a query that count; the rarest if it has more."""

_ALLOWED: LiteralString = """
    allowed as materialized (
        select c.id from {chunks} c join {sources} s on s.id = c.source where {condition}
    ),
"""

_LEXICAL: LiteralString = """
    overall as materialized (
        select chunks::float8 as chunks, greatest(words::float8 / greatest(chunks, 1), 1) as mean
        from {schema}.collections where id = {id}
    ),
    asked as materialized (
        select t.id as term, t.chunks > {list} as cut, ({k1}::float8 * {b}::float8 / o.mean)::real as slope,
            (u.n * {more}::float8 * ln(1 + (o.chunks - t.chunks + 0.5::float8) / (t.chunks + 0.5::float8)))::real
                as weight
        from (
            select lexeme, cardinality(positions) as n from unnest(to_tsvector({language}, %(words)s)) x
        ) u join {terms} t using (lexeme) cross join overall o
        where t.chunks > 0
        order by weight desc limit {query_terms}
    ),
    seen as materialized (
        select p.chunk, sum(a.weight * p.tf / (p.tf + {rest}::real + a.slope * p.words)) as score
        from asked a cross join lateral (
            select chunk, tf, words from {postings} where term = a.term {only_allowed}
            order by impact desc limit {list}
        ) p
        group by p.chunk order by score desc, p.chunk limit {candidates}
    ),
    full_scores as (
        select chunk, score from seen where not exists (select from asked where cut)
        union all
        select n.chunk, sum(a.weight * n.tf / (n.tf + {rest}::real + a.slope * n.words))
        from (
            select s.chunk, c.words, a.term, c.counts[array_position(c.terms, a.term)] as tf
            from seen s join {chunks} c on c.id = s.chunk cross join asked a
            where exists (select from asked where cut)
        ) n join asked a on a.term = n.term
        where n.tf is not null group by n.chunk
    ),
    lexical as (
        select chunk, score, row_number() over (order by score desc, chunk) as rank
        from full_scores order by score desc, chunk limit {pool}
    )
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
        select chunk, sum(1::float8 / ({rrf} + rank)) as score
        from (select chunk, rank from lexical union all select chunk, rank from dense) both_ranks
        group by chunk
    )
"""

_HITS: LiteralString = """
    select c.id, c.text, s.name as source, f.score{fade} as score, c.page,
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
    k: int = POOL,
) -> bytes:
    """The statement of a mode. Parameters: `words`, `vector`, `half_life`, and those of the condition.

    `index`: the kind that the collection has. `few`: so few chunks meet the condition that all of them are compared.
    `k` stands in the text, so that one plan serves all searches and knows how few rows are wanted.
    """
    pool = max(POOL, k)
    number = sql.Literal
    parts: list[LiteralString] = [_ALLOWED] if condition is not None else []
    steps: list[LiteralString] = []
    if mode in ("lexical", "hybrid"):
        steps.append(_LEXICAL)
    if mode in ("dense", "hybrid", "mmr"):
        steps.append(_DENSE)
    if mode == "hybrid":
        steps.append(_FUSED)
    body: LiteralString = "with " + "".join(parts) + ",".join(steps) + _HITS
    return tables.fill(
        body,
        condition=condition or sql.SQL("true"),
        only_allowed=sql.SQL("and chunk in (select id from allowed)" if condition is not None else ""),
        where_allowed=sql.SQL(_where(condition is not None, few)),
        distance=distance(tables, "exact" if few else index),
        found=sql.Identifier(KINDS[mode]),
        # the best few before their texts are read, unless age changes the order
        first=sql.SQL("" if fades else "order by score desc, chunk limit {k}").format(k=number(k)),
        fade=sql.SQL(_FADE if fades else ""),
        k1=number(K1), b=number(B), more=number(K1 + 1), rest=number(K1 * (1 - B)), rrf=number(RRF_K),
        k=number(k), pool=number(pool), nearest=number(pool if fades or mode == "hybrid" else k),
        list=number(LIST), candidates=number(max(CANDIDATES, 2 * pool)), query_terms=number(QUERY_TERMS),
    )  # fmt: skip


def _where(filtered: bool, few: bool) -> LiteralString:
    if not filtered:
        return ""
    # "is true" keeps the planner from a join that would read all vectors instead of following the index
    return "join allowed on allowed.id = v.chunk" if few else "where (v.chunk in (select id from allowed)) is true"


def distance(tables: Tables, index: str) -> sql.Composed:
    """The negative inner product as the index has it; of unit vectors that is the order of the cosine."""
    cast = tables.names["half"] if index == "hnsw_halfvec" else tables.names["type"]
    column = "v.embedding::{}" if index == "hnsw_halfvec" and not tables.half else "v.embedding"
    return sql.SQL("(" + column + " <#> %(vector)s::vector::{})").format(*([cast] * column.count("{}")), cast)
