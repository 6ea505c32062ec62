"""Whether a passage can be what a claim was taken from: a quote that stands there may have nothing to do with it."""

from __future__ import annotations

import re

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\d_\u3040-\u30ff\u3400-\u9fff]{3,}")
_NAME = re.compile(r"(?<=[\w,;:)] )[A-Z][^\W\d_]{2,}")
_STEM = 5
_SHARE = 1 / 3
"""Of a claim's words, and of those that the question does not have. Half of them would refuse plain paraphrases."""
_ABOUT, _SEVERAL = 1 / 5, 3
"""Of the words of a question that has several: a claim that answers it says some of them again."""
_SMALL = frozenset(
    re.findall(
        r"\w+",
        "about also and any are can did does for from had has have her his how its more most not now one our she that "
        "the their them then there they this was were what when where which who whose why will with yes you your "
        "according document documents mentions passage says states text",
    )
)


def grounded(claim: str, question: str, passage: str) -> bool:
    """Whether enough words of a claim stand in the passage that it cites, and every name that the question lacks.

    Claim and passage must have some words of the question, too: what is true may answer another one.
    """
    own, asked, there = _words(claim), _words(question), _words(passage)
    names = {_stem(m[0]) for m in _NAME.finditer(claim)} - asked
    if any(not _stands(name, there) for name in names):
        return False
    if len(asked) >= _SEVERAL and sum(_stands(w, own | there) for w in asked) < _ABOUT * len(asked):
        return False
    return all(sum(_stands(w, there) for w in words) >= _SHARE * len(words) for words in (own, own - asked))


def _stands(stem: str, there: set[str]) -> bool:
    return any(stem.startswith(known) or known.startswith(stem) for known in there)


def _words(text: str) -> set[str]:
    return {_stem(w) for w in _WORD.findall(text) if w.lower() not in _SMALL}


def _stem(word: str) -> str:
    return word.lower()[:_STEM]
