"""What of a card goes into a prompt: all of it if it fits, or else what matters for the question."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from dataclasses import dataclass, replace

from agentkit.sqlguard.schema import TableInfo
from agentkit_sql.card.card import Card
from agentkit_sql.card.values import FREQUENT
from agentkit_sql.card.words import near, telling

CHARACTERS_A_TOKEN = 2.7
"""Measured with Qwen2.5's tokens on cards: 2.7 to 3.2; numbers and odd names take the most."""
_MOST_NAMES = 80
_MOST_HINTS = 8
_LONG_COMMENT = 240


@dataclass(frozen=True)
class Shown:
    """A card's text, the tables that it shows in full, and comments that stand beside the question instead."""

    text: str
    tables: list[str]
    hints: list[str]


def tokens(text: str) -> int:
    """About how many tokens a text of a card has."""
    return math.ceil(len(text) / CHARACTERS_A_TOKEN)


def fitting(card: Card, question: str, room: int) -> Shown:
    """What is shown of a card in at most `room` tokens.

    Text that is the same for every question is read by a model once. So values go first, then comments, of which those
    that the question hints at stand beside it, and only then tables that nothing in the question hints at.
    """
    bare = replace(card, comments=False)
    for whole, values in ((card, FREQUENT), (card, 2), (bare, FREQUENT), (bare, 2), (bare, 1), (bare, 0)):
        text = whole.text(values=values)
        if tokens(text) <= room:
            return Shown(text, list(card.names), hints(card, question) if card.comments and whole is bare else [])
    chosen = mattering(card, question, room)
    for values in (2, 0):
        text = card.text(chosen, values=values, others=_MOST_NAMES)
        if tokens(text) <= room:
            return Shown(text, chosen, [])
    return Shown(card.text(chosen, values=0, others=0), chosen, [])


def hints(card: Card, question: str) -> list[str]:
    """`table.column: comment` of the few columns that a question's words hint at most, best first."""
    asked = telling(question)
    described = {
        f"{name}.{column.name}: {comment}": (telling(column.name), telling(f"{table.name} {comment}"))
        for name, table in card.names.items()
        for column in table.columns
        if (comment := card.comment(table, column, _LONG_COMMENT))
    }
    seen = Counter(word for own, said in described.values() for word in own | said)

    def score(own: set[str], said: set[str]) -> float:
        weights = {word: math.log(1 + len(described) / (1 + seen[word])) for word in asked}
        in_name = {word for word in asked if word in own or near(word, own)}
        in_comment = {word for word in asked - in_name if word in said or near(word, said)}
        return 1.5 * math.fsum(weights[w] for w in in_name) + math.fsum(weights[w] for w in in_comment)

    scores = {line: score(*its) for line, its in described.items()}
    best = heapq.nlargest(_MOST_HINTS, scores, key=scores.__getitem__)
    return [line for line in best if scores[line] > 0]


def mattering(card: Card, question: str, room: int) -> list[str]:
    """The tables that the question's words hint at and those that join them, best first, as many as have room."""
    ranked = rank(card, question)
    hinted = [name for name, score in ranked if score > 0] or [name for name, _ in ranked]
    chosen: list[str] = []
    left = room - min(room // 5, tokens(", ".join(card.names)))
    for name in hinted:
        together = [*chosen, name]
        together += [b for b in card.graph.bridges(together) if b not in together]
        cost = sum(tokens(card.table_text(card.names[n], values=2)) + 12 for n in together if n in card.names)
        if cost <= left:
            chosen = together
        elif not chosen:
            return [name]
        elif len(chosen) > 2:
            break
    return chosen


def rank(card: Card, question: str) -> list[tuple[str, float]]:
    """Every table with how much the question's words hint at it, best first.

    Rare words count more; a table's own name more than its columns', those more than comments.
    """
    asked = telling(question)
    said = question.lower()
    described = {name: _described(card, name, table) for name, table in card.names.items()}
    seen = Counter(word for parts in described.values() for word in set().union(*parts))
    scores: dict[str, float] = {}
    for name, (own, columns, comments) in described.items():
        score = 0.0
        for word in asked:
            weight = math.log(1 + len(described) / (1 + seen[word]))
            for words, factor in ((own, 3.0), (columns, 1.5), (comments, 0.7)):
                if word in words:
                    score += factor * weight
                    break
                if near(word, words):
                    score += factor * weight * 0.6
                    break
        score += 2.0 * sum(1 for v in _values(card, card.names[name]) if len(v) > 2 and v.lower() in said)
        scores[name] = score
    return sorted(scores.items(), key=lambda item: -item[1])


def _described(card: Card, name: str, table: TableInfo) -> tuple[set[str], set[str], set[str]]:
    """The words of a table's name and synonyms, of its columns, and of what is said about them."""
    said = card.meaning.table(name)
    own = telling(" ".join([name, *said.synonyms]))
    columns: set[str] = set()
    comments = telling(card.comment(table)) if card.comments else set()
    for column in table.columns:
        columns |= telling(" ".join([column.name, *said.column(column.name).synonyms]))
        if card.comments:
            comments |= telling(card.comment(table, column))
    return own, columns, comments


def _values(card: Card, table: TableInfo) -> list[str]:
    return [v for c in table.columns for v in card.frequent(table, c)]
