"""Functions of other dialects, as the database at hand has them."""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import exp, parse_one

from agentkit_sql.binder.names import Names
from agentkit_sql.binder.sqlite_functions import PARTS, for_sqlite

# names that the parser understands and writes in the right way, but that the engine itself does not have
_LACKS = {
    "postgres": re.compile(
        r"(IFNULL|NVL|YEAR|MONTH|DAY|IF|IIF|LEN|DATEDIFF|DATE_DIFF|INSTR|LOCATE|CHARINDEX|MEDIAN|STDEV|DATE_ADD|DATE_SUB"
        r"|LCASE|UCASE|GROUP_CONCAT|LAST_DAY|DATE_FORMAT|STR_TO_DATE|TRUNCATE|RAND|REGEXP_CONTAINS|CURDATE|TOTAL"
        r"|QUARTER|WEEK|DAYOFWEEK|MONTHNAME|DAYNAME|TIMESTAMPDIFF|JULIANDAY|DATETIME|STRFTIME)",
        re.IGNORECASE,
    ),
    "sqlite": re.compile(
        r"(EXTRACT|DATE_TRUNC|TO_CHAR|YEAR|MONTH|DAY|LEFT|RIGHT|STRING_AGG|NVL|DATEDIFF|DATE_PART|NOW|AGE|LEN|POSITION"
        r"|DATE_ADD|DATE_SUB|CURDATE|LISTAGG|IF|TO_DATE)",
        re.IGNORECASE,
    ),
    "duckdb": re.compile(
        r"(TO_CHAR|NVL|IIF|LEN|DATEDIFF|CURDATE|DATE_FORMAT|STR_TO_DATE|JULIANDAY|CHARINDEX|LOCATE|GETDATE|TO_DATE)",
        re.IGNORECASE,
    ),
}
_SECONDS = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86_400, "WEEK": 604_800}


def repair_functions(tree: exp.Expr, names: Names, repairs: list[str]) -> None:
    """Write functions that the database does not have with those that it has."""
    dialect = names.schema.dialect
    for node in list(tree.find_all(exp.Func, exp.Extract, exp.Interval, exp.Sub)):
        own = _REWRITES[dialect](node)
        if own is not None:
            repairs.append(f"{_label(node)} is written as {own.sql(dialect=dialect)}")
            node.replace(own)
    foreign = dict.fromkeys(w.upper() for w in _written(tree) if _LACKS[dialect].fullmatch(w))
    repairs.extend(f"{name} is written as {dialect} has it" for name in foreign)


def _written(tree: exp.Expr) -> list[str]:
    """The names of functions as the statement had them."""
    return [n.meta["name"] for n in tree.find_all(exp.Func) if n.meta.get("name")]


def _label(node: exp.Expr) -> str:
    return str(node.meta.get("name") or node.name or node.sql()).upper()


def _postgres(node: exp.Expr) -> exp.Expr | None:
    part = PARTS.get(type(node))
    if part and not isinstance(node, (exp.Year, exp.Month, exp.Day)):
        return _sql(f"EXTRACT({part} FROM {_text(node.this)})")
    if isinstance(node, exp.Monthname):
        return _sql(f"TRIM(TO_CHAR({_text(node.this)}, 'Month'))")
    if isinstance(node, exp.Dayname):
        return _sql(f"TRIM(TO_CHAR({_text(node.this)}, 'Day'))")
    if isinstance(node, exp.DateDiff):
        return _difference(node)
    if isinstance(node, exp.TimestampDiff):
        return _between(_text(node.expression), _text(node.this), node.text("unit").upper() or "DAY")
    if isinstance(node, (exp.Date, exp.Datetime)) and node.this is not None:
        more = [node.args.get("zone"), node.args.get("expression"), *node.expressions]
        modifiers = [m for m in more if m is not None]
        now = node.this.is_string and node.this.name.lower() == "now"
        return _sqlite_date([node.this, *modifiers]) if modifiers or now else None
    if isinstance(node, exp.Anonymous):
        return _postgres_by_name(node)
    return None


def _postgres_by_name(node: exp.Anonymous) -> exp.Expr | None:
    name, args = node.name.upper(), node.expressions
    if name in {"CURDATE", "TODAY", "SYSDATE"}:
        return exp.CurrentDate()
    if name in {"GETDATE", "SYSDATETIME"} and not args:
        return exp.CurrentTimestamp()
    if name == "JULIANDAY" and args:
        return _sql(f"(EXTRACT(EPOCH FROM {_moment(args[0])}) / 86400.0)")
    if name in {"DATE", "DATETIME"} and args:
        return _sqlite_date(args)
    if name == "STRFTIME" and len(args) == 2 and args[0].is_string:
        return _sql(f"TO_CHAR({_moment(args[1])}, '{_to_char(args[0].name)}')")
    if name == "TOTAL" and len(args) == 1:
        return _sql(f"COALESCE(SUM({_text(args[0])}), 0)")
    if name == "DAYNAME" and args:
        return _sql(f"TRIM(TO_CHAR({_text(args[0])}, 'Day'))")
    return None


def _difference(node: exp.DateDiff) -> exp.Expr | None:
    """The later date stands first in the tree; without a unit the difference is in days."""
    end, start = _text(_bare_date(node.this)), _text(_bare_date(node.expression))
    unit = node.args.get("unit")
    return _between(start, end, unit.name.upper() if unit is not None else "DAY")


def _bare_date(node: exp.Expr) -> exp.Expr:
    """Without the conversions that the parser of SQL Server adds."""
    inner: exp.Expr = node.this if isinstance(node, (exp.TimeStrToTime, exp.TsOrDsToDate)) else node
    return inner


def _between(start: str, end: str, unit: str) -> exp.Expr | None:
    unit = unit.removesuffix("S")
    if unit == "DAY":
        return _sql(f"(CAST({end} AS DATE) - CAST({start} AS DATE))")
    if unit in _SECONDS:
        length = f"EXTRACT(EPOCH FROM CAST({end} AS TIMESTAMP) - CAST({start} AS TIMESTAMP))"
        return _sql(f"({length} / {_SECONDS[unit]})" if unit != "SECOND" else length)
    age = f"AGE(CAST({end} AS TIMESTAMP), CAST({start} AS TIMESTAMP))"
    months = f"(EXTRACT(YEAR FROM {age}) * 12 + EXTRACT(MONTH FROM {age}))"
    return _sql({"MONTH": months, "YEAR": f"EXTRACT(YEAR FROM {age})", "QUARTER": f"FLOOR({months} / 3)"}.get(unit, ""))


def _sqlite_date(args: list[exp.Expr]) -> exp.Expr | None:
    """`DATE('now', '-6 months', 'start of month')` as PostgreSQL."""
    text = _moment(args[0]) if not (args[0].is_string and args[0].name == "now") else "CURRENT_DATE"
    for modifier in args[1:]:
        if not modifier.is_string:
            return None
        said = modifier.name.lower()
        if said.startswith("start of "):
            text = f"DATE_TRUNC('{said[9:]}', {text})"
        elif re.fullmatch(r"[+-]?\d+ \w+", said):
            text = f"{text} + INTERVAL '{said}'"
        elif said not in {"localtime", "utc"}:
            return None
    return _sql(f"CAST({text} AS DATE)")


def _duckdb(node: exp.Expr) -> exp.Expr | None:
    if isinstance(node, exp.Anonymous):
        name, args = node.name.upper(), node.expressions
        if name == "CURDATE":
            return exp.CurrentDate()
        if name == "JULIANDAY" and args:
            return _sql(f"JULIAN(CAST({_text(args[0])} AS TIMESTAMP))", "duckdb")
    return _postgres(node) if isinstance(node, (exp.Date, exp.Datetime)) else None


_REWRITES: dict[str, Callable[[exp.Expr], exp.Expr | None]] = {
    "postgres": _postgres,
    "sqlite": for_sqlite,
    "duckdb": _duckdb,
}
_TO_CHAR = {"%Y": "YYYY", "%m": "MM", "%d": "DD", "%H": "HH24", "%M": "MI", "%S": "SS", "%j": "DDD", "%W": "WW"}


def _to_char(form: str) -> str:
    for code, picture in _TO_CHAR.items():
        form = form.replace(code, picture)
    return form.replace("%w", "D").replace("'", "''")


def _moment(node: exp.Expr) -> str:
    if node.is_string and node.name == "now":
        return "CURRENT_TIMESTAMP"
    return f"CAST({_text(node)} AS TIMESTAMP)"


def _text(node: exp.Expr) -> str:
    return node.sql(dialect="postgres")


def _sql(text: str, dialect: str = "postgres") -> exp.Expr | None:
    return parse_one(text, read=dialect) if text else None
