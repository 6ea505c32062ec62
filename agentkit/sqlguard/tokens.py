"""What is checked or changed of a statement's tokens before they become a tree."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from typing import Any

from agentkit.errors import SqlRefused
from agentkit.sqlguard.schema import Dialect

_NOT_AS_IN_SQLITE = ("STRING", "BINARY", "VARBINARY", "BYTEA")
MOST_TYPES = 8
"""Levels of brackets behind words that can be types: each is read in two ways, so time doubles with each."""
_RADIXES = ("0x", "0o", "0b")
_NUMBER = {"postgres": re.compile(r"\s*[+-]?[0-9]+\s*"), "duckdb": re.compile(r"\s*[+-]?[0-9]+(\.[0-9]+)?\s*")}
"""What may stand in quotes before a unit; PostgreSQL drops the fraction of `'1.5' DAY`, so it must stay apart."""


def check_numbers(tokens: list[Any], sql: str) -> None:
    """Numbers that sqlglot reads in another way than databases do: 1_000 as `1 AS _000`, 0x1F as bits."""
    for token, following in zip(tokens, [*tokens[1:], None][: len(tokens)], strict=True):
        joined = following is not None and following.start == token.end + 1 and following.token_type.name == "VAR"
        if (token.token_type.name == "NUMBER" and joined) or sql[token.start : token.start + 2].lower() in _RADIXES:
            raise SqlRefused(f"{sql[token.start : token.end + 1]!r}: write numbers in plain decimal digits.", "syntax")


def check_types(tokens: list[Any], dialect: Dialect) -> None:
    """Types that sqlglot takes for others: SQLite's STRING and BINARY make numbers, BIT VARYING has no token."""
    in_cast = [False]
    ahead = ""
    for token in tokens:
        word = token.text.upper()
        if word == "(":
            in_cast.append(ahead == "CAST")
        elif word == ")" and len(in_cast) > 1:
            in_cast.pop()
        elif dialect == "sqlite" and in_cast[-1] and ahead == "AS" and word in _NOT_AS_IN_SQLITE:
            raise SqlRefused(f"the type {word} is not allowed in a statement: write TEXT, BLOB or NUMERIC.", "types")
        elif dialect == "postgres" and (ahead, word) == ("BIT", "VARYING"):
            raise SqlRefused("the type BIT VARYING is not allowed in a statement: write VARBIT.", "types")
        ahead = word


def with_whole_intervals(tokens: list[Any], dialect: Dialect) -> list[Any]:
    """`INTERVAL '1 day 02:03'` as `'1 day 02:03'::INTERVAL`: sqlglot would keep the first number and unit only."""
    from sqlglot.tokenizer_core import Token, TokenType

    if dialect == "sqlite":
        return tokens
    told = list(tokens)
    for i, (token, text) in enumerate(pairwise(tokens)):
        starts = token.token_type == TokenType.INTERVAL and text.token_type == TokenType.STRING
        is_type = i > 0 and tokens[i - 1].token_type == TokenType.DCOLON
        if not starts or is_type or _NUMBER[dialect].fullmatch(text.text):
            continue
        colons = Token(TokenType.DCOLON, "::", text.line, text.col, token.start, token.end)
        told[i] = [text, colons]
        told[i + 1] = [token]
    return [t for part in told for t in (part if isinstance(part, list) else [part])]


def nests_types(tokens: list[Any], dialect: Dialect) -> bool:
    """True for more than MOST_TYPES levels of `date(`, `int(` and the like, or of square brackets."""
    from sqlglot.tokenizer_core import TokenType

    levels: list[bool] = []
    before = None
    for token in tokens:
        if token.token_type in (TokenType.L_PAREN, TokenType.L_BRACKET):
            is_type = token.token_type == TokenType.L_BRACKET or _may_be_type(before, dialect)
            levels.append(is_type)
            if is_type and sum(levels) > MOST_TYPES:
                return True
        elif token.token_type in (TokenType.R_PAREN, TokenType.R_BRACKET) and levels:
            levels.pop()
        before = token
    return False


def _may_be_type(token: Any, dialect: Dialect) -> bool:
    from sqlglot.tokenizer_core import TokenType

    if token is None:
        return False
    words, kinds = _types_of(dialect)
    quoted = token.token_type == TokenType.IDENTIFIER and token.text.split(" ")[0].upper() in words
    # the last word of TIMESTAMP WITH TIME ZONE
    return quoted or token.token_type in kinds or token.text.upper() == "ZONE"


@lru_cache
def _types_of(dialect: Dialect) -> tuple[frozenset[str], frozenset[Any]]:
    """The words and the kinds of tokens that sqlglot takes for types."""
    from sqlglot.dialects.dialect import Dialect as Sqlglot

    known = Sqlglot.get_or_raise(dialect)
    kinds = frozenset(type(known.parser()).TYPE_TOKENS)
    return frozenset(w for w, kind in type(known).tokenizer_class.KEYWORDS.items() if kind in kinds), kinds
