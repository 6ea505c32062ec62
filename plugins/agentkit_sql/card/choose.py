"""What of a card goes into a prompt: all of it if it fits, or else the tables that matter for the question."""

from __future__ import annotations

import math
from collections import Counter

from agentkit.sqlguard.schema import TableInfo
from agentkit_sql.card.card import Card
from agentkit_sql.card.values import FREQUENT
from agentkit_sql.card.words import near, telling

CHARACTERS_A_TOKEN = 2.7
"""Measured with Qwen2.5's tokens on cards: 2.7 to 3.2; numbers and odd names take the most."""
_MOST_NAMES = 80


def tokens(text: str) -> int:
    """About how many tokens a text of a card has."""
    return math.ceil(len(text) / CHARACTERS_A_TOKEN)


def fitting(card: Card, question: str, room: int) -> tuple[str, list[str]]:
    """The card's text in at most `room` tokens, and the names of the tables that it shows in full.

    A card that fits as a whole is the same for every question, so that a model can reuse what it has read. Values go
    first, then tables that nothing in the question hints at.
    """
    for values in (FREQUENT, 2, 1, 0):
        text = card.text(values=values)
        if tokens(text) <= room:
            return text, list(card.names)
    chosen = mattering(card, question, room)
    for values in (2, 0):
        text = card.text(chosen, values=values, others=_MOST_NAMES)
        if tokens(text) <= room:
            return text, chosen
    return card.text(chosen, values=0, others=0), chosen


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
