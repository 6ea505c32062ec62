"""An HTTP server with OpenAI's and Anthropic's protocol whose models are named after how they fail.

`401`, `500`, `529`, ... are statuses; `429-after-N` asks to wait N seconds; `429-once-N` does so for the first request
only, `500-once` fails only then; the other names are those of the methods below, and `good` is also any other name.
Every error repeats the key that it was sent.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

ANSWER = "The capital of France is Paris."
READ, WRITTEN = 11, 7
"""Tokens that every whole answer tells of."""
BEAT = 0.05
"""Seconds between two signs of life of a slow model."""


class FaultServer:
    """The server while it runs. `asked` counts the requests of each model."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.ended = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self._server.block_on_close = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()


class Answering(BaseHTTPRequestHandler):
    """One request. `owner` is set by `_handler_of`."""

    protocol_version = "HTTP/1.1"
    owner: FaultServer

    def do_POST(self) -> None:
        self.asked: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.key = self.headers.get("x-api-key") or self.headers.get("authorization", "").removeprefix("Bearer ")
        self.openai = self.path.endswith("/chat/completions")
        self.streams = bool(self.asked.get("stream"))
        model = self.asked["model"]
        self.owner.asked[model] += 1
        with suppress(BrokenPipeError, ConnectionResetError):
            self._behave(model)

    def _behave(self, model: str) -> None:
        name, _, wait = model.rpartition("-")
        if model.isdigit():
            self.fail(int(model))
        elif name == "429-after" or (name == "429-once" and self.owner.asked[model] == 1):
            self.fail(429, {"retry-after": wait})
        elif model == "500-once" and self.owner.asked[model] == 1:
            self.fail(500)
        elif name == "429-once" or model == "500-once":
            self.good()
        else:
            getattr(self, model.replace("-", "_"), self.good)()

    # -- how a model may behave

    def good(self) -> None:
        self.events(self.pieces()) if self.streams else self.json(200, self.whole())

    def fail(self, status: int, headers: dict[str, str] | None = None) -> None:
        told = {"type": "some_error", "message": f"not with the key {self.key}"}
        self.json(status, {"type": "error", "error": told}, headers)

    def no_usage(self) -> None:
        if self.streams:
            self.events(self.pieces(usage=False))
        else:
            self.json(200, {k: v for k, v in self.whole().items() if k != "usage"})

    def cut(self) -> None:
        """The connection ends amid an answer whose length, or whose last chunk, is still to come."""
        if self.streams:
            self.begin("text/event-stream", {"transfer-encoding": "chunked"})
            for piece in list(self.pieces())[:4]:
                self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        else:
            body = json.dumps(self.whole()).encode()
            self.begin("application/json", {"content-length": str(len(body))})
            self.wfile.write(body[: len(body) // 2])

    def cut_quietly(self) -> None:
        """The same where the end of the connection is the end of the answer: nothing but the contents tells."""
        body = b"".join(list(self.pieces())[:4]) if self.streams else json.dumps(self.whole()).encode()[:60]
        self.begin("text/event-stream" if self.streams else "application/json")
        self.wfile.write(body)

    def garbage(self) -> None:
        body = b"<html><body>Please log in to this network</body></html>"
        self.begin("text/html", {"content-length": str(len(body))})
        self.wfile.write(body)

    def garbled(self) -> None:
        body = (
            b'data: {"choices": [{]}\n\nevent: message_start\ndata: {"type"\n\n' if self.streams else b'{"choices": [{]'
        )
        kind = "text/event-stream" if self.streams else "application/json"
        self.begin(kind, {"content-length": str(len(body))})
        self.wfile.write(body)

    def empty(self) -> None:
        if self.streams:
            self.events([])
        else:
            self.json(200, {})

    def silence(self) -> None:
        self.owner.ended.wait()

    def silence_midway(self) -> None:
        self.begin("text/event-stream")
        if self.streams:
            self.wfile.write(b"".join(list(self.pieces())[:4]))
        self.owner.ended.wait()

    def trickle(self) -> None:
        """Bytes, but never a word."""
        self.begin("text/event-stream" if self.streams else "application/json")
        while not self.owner.ended.wait(BEAT):
            self.wfile.write(b": still here\n\n" if self.streams else b" ")

    def endless(self) -> None:
        """Words, but never the last one."""
        if not self.streams:
            return self.trickle()
        self.begin("text/event-stream")
        *begin, word = list(self.pieces())[:3]
        self.wfile.write(b"".join(begin))
        while not self.owner.ended.wait(BEAT):
            self.wfile.write(word)
        return None

    def overloaded_midway(self) -> None:
        if not self.streams:
            return self.fail(529)
        told = {"type": "error", "error": {"type": "overloaded_error", "message": f"not with {self.key}"}}
        return self.events([*list(self.pieces())[:4], self.event(told)])

    # -- the protocols

    def whole(self) -> dict[str, Any]:
        if self.openai:
            message = {"role": "assistant", "content": ANSWER}
            return {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "created": 1,
                "model": self.asked["model"],
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": self.usage(),
            }
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": self.asked["model"],
            "content": [{"type": "text", "text": ANSWER}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": self.usage(),
        }

    def usage(self) -> dict[str, int]:
        if self.openai:
            return {"prompt_tokens": READ, "completion_tokens": WRITTEN, "total_tokens": READ + WRITTEN}
        return {"input_tokens": READ, "output_tokens": WRITTEN}

    def pieces(self, *, usage: bool = True) -> Iterator[bytes]:
        """The events of a streamed answer; the first four hold a part of the text and no reason why it ends."""
        words = [f"{word} " for word in ANSWER.split(" ")]
        words[-1] = words[-1].rstrip()
        yield from self._openai_pieces(words, usage) if self.openai else self._anthropic_pieces(words, usage)

    def _openai_pieces(self, words: list[str], usage: bool) -> Iterator[bytes]:
        frame = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": self.asked["model"]}
        for i, word in enumerate(words):
            delta = {"role": "assistant", "content": word} if i == 0 else {"content": word}
            yield self.event({**frame, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        yield self.event({**frame, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        if usage and self.asked.get("stream_options", {}).get("include_usage"):
            yield self.event({**frame, "choices": [], "usage": self.usage()})
        yield b"data: [DONE]\n\n"

    def _anthropic_pieces(self, words: list[str], usage: bool) -> Iterator[bytes]:
        told = {"usage": self.usage() | {"output_tokens": 1}} if usage else {}
        message = {**self.whole(), "content": [], "stop_reason": None}
        message.pop("usage")
        yield self.event({"type": "message_start", "message": {**message, **told}})
        yield self.event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
        for word in words:
            delta = {"type": "text_delta", "text": word}
            yield self.event({"type": "content_block_delta", "index": 0, "delta": delta})
        yield self.event({"type": "content_block_stop", "index": 0})
        told = {"usage": {"output_tokens": WRITTEN}} if usage else {}
        yield self.event({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, **told})
        yield self.event({"type": "message_stop"})

    def event(self, value: dict[str, Any]) -> bytes:
        name = "" if self.openai else f"event: {value['type']}\n"
        return f"{name}data: {json.dumps(value)}\n\n".encode()

    # -- HTTP; no connection is kept: each would be an open socket at the end of a test

    def begin(self, kind: str, headers: dict[str, str] | None = None, status: int = 200) -> None:
        self.send_response(status)
        for name, value in {"content-type": kind, "connection": "close", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def json(self, status: int, value: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        body = json.dumps(value).encode()
        self.begin("application/json", {"content-length": str(len(body)), **(headers or {})}, status)
        self.wfile.write(body)

    def events(self, pieces: Iterable[bytes]) -> None:
        self.begin("text/event-stream")
        for piece in pieces:
            self.wfile.write(piece)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Nothing: the tests look at what agentkit prints."""


def _handler_of(owner: FaultServer) -> type[Answering]:
    return type("Handler", (Answering,), {"owner": owner})
