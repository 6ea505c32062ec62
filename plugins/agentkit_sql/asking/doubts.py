"""Signs that a statement which runs does not answer its question: reasons to write another one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlglot import exp

from agentkit_sql.card.words import stem, words

if TYPE_CHECKING:
    from agentkit_sql.answer import SqlAnswer

_EACH = re.compile(r"\b(?:for each|for every|per|by each|in each|of each|each)\b", re.IGNORECASE)
_RATIO = re.compile(r"\b(?:ratios?|percentages?|percent|proportions?|shares?|fraction)\b|%(?!\w)", re.IGNORECASE)
_MEAN = re.compile(r"\b(?:average|mean)\b", re.IGNORECASE)
_SAME_BEGINNING = 4


def doubts(tree: exp.Expr, question: str, answer: SqlAnswer | None = None) -> list[str]:
    """What is odd about a statement for this question, in words; [] if nothing is."""
    found = [f"the question does not speak of {v!r}" for v in invented(tree, question)]
    grouped = tree.find(exp.Group, exp.Window, exp.Distinct) is not None
    if _EACH.search(question) and tree.find(exp.AggFunc) and not grouped:
        found.append("the question asks for each of several, the statement gives one figure")
    if _RATIO.search(question) and not tree.find(exp.Div, exp.Avg):
        found.append("the question asks for a ratio, the statement computes none")
    if _MEAN.search(question) and not tree.find(exp.Avg, exp.Div):
        found.append("the question asks for an average, the statement computes none")
    if answer is not None and [v for row in answer.table.rows for v in row] == [0]:
        found.append("the result is 0")
    return found


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


def _alike(word: str, asked: str) -> bool:
    return word == asked or (min(len(word), len(asked)) >= _SAME_BEGINNING and word[:4] == asked[:4])
