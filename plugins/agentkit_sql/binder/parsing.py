"""Reading a statement, whatever dialect a model fell into."""

from __future__ import annotations

import re

from sqlglot import exp, parse
from sqlglot.errors import SqlglotError

from agentkit_sql.typed import statement

_UNIT = r"(?:second|minute|hour|day|week|month|quarter|year)s?"
# forms that only one dialect has, and that others misread; all dialects of `_DIALECTS` are tried in this order
_DECISIVE: dict[str, re.Pattern[str]] = {
    "mysql": re.compile(r"`|\b(?:TIMESTAMPDIFF|DATE_FORMAT|STR_TO_DATE|DATE_SUB|DATE_ADD)\s*\(", re.IGNORECASE),
    "tsql": re.compile(
        rf"\bSELECT\s+(?:DISTINCT\s+)?TOP\s+\(?\d|\b(?:GETDATE|DATEADD)\s*\(|\bDATEDIFF\s*\(\s*{_UNIT}\s*,",
        re.IGNORECASE,
    ),
    "duckdb": re.compile(rf"\bDATE_?DIFF\s*\(\s*'{_UNIT}'\s*,", re.IGNORECASE),
    "postgres": re.compile(r"\b(?:TO_CHAR|STRING_AGG|TO_DATE)\s*\(", re.IGNORECASE),
}
_NOT_SQLITE = re.compile(
    r"::|\bILIKE\b|\bINTERVAL\b|\bDATE\s+'|\b(?:EXTRACT|DATE_PART|NOW|IF|AGE|TO_CHAR|STRING_AGG|TO_DATE|CONCAT)\s*\(",
    re.IGNORECASE,
)
_OTHERS = {"postgres": ("mysql", "tsql", "duckdb"), "sqlite": ("mysql", "tsql", "duckdb", "postgres"),
           "duckdb": ("mysql", "tsql", "postgres")}  # fmt: skip


def parsed(sql: str, dialect: str) -> tuple[exp.Expr | None, list[str], str]:
    """The tree, the repairs that reading it took, and the parser's words if it cannot be read."""
    text = statement(sql)
    tree, problem = _read(text, dialect)
    # what stands in a text or a quoted name is no sign of a dialect, but a unit of time is
    bare = re.sub(rf"'(?!{_UNIT}')(?:[^']|'')*'|\"[^\"]*\"", "''", text, flags=re.IGNORECASE)
    for foreign in _OTHERS[dialect]:
        signs = _NOT_SQLITE if (dialect, foreign) == ("sqlite", "postgres") else _DECISIVE[foreign]
        if tree is None or signs.search(bare):
            translated, _ = _read(text, foreign)
            if translated is not None and (tree is not None or not _strange(translated)):
                return translated, [f"written as {_NAMES[foreign]}, translated"], ""
    if tree is None:
        return _without_noise(text, dialect, problem)
    return tree, [], ""


_NAMES = {"mysql": "MySQL", "tsql": "SQL Server", "duckdb": "DuckDB", "postgres": "PostgreSQL"}


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
    """Once more without what a model tends to leave at the end: brackets, or a condition that was cut."""
    plain = text.rstrip("}\\ \n")
    balance = plain.count("(") - plain.count(")")
    balanced = plain + ")" * balance if 0 < balance < 4 else plain[:balance] if -4 < balance < 0 else plain
    tree, _ = _read(balanced, dialect) if balanced != text else (None, "")
    if tree is not None:
        return tree, ["brackets at the end were balanced"], ""
    ends = [found.start() for found in re.finditer(r"\s(?:AND|OR)\s", text, re.IGNORECASE)]
    for end in reversed(ends[-_MOST_CUTS:]):
        tree, _ = _read(text[:end], dialect)
        if tree is not None:
            return tree, [CUT], ""
    return None, [], problem


CUT = "what was cut at its end is left out"
_MOST_CUTS = 3


def _strange(tree: exp.Expr) -> bool:
    """Whether this is no query: a lenient dialect reads nearly everything as something."""
    return not isinstance(tree, exp.Query)
