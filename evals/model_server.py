"""A chat model behind OpenAI's protocol that does what a script says: for measuring what stands around a model.

python -m evals.model_server PORT_FILE

It makes the calls of CALLS one after the other and then answers; what is next follows from the messages alone, so
that any number of conversations may go on at once.
"""

from __future__ import annotations

import json
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

CALLS = (("echo_1", {"text": "one"}), ("echo_2", {"text": "two"}))
ANSWER = "Both said."
_USAGE = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}


class Handler(BaseHTTPRequestHandler):
    """Answers `POST /v1/chat/completions`, not streamed."""

    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = json.dumps(_completion(body)).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(answer)}\r\n\r\n"
        self.wfile.write(head.encode() + answer)

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


class Server(ThreadingHTTPServer):
    """Takes hundreds of connections at once."""

    daemon_threads = True
    request_queue_size = 1024


def _completion(body: dict[str, Any]) -> dict[str, Any]:
    roles = [m["role"] for m in body["messages"]]
    last = len(roles) - 1 - roles[::-1].index("user")
    done = roles[last:].count("tool")
    message: dict[str, Any] = {"role": "assistant", "content": ANSWER}
    if done < len(CALLS):
        name, args = CALLS[done]
        function = {"name": name, "arguments": json.dumps(args)}
        message = {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": f"call_{len(roles)}", "type": "function", "function": function}],
        }
    return {
        "id": "completion",
        "object": "chat.completion",
        "created": 0,
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if done < len(CALLS) else "stop"}],
        "usage": _USAGE,
    }


if __name__ == "__main__":
    with Server(("127.0.0.1", 0), Handler) as server:
        Path(sys.argv[1]).write_text(str(server.server_address[1]), encoding="ascii")
        server.serve_forever()
