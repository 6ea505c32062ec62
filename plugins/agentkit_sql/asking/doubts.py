"""Signs that a statement which runs does not answer its question: reasons to write another one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from sqlglot import exp

from agentkit_sql.binder.figures import uses_today
from agentkit_sql.binder.parsing import CUT
from agentkit_sql.card.words import stem, words

if TYPE_CHECKING:
    from agentkit_sql.answer import SqlAnswer

_EACH = re.compile(r"\b(?:for each|for every|per|by each|in each|of each|each)\b", re.IGNORECASE)
_RATIO = re.compile(r"\b(?:ratios?|percentages?|percent|proportions?|shares?|fraction)\b|%(?!\w)", re.IGNORECASE)
_MEAN = re.compile(r"\b(?:average|mean)\b", re.IGNORECASE)
_EXTREME = re.compile(
    r"(?<!at )\b(?:most|highest|lowest|least|largest|smallest|biggest|longest|shortest|oldest|youngest|cheapest|best"
    r"|worst|top)\b",
    re.IGNORECASE,
)
_WITHOUT = re.compile(r"\b(?:never|without|haven't|hasn't|didn't|don't|doesn't|not yet|no longer)\b", re.IGNORECASE)
_MEDIANS = (exp.Median, exp.PercentileCont, exp.PercentileDisc, exp.Quantile, exp.ApproxQuantile, exp.RowNumber)
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_RELATIVE = re.compile(
    r"\b(?:last|past|ago|recent|recently|latest|today|yesterday|now|current|currently|this|since|until|next|old|age)\b",
    re.IGNORECASE,
)
_SAME_BEGINNING = 4
_WEAK_REPAIRS = ("GROUP BY needs", "which was joined", CUT)
"""Repairs that make a statement run which seldom answers its question."""


def doubts(tree: exp.Expr, question: str, answer: SqlAnswer | None = None) -> list[str]:
    """What is odd about a statement for this question, in words; [] if nothing is."""
    found = [f"the question does not speak of {v!r}" for v in invented(tree, question)]
    # what follows the first line are remarks on how to answer
    asked = question.strip().partition("\n")[0]
    if _EACH.search(asked) and _one_figure(tree):
        found.append("the question asks for each of several, the statement gives one figure")
    if _RATIO.search(asked) and not tree.find(exp.Div, exp.Avg):
        found.append("the question asks for a ratio, the statement computes none")
    if _MEAN.search(asked) and not tree.find(exp.Avg, exp.Div):
        found.append("the question asks for an average, the statement computes none")
    if re.search(r"\bmedian\b", asked, re.IGNORECASE) and not tree.find(*_MEDIANS):
        found.append("the question asks for a median, the statement computes none")
    if _YEAR.search(asked) and not _RELATIVE.search(question) and uses_today(tree):
        found.append("the question names its time, the statement counts from today")
    if _EXTREME.search(asked) and not tree.find(exp.Order, exp.Max, exp.Min, exp.Window):
        found.append("the question asks for the most or the least of something, the statement orders nothing")
    if _WITHOUT.search(asked) and not tree.find(exp.Not, exp.NEQ, exp.Is, exp.Except, exp.Boolean):
        found.append("the question asks for what is not, the statement excludes nothing")
    found += [f"the question says {said}, the statement does not" for said in _left_out(tree, asked)]
    if answer is not None and [v for row in answer.table.rows for v in row] == [0]:
        found.append("the result is 0")
    return found


def _left_out(tree: exp.Expr, asked: str) -> list[str]:
    """Numbers and quoted texts of the question that a statement has nothing of."""
    written = tree.sql().lower()
    numbers = set(re.findall(r"\d+(?:\.\d+)?", written))
    texts = re.findall(r"(?:^|\s)(['\"])(.{2,40}?)\1(?=[\s,.?!;)]|$)", asked)
    missing = [repr(text) for _, text in texts if not any(w in written for w in text.lower().split())]
    bare = re.sub(r"(['\"]).*?\1", " ", asked).replace(",", "")
    for number in re.findall(r"(?<![\w.-])\d+(?![\w.-])", bare):
        near = {number, str(int(number) + 1), str(int(number) - 1)}
        if not near & numbers and not any(number in n for n in numbers):
            missing.append(number)
    return missing


def weak(repairs: Iterable[str]) -> list[str]:
    """The repairs that leave a doubt."""
    return [r for r in repairs if any(w in r for w in _WEAK_REPAIRS)]


def _one_figure(tree: exp.Expr) -> bool:
    """Whether the statement computes figures over all rows at once."""
    if not isinstance(tree, exp.Select) or tree.args.get("group") is not None or tree.args.get("distinct") is not None:
        return False
    figures = [e.find(exp.AggFunc) for e in tree.expressions]
    return all(f is not None and f.parent_select is tree for f in figures) and tree.find(exp.Window) is None


def invented(tree: exp.Expr, question: str) -> list[str]:
    """Values of several words in conditions that share nothing with the question: copied from the examples of values.

    An abbreviation in the question (US, NYC) stands for words that begin with its letters.
    """
    asked = {stem(w) for w in words(question)}
    whole = {w.lower() for w in re.findall(r"\w+", question)}
    found = []
    for literal in tree.find_all(exp.Literal):
        said = words(literal.name) if literal.is_string else []
        condition = literal.find_ancestor(exp.Where, exp.Having, exp.Join, exp.If)
        if condition is None or len(said) < 2 or re.search(r"\d", literal.name):
            continue
        initials = "".join(w[0] for w in said)
        if initials in whole or any(_alike(w, a) for w in said for a in asked):
            continue
        found.append(literal.name)
    return list(dict.fromkeys(found))


def without_invented(tree: exp.Expr, question: str) -> exp.Expr | None:
    """A copy without the conditions in WHERE on values that the question does not speak of; None if there are none."""
    made_up, changed = set(invented(tree, question)), False
    copy = tree.copy()
    for select in copy.find_all(exp.Select):
        where = select.args.get("where")
        if where is None:
            continue
        parts = list(where.this.flatten()) if isinstance(where.this, exp.And) else [where.this]
        kept = [p for p in parts if not _only_of(p, made_up)]
        if len(kept) < len(parts):
            changed = True
            select.set("where", exp.Where(this=exp.and_(*(p.copy() for p in kept))) if kept else None)
    return copy if changed else None


def _only_of(condition: exp.Expr, made_up: set[str]) -> bool:
    texts = [n.name for n in condition.find_all(exp.Literal) if n.is_string]
    return bool(texts) and all(t in made_up for t in texts) and condition.find(exp.Query) is None


def _alike(word: str, asked: str) -> bool:
    return word == asked or (min(len(word), len(asked)) >= _SAME_BEGINNING and word[:4] == asked[:4])
