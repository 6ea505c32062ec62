"""Runs are traced, secrets are not, and a store or collector that is gone costs a warning."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import zstandard

from agentkit import Agent
from agentkit.errors import TraceNotFound
from agentkit.storage import Storage
from agentkit.testing import ScriptedChatModel, call
from agentkit.tracing import TEXT_LIMIT, list_traces, plain, show_trace
from tests.test_agent import Plugin

SECRET = "hunter2-very-secret"


def agent(*script: Any) -> Agent:
    return Agent(ScriptedChatModel(script=list(script)), plugins=[Plugin()])


@pytest.fixture
def storage(workspace: Path) -> Iterator[Storage]:
    from agentkit.settings import load_settings

    with Storage(load_settings()) as opened:
        yield opened


def test_a_run_is_stored_as_a_tree_of_model_and_tool_calls(storage: Storage) -> None:
    with agent(call("weather", city="Oslo"), "Cold.") as talking:
        reply = talking.ask("How warm is Oslo?")
    runs = show_trace(storage, reply.trace_id)
    by_id = {r["run_id"]: r for r in runs}
    root = next(r for r in runs if r["parent_id"] is None)
    assert root["name"] == "agentkit"
    assert root["metadata"]["model"] == "ScriptedChatModel"
    assert root["metadata"]["prompt"].startswith("agent@")
    assert [r["kind"] for r in runs if r["kind"] in ("llm", "tool")] == ["llm", "tool", "llm"]
    tool = next(r for r in runs if r["kind"] == "tool")
    assert tool["inputs"] == {"city": "Oslo"}
    assert "3.5 degrees" in str(tool["outputs"])
    assert all(r["parent_id"] in by_id for r in runs if r is not root)
    assert all(r["ended_at"] >= r["started_at"] for r in runs)


def test_traces_are_listed_newest_first_and_by_error(storage: Storage) -> None:
    with agent(call("weather"), "Sorry.") as talking:
        wrong = talking.ask("How warm is it?")
    with agent("Hello.") as talking:
        right = talking.ask("Hi")
    listed = [t["trace_id"] for t in list_traces(storage, 2)]
    assert listed == [right.trace_id, wrong.trace_id]
    with agent(call("weather", city="Atlantis"), "Sorry.") as talking:
        broken = talking.ask("How warm is Atlantis?")
    assert list_traces(storage, 1, errors_only=True)[0]["trace_id"] == broken.trace_id
    assert [t["trace_id"] for t in list_traces(storage, thread=right.thread_id)] == [right.trace_id]


def test_a_trace_is_found_by_its_first_characters_or_named_as_missing(storage: Storage) -> None:
    with agent("Hello.") as talking:
        reply = talking.ask("Hi")
    assert show_trace(storage, reply.trace_id[:13])[0]["trace_id"] == reply.trace_id
    with pytest.raises(TraceNotFound, match="is not stored"):
        show_trace(storage, "ffffffff-0000")


def test_secrets_of_the_environment_are_masked_in_the_store(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYMENTS_API_KEY", SECRET)
    with agent(f"Your key is {SECRET}.") as talking:
        reply = talking.ask(f"My key is {SECRET} and postgres://me:{SECRET}@host/db")
    assert SECRET not in str(show_trace(storage, reply.trace_id))


def test_contents_can_be_kept_out_of_traces(storage: Storage, workspace: Path) -> None:
    (workspace / "agentkit.toml").write_text("[traces]\nhide_inputs = true\nhide_outputs = true\n")
    with agent("A private answer.") as talking:
        reply = talking.ask("A private question")
    assert "private" not in str(show_trace(storage, reply.trace_id))


def test_long_texts_and_strange_values_are_stored_shortened_and_plain() -> None:
    assert len(plain("x" * (TEXT_LIMIT + 50))) < TEXT_LIMIT + 50
    assert plain({"a": float("nan"), "b": object, "c": (1, {2})})["c"] == [1, [2]]


def test_nul_characters_do_not_cost_the_trace(storage: Storage) -> None:
    with agent("Null\0 here.") as talking:
        reply = talking.ask("What?")
    assert "Null here" in str(show_trace(storage, reply.trace_id))


INGEST = {
    "use_multipart_endpoint": True,
    "size_limit": 100,
    "size_limit_bytes": 20_000_000,
    "scale_up_nthreads_limit": 4,
    "scale_up_qsize_trigger": 1000,
    "scale_down_nempty_trigger": 4,
}


class Collector(ThreadingHTTPServer):
    """What LangSmith's API is to a client that only writes."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: list[bytes] = []
        self.keys: set[str | None] = set()
        self.arrived = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_GET(self) -> None:
        self._answer(200, json.dumps({"version": "0.13", "batch_ingest_config": INGEST}).encode())

    def do_POST(self) -> None:
        body = self._body()
        encoding = self.headers.get("Content-Encoding", "")
        if "zstd" in encoding:
            body = zstandard.ZstdDecompressor().decompressobj().decompress(body)
        elif "gzip" in encoding:
            body = gzip.decompress(body)
        self.server.bodies.append(body)
        self.server.keys.add(self.headers.get("x-api-key"))
        self._answer(202, b"{}")
        self.server.arrived.set()

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        pieces = []
        while size := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        return b"".join(pieces)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    server = Collector()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("LANGSMITH_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("LANGSMITH_API_KEY", "lsv2_pt_0123456789abcdef")
    yield server
    server.shutdown()
    server.server_close()


def test_with_a_key_the_run_goes_to_langsmith_without_secrets(
    collector: Collector, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYMENTS_API_KEY", SECRET)
    before = len(list_traces(storage, 1000))
    with agent(call("weather", city="Oslo"), f"Cold, {SECRET}.") as talking:
        talking.ask(f"How warm is Oslo? {SECRET}")
    assert collector.arrived.wait(10)
    sent = b"".join(collector.bodies)
    assert collector.keys == {"lsv2_pt_0123456789abcdef"}
    assert b'"weather"' in sent
    assert b"Oslo" in sent
    assert SECRET.encode() not in sent
    assert len(list_traces(storage, 1000)) == before


def test_a_dead_collector_costs_neither_the_answer_nor_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGSMITH_API_KEY", "lsv2_pt_0123456789abcdef")
    monkeypatch.setenv("LANGSMITH_ENDPOINT", "http://127.0.0.1:9")
    start = time.perf_counter()
    with agent("Hello.") as talking:
        assert talking.ask("Hi").text == "Hello."
    assert time.perf_counter() - start < 10  # the client's own patience is 17 s


def test_without_a_key_nothing_is_uploaded_even_when_asked_to(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LANGSMITH_API_KEY")
    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    with agent("Hello.") as talking:
        talking.ask("Hi")
    assert collector.bodies == []


def test_a_lost_database_costs_the_trace_and_one_warning(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from agentkit import tracing

    monkeypatch.setattr(tracing, "_UPSERT", "insert into no_such_table values (%(run_id)s)")
    with agent("Hello.") as talking:
        assert talking.ask("Hi").text == "Hello."
    assert capsys.readouterr().err.count("some traces are lost") == 1
