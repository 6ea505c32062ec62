"""Documents that a Python program gives."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from agentkit.errors import BadInput
from agentkit_rag.documents import Piece, Source
from agentkit_rag.reading.text import cleaned


def sources(documents: Iterable[Any]) -> Iterator[Source]:
    """Each document as a source: a text, `(id, text)`, a mapping with `text`, or a LangChain `Document`.

    A mapping may have `id`, `title` and `metadata` too. The id is otherwise the hash of the text. Metadata that is no
    text, number or truth value is left out. Raises BadInput for anything else, with its place.
    """
    for place, document in enumerate(documents):
        name, text, title, metadata = _parts(document, place)
        text = cleaned(text)
        kept = {str(k): v for k, v in metadata.items() if isinstance(v, (str, int, float, bool))}
        told = json.dumps([text, title, kept], sort_keys=True)
        digest = hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()
        yield Source(name or digest[:16], digest, (Piece(text, title_path=(title,) if title else ()),), kept)


def _parts(document: Any, place: int) -> tuple[str, str, str, Mapping[Any, Any]]:
    if isinstance(document, str):
        return "", document, "", {}
    if isinstance(document, tuple) and len(document) == 2 and isinstance(document[1], str):
        return str(document[0]), document[1], "", {}
    if isinstance(document, Mapping) and isinstance(document.get("text"), str):
        metadata = document.get("metadata") or {}
        return str(document.get("id") or ""), document["text"], str(document.get("title") or ""), metadata
    text = getattr(document, "page_content", None)
    if isinstance(text, str):
        metadata = dict(document.metadata or {})
        name = getattr(document, "id", None) or metadata.get("source") or ""
        return str(name), text, str(metadata.get("title") or ""), metadata
    raise BadInput(
        f"document {place}: {type(document).__name__} is no document: a text, (id, text), a mapping with 'text', "
        "or a LangChain Document."
    )
