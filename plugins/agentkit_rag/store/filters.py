"""Filters of a search as SQL conditions."""

from __future__ import annotations

import json
from typing import Any

from psycopg import sql

from agentkit_rag.store.contract import CollectionError, Filters

_COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_FORMS = 'a value, a list of values, or {"gte": 2020} with gt, gte, lt, lte or ne'
_OWN = ("source", "page")


def condition(filters: Filters) -> tuple[sql.Composable, dict[str, Any]]:
    """The condition on `c` (a chunk) and `s` (its source) that filters stand for, and its parameters.

    Raises CollectionError for a form that is not known.
    """
    parts: list[sql.Composable] = []
    values: dict[str, Any] = {}
    for key, wanted in filters.items():
        if not isinstance(key, str) or not key or "\0" in key:
            raise CollectionError(f"filters: {key!r} is not the name of a metadata field.")
        parts.append(_any_of(key, _forms(key, wanted), values))
    return (sql.SQL(" and ").join(parts) if parts else sql.SQL("true")), values


def _forms(key: str, wanted: Any) -> list[tuple[str, Any]]:
    """(operator, value) pairs. Several with `=` are alternatives, all others must hold together."""
    if isinstance(wanted, dict):
        pairs = list(wanted.items())
        if not pairs or any(o not in (*_COMPARISONS, "ne") for o, _ in pairs):
            raise CollectionError(f"filters: {key!r}: {wanted!r} is not {_FORMS}.")
    else:
        pairs = [("=", value) for value in (wanted if isinstance(wanted, (list, tuple, set)) else [wanted])]
    for _, value in pairs:
        if not isinstance(value, (str, int, float, bool)) or (isinstance(value, str) and "\0" in value):
            raise CollectionError(f"filters: {key!r}: {value!r} is not a text, a number, true or false.")
    return pairs


def _any_of(key: str, pairs: list[tuple[str, Any]], values: dict[str, Any]) -> sql.Composable:
    if not pairs:
        return sql.SQL("false")
    tests = [_test(key, operator, value, values) for operator, value in pairs]
    joiner = " or " if pairs[0][0] == "=" else " and "
    return sql.SQL("({})").format(sql.SQL(joiner).join(tests))


def _test(key: str, operator: str, value: Any, values: dict[str, Any]) -> sql.Composable:
    name = f"f{len(values)}"
    place = sql.Placeholder(name)
    if key == "source" and operator in ("=", "ne"):
        values[name] = _like(str(value))
        return sql.SQL("s.name like {}" if operator == "=" else "s.name not like {}").format(place)
    if key == "page":
        values[name] = value
        shown = {"=": "=", "ne": "<>", **_COMPARISONS}[operator]
        return sql.SQL("c.page " + shown + " ({}::text)::float8").format(place)
    if operator in ("=", "ne"):
        values[name] = json.dumps({key: value})
        return sql.SQL("s.metadata @> {}::jsonb" if operator == "=" else "not s.metadata @> {}::jsonb").format(place)
    values[name], values[f"{name}k"] = json.dumps(value), key
    compared = _COMPARISONS[operator]
    # numbers are compared with numbers and texts with texts: jsonb would order the one kind before the other
    statement = "(jsonb_typeof(s.metadata -> {key}) = jsonb_typeof({value}::jsonb) and s.metadata -> {key} "
    return sql.SQL(statement + compared + " {value}::jsonb)").format(key=sql.Placeholder(f"{name}k"), value=place)


def _like(pattern: str) -> str:
    """A glob with `*` as a LIKE pattern."""
    escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%")
