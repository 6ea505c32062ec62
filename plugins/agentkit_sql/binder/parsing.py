"""Reading a statement, whatever dialect a model fell into."""

from __future__ import annotations

import re

from sqlglot import exp, parse
from sqlglot.errors import SqlglotError

# functions and forms that only one dialect has, and that the target dialect would not run
_FOREIGN: dict[str, re.Pattern[str]] = {
    "mysql": re.compile(
        r"`|\b(DATE_FORMAT|CURDATE|TIMESTAMPDIFF|DATE_SUB|DATE_ADD|IFNULL|STR_TO_DATE|LAST_DAY|DAYNAME|MONTHNAME"
        r"|GROUP_CONCAT|UNIX_TIMESTAMP)\b",
        re.IGNORECASE,
    ),
    "tsql": re.compile(
        r"\bSELECT\s+TOP\s+\(?\d|\b(GETDATE|DATEADD|DATENAME|ISNULL|CHARINDEX)\s*\(|\[\w", re.IGNORECASE
    ),
    "sqlite": re.compile(r"\b(STRFTIME|JULIANDAY|DATETIME|IFNULL|GROUP_CONCAT|INSTR)\s*\(", re.IGNORECASE),
    "postgres": re.compile(r"::|\b(TO_CHAR|DATE_TRUNC|STRING_AGG|AGE|NOW|ILIKE|SPLIT_PART|EXTRACT)\b", re.IGNORECASE),
}
_KNOWS = {"postgres": {"postgres"}, "duckdb": {"postgres", "duckdb"}, "sqlite": {"sqlite"}}


def parsed(sql: str, dialect: str) -> tuple[exp.Expr | None, list[str], str]:
    """The tree, the repairs that reading it took, and the parser's words if it cannot be read."""
    text = sql.strip().rstrip(";").rstrip()
    tree, problem = _read(text, dialect)
    literals_gone = re.sub(r"'(?:[^']|'')*'", "''", text)
    for foreign, signs in _FOREIGN.items():
        if foreign in _KNOWS.get(dialect, {dialect}) or not signs.search(literals_gone):
            continue
        if tree is not None and foreign != "tsql" and not _anonymous(tree):
            continue
        translated, _ = _read(text, foreign)
        if translated is not None and (tree is None or len(_anonymous(translated)) < len(_anonymous(tree))):
            return translated, [f"written as {_NAMES[foreign]}, translated"], ""
    if tree is None:
        return _without_noise(text, dialect, problem)
    return tree, [], ""


_NAMES = {"mysql": "MySQL", "tsql": "SQL Server", "sqlite": "SQLite", "postgres": "PostgreSQL"}


def _read(text: str, dialect: str) -> tuple[exp.Expr | None, str]:
    try:
        trees = [t for t in parse(text, read=dialect) if t is not None]
    except (SqlglotError, RecursionError, ValueError) as error:
        return None, str(error).splitlines()[0][:300]
    if len(trees) != 1:
        return None, f"there are {len(trees)} statements, one is wanted"
    for node in trees[0].find_all(exp.Func):
        if "start" in node.meta:  # the parser forgets how a function was called
            node.meta["name"] = text[node.meta["start"] : node.meta["end"] + 1]
    return trees[0], ""


def _without_noise(text: str, dialect: str, problem: str) -> tuple[exp.Expr | None, list[str], str]:
    """Once more without what a model tends to leave at the end: an open bracket, words after the statement."""
    balance = text.count("(") - text.count(")")
    tries = [text + ")" * balance] if 0 < balance < 4 else [text[:balance]] if -4 < balance < 0 else []
    for candidate in tries:
        tree, _ = _read(candidate, dialect)
        if tree is not None:
            return tree, ["brackets at the end were balanced"], ""
    return None, [], problem


def _anonymous(tree: exp.Expr) -> list[exp.Expr]:
    """Functions that the dialect's parser does not know, and those that it knows but PostgreSQL does not have."""
    return list(tree.find_all(exp.Anonymous, exp.DateSub, exp.DateAdd, exp.DateDiff, exp.TimestampDiff))
