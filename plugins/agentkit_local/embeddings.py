"""The embedded embeddings: a sentence encoder as ONNX, run by onnxruntime in this process."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_core.embeddings import Embeddings

from agentkit.errors import MissingExtra, ModelNotFound, ProviderError
from agentkit_local.download import find
from agentkit_local.manifest import find_entry

if TYPE_CHECKING:
    import numpy as np

    from agentkit.settings import Settings

LONGEST = 256
"""Tokens of a text that count, as the publisher recommends; what follows is cut."""
BATCH = 8
"""Texts in one run: more of them take more memory and no less time (32: 1 GB)."""
_MOST_CHARACTERS = 20_000
"""Of a text that is tokenized: more than LONGEST tokens of any language have."""
_BLOCK = 4_096
"""Texts that are sorted by their length together."""


def embeddings(name: str, settings: Settings) -> LocalEmbeddings:
    """The embeddings of a manifest entry ('' for the default).

    Raises ModelNotFound if there is no such entry or its files are not on this machine, and MissingExtra.
    """
    entry = find_entry(settings, name, "embedding")
    found = [find(e) for e in (entry, *(find_entry(settings, n, "tokenizer") for n in entry.needs))]
    if None in found or len(found) < 2:
        raise ModelNotFound(
            f"The embedded embeddings {entry.name!r} are not on this machine yet: agentkit models pull {entry.name}"
        )
    model, tokenizer = (file for file in found[:2] if file)
    return LocalEmbeddings(entry.name, model, tokenizer)


class LocalEmbeddings(Embeddings):
    """Vectors of length 1, the mean of a text's tokens (Reimers and Gurevych 2019). The file is loaded on first use."""

    normalised = True

    def __init__(self, name: str, model: Path, tokenizer: Path) -> None:
        self.model_name = name
        self._files = model, tokenizer
        self._lock = threading.Lock()
        self._loaded: tuple[Any, Any] | None = None

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        size: int = self._parts[0].get_outputs()[0].shape[-1]
        return size

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """A vector for each text, in the order of the texts."""
        vectors: list[list[float]] = self.embed_array(texts).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """The vector of a query: made as those of documents are."""
        return self.embed_documents([text])[0]

    def embed_array(self, texts: Sequence[str]) -> np.ndarray[Any, Any]:
        """The vectors as float32 of shape (texts, dimension): without the detour over Python's numbers."""
        import numpy as np

        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        for start in range(0, len(texts), _BLOCK):
            tokens = [self._tokens(text) for text in texts[start : start + _BLOCK]]
            # batches of like lengths: a short text beside a long one costs as much as the long one
            order = sorted(range(len(tokens)), key=lambda i: len(tokens[i]))
            for batch in _batches(order):
                vectors[[start + i for i in batch]] = self._encode([tokens[i] for i in batch])
        return vectors

    def _tokens(self, text: str) -> list[int]:
        # a lone surrogate is no text for the tokenizer
        clean = text[:_MOST_CHARACTERS].encode("utf-8", "replace").decode("utf-8")
        ids: list[int] = self._parts[1].encode(clean).ids
        return ids

    def _encode(self, tokens: Sequence[Sequence[int]]) -> np.ndarray[Any, Any]:
        import numpy as np

        width = max(len(ids) for ids in tokens)
        ids = np.zeros((len(tokens), width), dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, found in enumerate(tokens):
            ids[row, : len(found)] = found
            mask[row, : len(found)] = 1
        session = self._parts[0]
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        wanted = {i.name for i in session.get_inputs()}
        states = session.run(None, {k: v for k, v in given.items() if k in wanted})[0]
        weights = mask[:, :, None].astype(np.float32)
        # every text has its two border tokens: neither the sum nor the length is 0
        means = (states * weights).sum(axis=1) / weights.sum(axis=1)
        vectors: np.ndarray[Any, Any] = means / np.linalg.norm(means, axis=1, keepdims=True)
        return vectors

    @property
    def _parts(self) -> tuple[Any, Any]:
        if self._loaded is None:
            with self._lock:
                self._loaded = self._loaded or _load(*self._files)
        return self._loaded


def _batches(order: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(order), BATCH):
        yield order[start : start + BATCH]


def _load(model: Path, tokenizer_file: Path) -> tuple[Any, Any]:
    """The session and the tokenizer (0.2 s)."""
    try:
        import onnxruntime
        from tokenizers import Tokenizer
    except ImportError as error:
        raise MissingExtra(
            "The embedded embeddings need onnxruntime and tokenizers: pip install 'agentkit-ml[rag]'"
        ) from error
    try:
        tokenizer = Tokenizer.from_file(str(tokenizer_file))
        # the publisher's file pads every text to 128 tokens
        tokenizer.no_padding()
        tokenizer.enable_truncation(LONGEST)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = _threads()
        options.log_severity_level = 3
        # threads that wait must not take the cores from those that work
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ProviderError(f"The embedded embeddings {str(model)!r} cannot be loaded: {error}") from error
    return session, tokenizer


def _threads() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1
