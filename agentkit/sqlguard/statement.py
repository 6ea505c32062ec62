"""One statement: read into a tree, and every node of it checked against what is allowed.

What runs is written anew from the checked tree, never the text that came in: there is no comment, no encoding and no
way to quote in which the database could see something that the check did not.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from agentkit.errors import SqlRefused, suggest
from agentkit.sqlguard import functions, nodes
from agentkit.sqlguard.reading import parser_of, writer_of
from agentkit.sqlguard.schema import Dialect
from agentkit.sqlguard.sizes import bound
from agentkit.sqlguard.tokens import check_numbers, check_types, nests_types, with_whole_intervals

if TYPE_CHECKING:
    from sqlglot.expressions import Expr, Query, Values

MOST_CHARACTERS = 100_000
DEEPEST = 60
"""Levels of brackets; people and models stay far below."""
MOST_BRACKETS = 400
"""Square ones: reading a long chain of them takes a time that grows with its square."""
MOST_NAMES = 50
"""Queries in WITH: PostgreSQL does not look at the clock while it plans a chain of them."""
MOST_COLUMNS = 2_000
_ONE = "Only one SELECT, set operation or VALUES is allowed. Nothing was run."
_BRACKETS = re.compile(r"[()\[\]{}]")
_HEX, _BITS = re.compile(r"[0-9A-Fa-f]*"), re.compile(r"[01]*")


def parsed(sql: str, dialect: Dialect) -> Query | Values:
    """The tree of one SELECT, set operation or VALUES, each node of it allowed. Raises SqlRefused."""
    tree = _read(sql, dialect)
    try:
        found = list(tree.walk())
        if sum(type(node).__name__ == "CTE" for node in found) > MOST_NAMES:
            raise SqlRefused(f"more than {MOST_NAMES} queries in WITH: write fewer, planning takes too long.", "size")
        if sum(len(node.expressions) for node in found if type(node).__name__ == "Select") > MOST_COLUMNS:
            raise SqlRefused(f"more than {MOST_COLUMNS:,} columns are not allowed: ask for fewer.", "size")
        for node in found:
            _check(node, dialect)
    except RecursionError:
        raise _too_deep() from None
    return tree


def written(tree: Query | Values, dialect: Dialect) -> str:
    """The tree as the text that runs. Raises SqlRefused."""
    from sqlglot.errors import ErrorLevel, SqlglotError

    try:
        writer = writer_of(dialect)
        return str(
            writer(dialect=dialect, comments=False, unsupported_level=ErrorLevel.RAISE).generate(tree, copy=False)
        )
    except RecursionError:
        raise _too_deep() from None
    except SqlglotError as error:
        raise SqlRefused(f"the statement cannot be written for {dialect}: {_plain(error)}.", "syntax") from None


def condition(sql: str, dialect: Dialect) -> Expr:
    """The tree of a condition that the settings give: it is trusted, and written as it came.

    Raises sqlglot's errors.
    """
    from sqlglot.errors import ParseError

    trees = _trees(f"SELECT 1 WHERE ({sql}\n)", dialect)
    where = trees[0].args.get("where") if len(trees) == 1 and trees[0] is not None else None
    if where is None:
        raise ParseError("not a condition")
    found: Expr = where.this
    return found


def _read(sql: str, dialect: Dialect) -> Query | Values:
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    # sqlglot warns about each statement that it does not know; the refusal says it
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    if len(sql) > MOST_CHARACTERS:
        raise SqlRefused(f"the statement has {len(sql):,} characters; at most {MOST_CHARACTERS:,} are read.", "size")
    if "\0" in sql or any("\ud800" <= letter <= "\udfff" for letter in sql):
        raise SqlRefused("the statement holds a zero byte, or bytes that are no UTF-8.", "syntax")
    if _depth(sql) > DEEPEST or sql.count("[") > MOST_BRACKETS:
        raise _too_deep()
    try:
        trees = [tree for tree in _trees(sql, dialect) if tree is not None]
    except RecursionError:
        raise _too_deep() from None
    except (SqlglotError, ValueError, TypeError, AttributeError, KeyError, IndexError) as error:
        raise SqlRefused(f"the statement cannot be read as {dialect} SQL: {_plain(error)}. {_ONE}", "syntax") from None
    trees = [tree for tree in trees if not isinstance(tree, exp.Semicolon)]
    if len(trees) > 1:
        raise SqlRefused(f"that is more than one statement. {_ONE}", "one statement")
    if not trees:
        raise SqlRefused(f"there is no statement. {_ONE}", "syntax")
    tree = trees[0]
    if not isinstance(tree, (exp.Query, exp.Values)):
        raise SqlRefused(f"{_verb(tree)} is not allowed. {_ONE}", "read only")
    return tree


def _trees(sql: str, dialect: Dialect) -> list[Expr | None]:
    from sqlglot.dialects.dialect import Dialect as Sqlglot

    known = Sqlglot.get_or_raise(dialect)
    tokens = known.tokenize(sql)
    check_numbers(tokens, sql)
    check_types(tokens, dialect)
    if nests_types(tokens, dialect):
        raise _too_deep()
    trees: list[Expr | None] = parser_of(dialect)(dialect=known).parse(with_whole_intervals(tokens, dialect), sql)
    return trees


def _check(node: Expr, dialect: Dialect) -> None:
    from sqlglot import exp

    name = type(node).__name__
    if isinstance(node, exp.Func):
        _check_function(node, name, dialect)
        if dialect == "postgres":
            bound(node)
    elif name not in nodes.NODES:
        rule, remedy = nodes.TOLD.get(name, ("syntax", "write it in plainer SQL"))
        raise SqlRefused(f"{_shown(node, dialect)} is not allowed: {remedy}. Nothing was run.", rule)
    elif isinstance(node, exp.Table):
        _check_table(node, dialect)
    elif isinstance(node, exp.Column):
        _check_column(node, dialect)
    elif isinstance(node, exp.DataType):
        _check_type(node)
    elif isinstance(node, (exp.Dot, exp.In, exp.CTE)):
        _check_place(node, dialect)
    else:
        _check_value(node)


def _check_place(node: Expr, dialect: Dialect) -> None:
    """What may stand where: no schema before a function, no table behind IN, nothing but queries in WITH."""
    from sqlglot import exp

    if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Func):
        raise SqlRefused(f"{_shown(node, dialect)} is not allowed: write functions without a schema.", "functions")
    if isinstance(node, exp.In) and dialect == "sqlite" and isinstance(node.args.get("field"), exp.Column):
        remedy = "write IN (SELECT column FROM table)"
        raise SqlRefused(f"{_shown(node, dialect)} is not allowed: {remedy}.", "tables")
    if isinstance(node, exp.CTE) and not isinstance(node.this, exp.Query):
        raise SqlRefused("a WITH may hold SELECT, set operations and VALUES only. Nothing was run.", "writing")


def _check_function(node: Expr, name: str, dialect: Dialect) -> None:
    known = functions.OF[dialect]
    if name == "Anonymous":
        # quoted, PostgreSQL tells letters apart: "UPPER" is not upper
        called = node.name if dialect == "postgres" and hasattr(node.this, "quoted") else node.name.lower()
        if called not in known:
            raise SqlRefused(
                f"the function {called!r} is not on the list of allowed ones.{suggest(called, known)} Functions of "
                "numbers, texts, dates, arrays, JSON, aggregates and windows are.",
                "functions",
            )
    elif name not in functions.CLASSES_OF[dialect]:
        raise SqlRefused(
            f"{_shown(node, dialect)} is not allowed: it is not on the list of functions. Functions of numbers, texts, "
            "dates, arrays, JSON, aggregates and windows are.",
            "functions",
        )


def _check_table(node: Expr, dialect: Dialect) -> None:
    for part, value in node.args.items():
        if value and part not in nodes.TABLE_PARTS:
            raise SqlRefused(f"{_shown(node, dialect)} is not allowed: name the table alone.", "tables")


def _check_column(node: Expr, dialect: Dialect) -> None:
    column = node.this
    if node.args.get("table") or not hasattr(column, "quoted") or column.quoted:
        return
    name = column.name.lower()
    if dialect != "sqlite" and name in nodes.ABOUT_USERS:
        raise SqlRefused(f"{name} is not allowed: it tells about the server's users.", "functions")
    if dialect == "postgres" and name in nodes.SYSTEM_COLUMNS:
        raise SqlRefused(f"the system column {name!r} is not allowed: name columns of the table.", "columns")


def _check_type(node: Expr) -> None:
    from sqlglot import exp

    kind = node.this
    if isinstance(kind, exp.Interval):  # INTERVAL DAY TO MINUTE: checked as a node of its own
        return
    name = getattr(kind, "name", str(kind)).upper()
    if name not in nodes.TYPES and name != "USERDEFINED":
        raise SqlRefused(f"the type {name} is not allowed in a statement.", "types")


def _check_value(node: Expr) -> None:
    """Strings of special kinds become plain ones, which no database reads differently."""
    from sqlglot import exp

    if isinstance(node, (exp.ByteString, exp.National, exp.RawString)):
        if "\\" in node.name and isinstance(node, exp.ByteString):
            raise SqlRefused("backslashes in E'...' are not allowed: write the character itself.", "strings")
        node.replace(exp.Literal.string(node.name))
    elif isinstance(node, exp.HexString) and not _HEX.fullmatch(node.name):
        raise SqlRefused("x'...' may hold hexadecimal digits only.", "strings")
    elif isinstance(node, exp.BitString) and not _BITS.fullmatch(node.name):
        raise SqlRefused("b'...' may hold 0 and 1 only.", "strings")


def _depth(sql: str) -> int:
    """How deep brackets are nested at most; those in strings count, too, which does no harm."""
    depth = deepest = 0
    for found in _BRACKETS.finditer(sql):
        depth += 1 if found[0] in "([{" else -1
        deepest = max(deepest, depth)
    return deepest


def _too_deep() -> SqlRefused:
    return SqlRefused(
        "the statement is nested too deeply. Split it with WITH, or compare with IN (...) instead of long chains.",
        "size",
    )


def _verb(tree: Expr) -> str:
    """The word that a statement begins with: 'DELETE', 'COPY'."""
    from sqlglot import exp

    word = tree.name if isinstance(tree, exp.Command) else type(tree).__name__
    return word.upper()[:40] or "this"


def _shown(node: Expr, dialect: Dialect) -> str:
    """The node's text, shortened."""
    try:
        text = " ".join(node.sql(dialect=dialect, comments=False).split())
    except Exception:  # noqa: BLE001 - it is only for the message
        text = type(node).__name__.upper()
    return repr(text if len(text) <= 80 else text[:77] + "...")


def _plain(error: Exception) -> str:
    """A parser's message without the marks that underline a place in a terminal, in one line."""
    text = re.sub(r"\x1b\[\d*m", "", str(error))
    return " ".join(text.split())[:300].rstrip(". ")
