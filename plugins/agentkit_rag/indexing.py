"""Sources into a collection: only what changed is read, split and embedded, in batches of one transaction each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentkit.errors import AgentkitError
from agentkit_rag.documents import Chunk, Source
from agentkit_rag.files import Found, digest
from agentkit_rag.opening import embedded
from agentkit_rag.store.contract import Collection, CollectionError, Entry

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings

BATCH = 256
"""Chunks that are stored in one transaction, if no source has more."""
EMBEDDED_AT_ONCE = 64
"""Chunks between two signs of life."""
SETTLE_FROM = 200
"""Chunks after which statistics and index are looked after."""

Split = Callable[[Source], Sequence[Chunk]]
Read = Callable[[Path], Source]
Progress = Callable[[str, float | None], None]


@dataclass
class Outcome:
    """What indexing did: numbers of sources and chunks, and (name, reason) of what was skipped."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    chunks: int = 0
    embedded: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def skip(self, name: str, reason: str) -> None:
        """Note a source that is not indexed."""
        self.skipped.append((name, reason))


class Indexing:
    """One run of indexing into a collection; `total` is the size of all that is to be read, for the time left."""

    def __init__(
        self, collection: Collection, embeddings: Embeddings, split: Split, progress: Progress, total: float = 0.0
    ) -> None:
        self.outcome = Outcome()
        self._collection, self._embeddings, self._split, self._progress = collection, embeddings, split, progress
        self._stored = collection.digests()
        self._waiting: list[tuple[Source, Sequence[Chunk]]] = []
        self._total, self._done, self._began = total, 0.0, time.monotonic()

    def files(self, found: Sequence[Found], read: Read, recipe: str, prefix: str | None) -> Outcome:
        """Index files that are new or changed, and remove those below `prefix` that are gone (None: remove none).

        `recipe` says how files are read and split: another one makes all files changed.
        """
        todo, kept = self._changed(found, recipe)
        self._total = float(sum(file.size for file, _ in todo))
        for file, code in todo:
            if self._file(file, code, read):
                kept.add(file.name)
            self._done += file.size
        self._store()
        if prefix is not None:
            self._forget(
                [n for n, d in self._stored.items() if d.startswith("file:") and _below(n, prefix) and n not in kept]
            )
        return self._settled()

    def sources(self, given: Iterable[Source]) -> Outcome:
        """Index documents that a program gives; those with a digest that is stored already are left alone."""
        for source in given:
            if self._stored.get(source.name) == source.digest:
                self.outcome.unchanged += 1
            else:
                self._add(source)
        self._store()
        return self._settled()

    def _changed(self, found: Sequence[Found], recipe: str) -> tuple[list[tuple[Found, str]], set[str]]:
        """(file, digest) of what is to be read, and the names of what stays as it is."""
        coded: list[tuple[Found, str]] = []
        for file in found:
            try:
                coded.append((file, digest(file.path, recipe)))
            except OSError as error:
                self.outcome.skip(file.name, f"cannot be read: {error.strerror}")
        todo, first = [], dict[str, str]()
        # of equal files the one that is stored already stays
        for file, code in sorted(coded, key=lambda c: self._stored.get(c[0].name) != c[1]):
            if code in first:
                self.outcome.skip(file.name, f"the same as {first[code]}")
                continue
            first[code] = file.name
            if self._stored.get(file.name) == code:
                self.outcome.unchanged += 1
            else:
                todo.append((file, code))
        waiting = {file.name for file, _ in todo}
        return todo, {name for name in first.values() if name not in waiting}

    def _file(self, file: Found, code: str, read: Read) -> bool:
        """True if the file is in, or will be with its batch."""
        try:
            source = read(file.path)
        except AgentkitError as error:
            self.outcome.skip(file.name, str(error))
            return False
        except OSError as error:
            self.outcome.skip(file.name, f"cannot be read: {error.strerror}")
            return False
        told = {"modified": round(file.modified), **source.metadata}
        return self._add(replace(source, name=file.name, digest=code, metadata=told))

    def _add(self, source: Source) -> bool:
        chunks = self._split(source)
        if not chunks:
            self.outcome.skip(source.name, "no text in it")
            return False
        self._waiting.append((source, chunks))
        if sum(len(c) for _, c in self._waiting) >= BATCH:
            self._store()
        return True

    def _store(self) -> None:
        """Embed and store what waits. A source that does not fit is skipped; the others are stored."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        vectors = self._vectors([chunk.text for _, chunks in waiting for chunk in chunks])
        entries: list[Entry] = []
        for source, chunks in waiting:
            entries.append((source, chunks, vectors[: len(chunks)]))
            vectors = vectors[len(chunks) :]
        try:
            self._collection.put_all(entries)
            self._count(entries)
        except CollectionError:
            for entry in entries:
                try:
                    self._collection.put_all([entry])
                    self._count([entry])
                except CollectionError as error:
                    self.outcome.skip(entry[0].name, str(error))

    def _count(self, entries: Sequence[Entry]) -> None:
        for source, chunks, _ in entries:
            known = source.name in self._stored
            self.outcome.changed += known
            self.outcome.added += not known
            self.outcome.chunks += len(chunks)

    def _vectors(self, texts: list[str]) -> Any:
        """The vectors of texts; the same text is embedded once, and not at all if the collection has it."""
        import numpy as np

        known = self._collection.known_vectors(texts)
        new = [text for text in dict.fromkeys(texts) if text not in known]
        for i in range(0, len(new), EMBEDDED_AT_ONCE):
            self._tell()
            part = new[i : i + EMBEDDED_AT_ONCE]
            known.update(zip(part, embedded(self._embeddings, part), strict=True))
            self.outcome.embedded += len(part)
        self._tell()
        return np.array([known[text] for text in texts], np.float32)

    def _tell(self) -> None:
        """Rate and time left, by the size of what has been read."""
        seconds = max(time.monotonic() - self._began, 1e-3)
        share = min(self._done / self._total, 1.0) if self._total else None
        stored = self.outcome.added + self.outcome.changed
        rate = self.outcome.embedded / seconds
        text = f"{stored:,} sources and {self.outcome.chunks:,} chunks stored, {rate:,.0f}/s embedded"
        if share:
            text += f", {_duration(seconds * (1 - share) / share)} left"
        self._progress(text, share)

    def _forget(self, names: Sequence[str]) -> None:
        if names:
            self._collection.remove(names)
            self.outcome.removed += len(names)

    def _settled(self) -> Outcome:
        if self.outcome.chunks >= SETTLE_FROM or not self._collection.settled:
            self._progress("Building the index", None)
            self._collection.settle()
        self.outcome.skipped.sort()
        return self.outcome


def _below(name: str, prefix: str) -> bool:
    return prefix in (".", "") or name == prefix or name.startswith(f"{prefix}/")


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
