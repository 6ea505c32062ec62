"""What a reader of the answer needs and a draft tends to leave out: what rows are grouped and ordered by."""

from __future__ import annotations

import re

from sqlglot import exp

from agentkit_sql.card.words import near, stem, words

_LARGEST_SHOWN = 8


def complete(tree: exp.Expr, question: str, dialect: str, *, groups: bool = True) -> list[str]:
    """Complete the outermost SELECT in place; gives what was done in words.

    A join that nothing is read of goes, and so does a LIMIT where the question names no number or asks for a list in an
    order. A ratio is not made a percentage. Keys of GROUP BY and figures of ORDER BY are shown. Rows without a figure
    come last in descending order. `groups`: whether the keys of GROUP BY are the draft's own.
    """
    if not isinstance(tree, exp.Select):
        return []
    done: list[str] = []
    _drop_joins(tree, question, done)
    _plain_ratio(tree, question, done)
    _drop_limit(tree, question, done)
    _limit_to_top(tree, question, done)
    if tree.args.get("distinct") is None and not tree.is_star:
        if groups:
            _show_groups(tree, done)
        _show_orders(tree, done)
    if dialect == "postgres":
        _missing_last(tree, done)
    return done


def _drop_joins(tree: exp.Select, question: str, done: list[str]) -> None:
    """A table that nothing is read of, and that the question does not name, only repeats or loses rows."""
    asked = {stem(w) for w in words(question)}
    for join in reversed(tree.args.get("joins") or []):
        table = join.this
        named = {stem(w) for w in words(table.name)} if isinstance(table, exp.Table) else set()
        if not named or named & asked or any(near(w, asked) for w in named) or tree.is_star:
            continue
        alias = (table.alias or table.name).lower()
        own = {id(c) for c in join.find_all(exp.Column)}
        others = [c for c in tree.find_all(exp.Column) if id(c) not in own]
        if join.args.get("using") or any(not c.table or c.table.lower() == alias for c in others):
            continue
        tree.set("joins", [j for j in tree.args["joins"] if j is not join])
        done.append(f"{table.name} is not joined: nothing of it is asked for")


def _drop_limit(tree: exp.Select, question: str, done: list[str]) -> None:
    limit = tree.args.get("limit")
    count = limit.expression if isinstance(limit, exp.Limit) else None
    if not isinstance(count, exp.Literal) or count.is_string or _asked_for(count.this, question.lower()):
        return
    tree.set("limit", None)
    done.append(f"all rows, not the first {count.this}")


def _asked_for(count: str, said: str) -> bool:
    """Whether a question asks for so many rows: by a number, or for one thing and not for a list or one of each."""
    if count == "1":
        several = re.search(r"\b(?:(?:order|sort|rank|arrange)(?:ed|ing)?|each|every)\b", said)
        return several is None or re.search(r"\b(?:top|first)\b", said) is not None
    numbers = set(re.findall(r"\d+", said)) | {n for word, n in _WORTH.items() if re.search(rf"\b{word}\b", said)}
    return count in numbers or re.search(r"\b(?:few|several|some|dozen|sample|examples?)\b", said) is not None


def _limit_to_top(tree: exp.Select, question: str, done: list[str]) -> None:
    """`the top five` of rows in an order are five; `which city has the most` asks for one."""
    if tree.args.get("limit") is not None or tree.args.get("order") is None:
        return
    said = re.search(rf"\b(?:top|first|best)\s+(\d{{1,3}}|{'|'.join(_WORTH)})\b", question, re.IGNORECASE)
    count = _WORTH.get(said[1].lower(), said[1]) if said else "1" if _asks_for_one(question) else None
    if count is not None:
        tree.set("limit", exp.Limit(expression=exp.Literal.number(count)))
        done.append(f"the first {count}")


def _asks_for_one(question: str) -> bool:
    one = re.search(
        r"\b(?:(?:which|what) \w+ (?:has|is|was)|who (?:has|is|was)|what (?:is|was) the (?:name|title|id)) .*"
        r"\b(?:most|highest|lowest|least|largest|smallest|longest|shortest|oldest|youngest|latest|earliest)\b",
        question,
        re.IGNORECASE,
    )
    several = re.search(
        r"\b(?:each|every|per|order(?:ed)?|sort(?:ed)?|rank(?:ed)?|list|all)\b", question, re.IGNORECASE
    )
    return one is not None and several is None


_NAMED = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_WORTH = {word: str(number) for number, word in enumerate(_NAMED, 2)}


def _plain_ratio(tree: exp.Select, question: str, done: list[str]) -> None:
    """A ratio or a proportion is a number as it is; only a percentage is multiplied by 100."""
    if not re.search(r"\b(?:ratio|proportion|fraction)", question, re.IGNORECASE) or re.search(
        r"percent|%|\b100\b", question, re.IGNORECASE
    ):
        return
    for item in tree.expressions:
        for node in list(item.find_all(exp.Mul)):
            factors = [node.this, node.expression]
            rest = [f for f in factors if not (isinstance(f, exp.Literal) and f.this in {"100", "100.0"})]
            around = isinstance(node.parent, exp.Div) or (len(rest) == 1 and rest[0].find(exp.Div) is not None)
            if len(rest) == 1 and around and node.parent_select is tree:
                node.replace(rest[0].unnest().copy() if not isinstance(node.parent, exp.Div) else rest[0].copy())
                done.append("a ratio is not multiplied by 100")


def _show_groups(tree: exp.Select, done: list[str]) -> None:
    group = tree.args.get("group")
    if group is None or group.args.get("all") or group.find(exp.Rollup, exp.Cube, exp.GroupingSets):
        return
    shown = _shown(tree)
    for key in group.expressions:
        simple = isinstance(key, exp.Column) or (isinstance(key, exp.Func) and key.find(exp.Column) is not None)
        name = key.name.lower() if isinstance(key, exp.Column) else ""
        # an id that is grouped by beside a name tells a reader nothing
        if simple and key.sql().lower() not in shown and name not in shown and not _is_id(name):
            tree.append("expressions", key.copy())
            done.append(f"{key.sql()} is shown, by which rows are grouped")


def _show_orders(tree: exp.Select, done: list[str]) -> None:
    order = tree.args.get("order")
    if order is None or len(tree.expressions) >= _LARGEST_SHOWN:
        return
    for ordered in order.expressions:
        figure, shown = ordered.this, _shown(tree)
        name = figure.name.lower() if isinstance(figure, exp.Column) else ""
        plain = isinstance(figure, (exp.Column, exp.AggFunc, exp.Binary))
        if not plain or figure.sql().lower() in shown or name in shown or _is_id(name):
            continue
        if figure.find(exp.Subquery, exp.Window) is None:
            tree.append("expressions", figure.copy())
            done.append(f"{figure.sql()} is shown, by which rows are ordered")


def _missing_last(tree: exp.Select, done: list[str]) -> None:
    order = tree.args.get("order")
    for ordered in order.expressions if order is not None else ():
        if ordered.args.get("desc") and ordered.args.get("nulls_first"):
            ordered.set("nulls_first", False)
            done.append("rows without a value come last")


def _shown(tree: exp.Select) -> set[str]:
    shown: set[str] = set()
    for item in tree.expressions:
        inner = item.this if isinstance(item, exp.Alias) else item
        shown |= {inner.sql().lower(), item.alias_or_name.lower()}
        if isinstance(inner, exp.Column):
            shown.add(inner.name.lower())
    return shown - {""}


def _is_id(name: str) -> bool:
    return name.endswith(("id", "_code", "_key", "uuid"))
