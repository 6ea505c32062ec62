"""Functions of other dialects on dates and texts, with what SQLite has: texts, STRFTIME and JULIANDAY."""

from __future__ import annotations

from sqlglot import exp, parse_one

PARTS: dict[type[exp.Expr], str] = {
    exp.Year: "year", exp.Month: "month", exp.Day: "day", exp.Quarter: "quarter", exp.Week: "week",
    exp.DayOfWeek: "dow", exp.DayOfYear: "doy", exp.WeekOfYear: "week",
}  # fmt: skip
"""Functions that take a part of a date, and the part as EXTRACT calls it."""
_STRFTIME = {
    "YEAR": "%Y", "MONTH": "%m", "DAY": "%d", "HOUR": "%H", "MINUTE": "%M", "SECOND": "%S", "DOW": "%w",
    "DAYOFWEEK": "%w", "DOY": "%j", "WEEK": "%W", "EPOCH": "%s",
}  # fmt: skip
_TRUNCATED = {"YEAR": "%Y-01-01", "MONTH": "%Y-%m-01", "DAY": "%Y-%m-%d"}
_MOMENTS = ("DATE", "TIMESTAMP", "DATETIME")


def for_sqlite(node: exp.Expr) -> exp.Expr | None:
    """The same as SQLite has it; None if it has it as it is, or cannot do it."""
    if isinstance(node, exp.Extract):
        return _part(node.name.upper(), _text(node.expression))
    if type(node) in PARTS:
        return _part(PARTS[type(node)].upper(), _text(node.this))
    if isinstance(node, (exp.TimestampTrunc, exp.DateTrunc)):
        form = _TRUNCATED.get(node.text("unit").upper())
        return _sql(f"STRFTIME('{form}', {_text(node.this)})") if form else None
    if isinstance(node, (exp.DateDiff, exp.TimestampDiff)):
        return _difference(_text(node.this), _text(node.expression), node.text("unit").upper() or "DAY")
    if isinstance(node, (exp.Sub, exp.Add, exp.DateSub, exp.DateAdd)):
        return _shifted(node)
    if isinstance(node, (exp.StrToDate, exp.TsOrDsToDate)):
        return _sql(f"DATE({_text(node.this)})")
    if isinstance(node, exp.Anonymous) and node.name.upper() in {"CURDATE", "TODAY"}:
        return exp.CurrentDate()
    return _of_text(node)


def _of_text(node: exp.Expr) -> exp.Expr | None:
    if isinstance(node, exp.Left):
        return _sql(f"SUBSTR({_text(node.this)}, 1, {_text(node.expression)})")
    if isinstance(node, exp.Right):
        return _sql(f"SUBSTR({_text(node.this)}, -({_text(node.expression)}))")
    if isinstance(node, exp.Concat):
        return _sql(" || ".join(f"COALESCE({_text(part)}, '')" for part in node.expressions))
    return None


def _shifted(node: exp.Expr) -> exp.Expr | None:
    """A date and a length of time, or the days between two dates."""
    shift = node.expression
    sign = "-" if isinstance(node, (exp.Sub, exp.DateSub)) else "+"
    base = "'now'" if isinstance(node.this, (exp.CurrentDate, exp.CurrentTimestamp)) else _text(node.this)
    if isinstance(node, (exp.DateSub, exp.DateAdd)) and isinstance(shift, exp.Literal):
        return _sql(f"DATE({base}, '{sign}{shift.name} {node.text('unit').lower() or 'day'}s')")
    if isinstance(shift, exp.Interval) and shift.this is not None:
        amount, _, unit = f"{shift.this.name} {shift.args.get('unit') or ''}".strip().partition(" ")
        return _sql(f"DATE({base}, '{sign}{amount} {unit.lower() or 'days'}')")
    if isinstance(node, exp.Sub) and (_is_date(node.this) or _is_date(shift)):
        return _difference(_text(node.this), _text(shift), "DAY")
    return None


def _is_date(node: exp.Expr) -> bool:
    cast = isinstance(node, exp.Cast) and node.to.sql().upper().startswith(_MOMENTS)
    return cast or isinstance(node, (exp.CurrentDate, exp.TsOrDsToDate, exp.Date))


def _difference(end: str, start: str, unit: str) -> exp.Expr | None:
    days = f"JULIANDAY({end}) - JULIANDAY({start})"
    months = " - ".join(f"(STRFTIME('%Y', {d}) * 12 + STRFTIME('%m', {d}))" for d in (end, start))
    forms = {
        "DAY": f"CAST({days} AS INTEGER)", "WEEK": f"CAST(({days}) / 7 AS INTEGER)", "MONTH": f"({months})",
        "YEAR": f"(STRFTIME('%Y', {end}) - STRFTIME('%Y', {start}))", "HOUR": f"CAST(({days}) * 24 AS INTEGER)",
    }  # fmt: skip
    return _sql(forms[unit.removesuffix("S")]) if unit.removesuffix("S") in forms else None


def _part(part: str, text: str) -> exp.Expr | None:
    if part == "QUARTER":
        return _sql(f"((CAST(STRFTIME('%m', {text}) AS INTEGER) + 2) / 3)")
    form = _STRFTIME.get(part)
    return _sql(f"CAST(STRFTIME('{form}', {text}) AS INTEGER)") if form else None


def _text(node: exp.Expr) -> str:
    return node.sql(dialect="sqlite")


def _sql(text: str) -> exp.Expr:
    return parse_one(text, read="sqlite")
