"""The words of texts, counted once where several encodings of the same rows ask for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

_MOST_WEIGHTS = 10_000_000
"""Word weights that are remembered at most: some 120 MB."""


@dataclass
class _Memory:
    made: dict[tuple[Any, tuple[str, ...]], tuple[Any, Any]] = field(default_factory=dict)
    weights: int = 0


_memory: ContextVar[_Memory | None] = ContextVar("agentkit_ml.words", default=None)


@contextmanager
def remembered_words() -> Iterator[None]:
    """Within this block the words of the same texts are counted once, in this thread."""
    token = _memory.set(_Memory())
    try:
        yield
    finally:
        _memory.reset(token)


def counted(texts: list[str], vectorizer: Any) -> tuple[Any, Any]:
    """A vectorizer of these settings, fitted on the texts, and their word weights. Raises ValueError without words."""
    return _once(repr(vectorizer.get_params()), texts, lambda: (vectorizer, vectorizer.fit_transform(texts)))


def weighed(texts: list[str], fitted: Any) -> Any:
    """The word weights of other texts."""
    # the vectorizer is remembered with them, so that no other gets its identity
    return _once(id(fitted), texts, lambda: (fitted, fitted.transform(texts)))[1]


def _once(asked: Any, texts: list[str], work: Callable[[], tuple[Any, Any]]) -> tuple[Any, Any]:
    memory = _memory.get()
    if memory is None:
        return work()
    key = (asked, tuple(texts))
    if key not in memory.made:
        vectorizer, found = work()
        if memory.weights + found.nnz > _MOST_WEIGHTS:
            return vectorizer, found
        memory.weights += found.nnz
        memory.made[key] = (vectorizer, found)
    return memory.made[key]
