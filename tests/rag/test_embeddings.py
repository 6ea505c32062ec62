"""The embeddings that come with agentkit: the embedded ones as published, OpenAI's behind their bounds."""

from __future__ import annotations

import inspect
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agentkit_local.download import find
from agentkit_local.embeddings import LONGEST, LocalEmbeddings
from agentkit_local.manifest import find_entries, find_entry
from langchain_core.embeddings import Embeddings
from langchain_tests.integration_tests import EmbeddingsIntegrationTests

from agentkit.embeddings import EmbeddingInfo, choose, create, describe
from agentkit.errors import MissingExtra, ModelNotFound, ProviderError
from agentkit.plugins import Plugins
from agentkit.settings import load_settings


def made(name: str = "local") -> Embeddings:
    settings = load_settings()
    return create(name, settings, Plugins(settings))


@pytest.fixture(scope="module")
def embedded() -> LocalEmbeddings:
    found = made()
    assert isinstance(found, LocalEmbeddings)
    return found


class TestEmbedded:
    def test_it_tells_what_makes_its_vectors_comparable(self, embedded: LocalEmbeddings) -> None:
        assert describe(embedded) == EmbeddingInfo("all-minilm-l6-v2", 384, normalised=True)
        vectors = np.array(embedded.embed_documents(["an oak", "", "x" * 30_000]))
        assert vectors.shape == (3, 384)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)

    def test_like_texts_are_near(self, embedded: LocalEmbeddings) -> None:
        query = np.array(embedded.embed_query("How do I get my money back?"))
        texts = ["Refunds are paid within 14 days.", "The engine has four cylinders.", "Oaks grow slowly."]
        scores = np.array(embedded.embed_documents(texts)) @ query
        assert scores.argmax() == 0
        assert scores[0] > scores[1] + 0.2

    def test_a_vector_does_not_depend_on_the_texts_beside_it(self, embedded: LocalEmbeddings) -> None:
        """The order is that of the texts, and neither padding nor batches shift a vector by more than 8-bit noise."""
        texts = [" ".join(["word", "tree", "sum"][: n % 3 + 1] * (1 + 7 * n % 40)) for n in range(30)]
        together = np.array(embedded.embed_documents(texts))
        alone = np.array([embedded.embed_query(t) for t in texts])
        cosines = (together * alone).sum(axis=1)
        assert cosines.min() > 0.99
        assert (together @ alone.T).argmax(axis=1).tolist() == [texts.index(t) for t in texts]

    def test_256_tokens_count(self, embedded: LocalEmbeddings) -> None:
        """Not the 128 of the publisher's tokenizer file, which also pads everything to 128."""
        base = "the " * 200
        ends = [base + "elephant " * 30, base + "invoice " * 30, base + " the" * 80 + "invoice " * 30]
        first, second, third = np.array(embedded.embed_documents(ends))
        plain = np.array(embedded.embed_query("the " * LONGEST))
        assert first @ second < 0.98
        assert third @ plain > 0.999

    def test_no_text_is_no_vector_and_half_a_character_is_no_trap(self, embedded: LocalEmbeddings) -> None:
        assert embedded.embed_documents([]) == []
        assert len(embedded.embed_query("lone \ud800 surrogate \0")) == 384

    def test_threads_share_one_model(self, embedded: LocalEmbeddings) -> None:
        expected = embedded.embed_query("an oak")
        found: list[list[float]] = []
        threads = [threading.Thread(target=lambda: found.append(embedded.embed_query("an oak"))) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 6
        np.testing.assert_allclose(found, [expected] * 6, atol=1e-6)

    def test_without_the_files_the_command_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AGENTKIT_CACHE", str(tmp_path / "empty"))
        with pytest.raises(ModelNotFound, match="agentkit models pull all-minilm-l6-v2"):
            made()

    def test_without_onnxruntime_the_extra_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
        with pytest.raises(MissingExtra, match=r"agentkit-ml\[rag\]"):
            made().embed_query("an oak")

    def test_a_damaged_file_is_not_used(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        models = tmp_path / "cache" / "models"
        models.mkdir(parents=True)
        monkeypatch.setenv("AGENTKIT_CACHE", str(models.parent))
        for entry in find_entries(load_settings(), "all-minilm-l6-v2"):
            (models / entry.file).write_bytes(b"not a model")
        with pytest.raises(ModelNotFound, match="agentkit models pull"):
            made()


def test_pull_without_a_name_means_the_chat_model_and_the_embeddings() -> None:
    names = [e.name for e in find_entries(load_settings())]
    assert names == [find_entry(load_settings()).name, "all-minilm-l6-v2", "all-minilm-l6-v2-tokenizer"]
    with pytest.raises(ModelNotFound, match="all-minilm-l6-v2'"):
        find_entries(load_settings(), "all-minilm-l6-v3")


for _standard in vars(EmbeddingsIntegrationTests).values():
    if inspect.iscoroutinefunction(_standard):
        # the suite counts on a mode of pytest-asyncio that marks these by itself
        pytest.mark.asyncio(_standard)


class TestStandard(EmbeddingsIntegrationTests):
    """LangChain's own tests."""

    @property
    def embeddings_class(self) -> type[Embeddings]:
        return LocalEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        entry, tokenizer = find_entries(load_settings(), "all-minilm-l6-v2")
        return {"name": entry.name, "model": find(entry), "tokenizer": find(tokenizer)}


class TestChoice:
    def test_a_key_chooses_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0000000000000000")
        assert choose(load_settings()) == "local"

    def test_argument_then_environment_then_file(self, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (workspace / "agentkit.toml").write_text('embeddings = "openai:text-embedding-3-large"\n')
        assert choose(load_settings()) == "openai:text-embedding-3-large"
        monkeypatch.setenv("AGENTKIT_EMBEDDINGS", "openai")
        assert choose(load_settings()) == "openai"
        assert choose(load_settings(), "local") == "local"

    def test_a_provider_that_nobody_offers_is_named(self) -> None:
        with pytest.raises(ModelNotFound, match=r"'opnai:x'.*nearest name is 'openai'"):
            made("opnai:x")

    def test_sentence_transformers_is_not_required(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "sentence_transformers", None)
        with pytest.raises(MissingExtra, match="pip install sentence-transformers"):
            made("sentence-transformers:all-mpnet-base-v2")


@contextmanager
def openai_server(status: int = 200) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """OpenAI's endpoint of embeddings: the vector of a text is its length and 1."""
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(body)
            texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
            data = [{"object": "embedding", "index": i, "embedding": [len(t), 1.0]} for i, t in enumerate(texts)]
            usage = {"prompt_tokens": 1, "total_tokens": 1}
            answer = json.dumps({"object": "list", "data": data, "model": body["model"], "usage": usage})
            if status != 200:
                answer = json.dumps({"error": {"message": "wrong key sk-secret", "code": "x"}})
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class TestOpenAI:
    @pytest.fixture(autouse=True)
    def _key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0000000000000000")

    def test_texts_are_sent_as_they_are_in_bounded_requests(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with openai_server() as (address, asked):
            monkeypatch.setenv("OPENAI_BASE_URL", address)
            found = made("openai")
            vectors = found.embed_documents([f"text {n}" for n in range(300)])
        assert describe(found) == EmbeddingInfo("text-embedding-3-small", 1536, normalised=True)
        assert vectors[0] == [6.0, 1.0]
        assert [len(a["input"]) for a in asked] == [256, 44]
        assert asked[0]["input"][1] == "text 1"

    def test_a_refused_key_is_a_sentence_without_the_key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with openai_server(401) as (address, _):
            monkeypatch.setenv("OPENAI_BASE_URL", address)
            with pytest.raises(ProviderError, match="refused the key") as caught:
                made("openai").embed_query("an oak")
        assert "sk-secret" not in str(caught.value)

    def test_without_a_key_nothing_is_tried(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("OPENAI_API_KEY")
        with pytest.raises(ProviderError, match="OPENAI_API_KEY"):
            made("openai")
