"""Indexing: the embedded embeddings against a bare onnxruntime loop, and a folder in which nothing changed.

python -m evals.bench_rag_indexing
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from agentkit_rag.reading import read
from agentkit_rag.splitting import split

from agentkit.embeddings import create
from agentkit.plugins import Plugins
from agentkit.settings import load_settings

CHUNKS, ROUNDS, BATCH, FILES = 96, 5, 8, 1_000
DOCS = Path(__file__).parents[1] / "docs"


def embedding() -> None:
    """Chunks of the project's own pages: medians of rounds taken in turn."""
    settings = load_settings()
    embeddings: Any = create("local", settings, Plugins(settings))
    texts = [chunk.text for path in sorted(DOCS.glob("*.md")) for chunk in split(read(path))][:CHUNKS]
    session, tokenizer = embeddings._parts  # noqa: SLF001 - the loop runs on the same session
    assert np.allclose(embeddings.embed_array(texts), _bare(session, tokenizer, texts), atol=0.02)
    taken: dict[str, list[float]] = {"bare": [], "ours": []}
    for _ in range(ROUNDS):
        taken["bare"].append(_timed(lambda: _bare(session, tokenizer, texts)))
        taken["ours"].append(_timed(lambda: embeddings.embed_array(texts)))
    bare, ours = (float(np.median(taken[name])) for name in ("bare", "ours"))
    print(f"rag  onnxruntime, bare loop    {len(texts) / bare:6.1f} chunks/s")
    print(f"rag  embedded embeddings       {len(texts) / ours:6.1f} chunks/s   {bare / ours:.2f} x")


def _bare(session: Any, tokenizer: Any, texts: list[str]) -> Any:
    """What anyone would write: the same order and batches, the mean of the tokens, unit length."""
    encoded = tokenizer.encode_batch(texts)
    order = sorted(range(len(texts)), key=lambda i: len(encoded[i].ids))
    names = {i.name for i in session.get_inputs()}
    vectors = [np.empty(0)] * len(texts)
    for start in range(0, len(order), BATCH):
        part = order[start : start + BATCH]
        width = max(len(encoded[i].ids) for i in part)
        ids, mask = np.zeros((len(part), width), np.int64), np.zeros((len(part), width), np.int64)
        for row, i in enumerate(part):
            ids[row, : len(encoded[i].ids)] = encoded[i].ids
            mask[row, : len(encoded[i].ids)] = 1
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        states = session.run(None, {name: value for name, value in given.items() if name in names})[0]
        weights = mask[:, :, None].astype(np.float32)
        means = (states * weights).sum(axis=1) / weights.sum(axis=1)
        for i, mean in zip(part, means, strict=True):
            vectors[i] = mean / np.linalg.norm(mean)
    return np.array(vectors)


def unchanged() -> None:
    """`agentkit rag index` of a folder of files, and again: the whole command, as a person waits for it."""
    with tempfile.TemporaryDirectory() as folder:
        docs = Path(folder) / "docs"
        docs.mkdir()
        for i in range(FILES):
            (docs / f"{i}.md").write_text(f"# Note {i}\n\nThe oak number {i} was planted in {1900 + i % 100}.\n")
        command = [str(Path(sys.executable).with_name("agentkit")), "rag", "index", "docs"]
        first, again = (
            _timed(lambda: subprocess.run(command, cwd=folder, check=True, capture_output=True)) for _ in range(2)
        )
    print(f"rag  {FILES:,} short files         first {first:5.1f} s, unchanged {again:.2f} s")


def _timed(work: Any) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    embedding()
    unchanged()
