"""Vectors as a store takes them: checked, of unit length, and known again by their text."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

from agentkit_rag.documents import Source
from agentkit_rag.store.contract import CollectionError
from agentkit_rag.store.words import clean


def text_digest(text: str) -> bytes:
    """What tells that a text has been embedded before."""
    return hashlib.sha256(clean(text).encode()).digest()


def matrix(vectors: Any, rows: int, dimension: int, what: str) -> Any:
    """`vectors` as float32 rows of length 1 (zeros stay zeros). Raises CollectionError if they do not fit."""
    import numpy as np

    try:
        found = np.asarray(vectors, dtype=np.float32)
    except (TypeError, ValueError):
        raise CollectionError(f"{what!r}: the vectors are not rows of {dimension} numbers.") from None
    if rows == 0 and found.size == 0:
        return np.empty((0, dimension), np.float32)
    if found.shape != (rows, dimension):
        raise CollectionError(
            f"{what!r}: {rows} chunks need vectors of shape ({rows}, {dimension}), got {found.shape}. Was another "
            "embedding model used? The collection's own is shown by `agentkit rag list`."
        )
    if not np.isfinite(found).all():
        raise CollectionError(f"{what!r}: its vectors hold NaN or infinite numbers: the embedding model failed on it.")
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    return found / np.where(lengths > 0, lengths, 1)


def unit(vector: Any, dimension: int) -> Any:
    """A query's vector as float32 of length 1. Raises CollectionError if it does not fit."""
    import numpy as np

    try:
        found = np.asarray(vector, dtype=np.float32)
    except (TypeError, ValueError):
        found = np.empty(0, np.float32)
    length = float(np.dot(found, found)) ** 0.5 if found.shape == (dimension,) else 0.0
    # what is odd is looked at more closely: a search should not wait for that
    return found / length if 0 < length < np.inf else matrix([vector], 1, dimension, "the query")[0]


def modified(source: Source) -> dt.datetime | None:
    """When a source was last changed: its metadata `modified`, a time in seconds since 1970 or an ISO date."""
    given = source.metadata.get("modified")
    try:
        if isinstance(given, str):
            found = dt.datetime.fromisoformat(given)
            return found if found.tzinfo else found.replace(tzinfo=dt.UTC)
        if isinstance(given, (int, float)) and not isinstance(given, bool):
            return dt.datetime.fromtimestamp(given, dt.UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None
