"""What tests of watches share: a webhook that listens, and the file of a watch."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from agentkit_drift.watching.config import load_watch
from agentkit_drift.watching.run import Watcher

from agentkit.calls import CallContext, Services
from tests.plugins.drift_models import loans


class Hook:
    """An HTTP server that keeps what it is sent and answers with `statuses`, one after the other, the last for ever."""

    def __init__(self, *statuses: int) -> None:
        self.got: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self._statuses = list(statuses) or [200]
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                hook.got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                hook.headers.append(dict(self.headers))
                status = hook._statuses.pop(0) if len(hook._statuses) > 1 else hook._statuses[0]
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Nothing on stderr."""

        return Handler


def watcher(services: Services, path: Path, said: list[str] | None = None) -> Watcher:
    """What runs the watch of a file; `said` gets its progress."""
    return Watcher(load_watch(path), services, CallContext(services), (said if said is not None else []).append)


def fresh(workspace: Path) -> str:
    """The name of a watch that no other test has, for they share the database; may.csv and now.csv are alike."""
    loans(1_500, 1).to_csv("may.csv", index=False)
    unchanged()
    return workspace.name.replace("[", "_").replace("]", "_")[:90]


def unchanged() -> None:
    """now.csv is like may.csv."""
    loans(1_500, 2).to_csv("now.csv", index=False)


def drifted() -> None:
    """In now.csv incomes have grown."""
    loans(1_500, 3, income=12).to_csv("now.csv", index=False)


def written(name: str, text: str = "", reference: str = "may.csv") -> Path:
    """The file of a watch of now.csv that logs nothing to MLflow, unless `text` says so."""
    path = Path(f"{name}.toml")
    quiet = "" if "experiment" in text else 'experiment = ""\n'
    path.write_text(f'reference = "{reference}"\ncurrent = "now.csv"\n{quiet}{text}\n')
    return path
