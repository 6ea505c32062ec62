"""llama.cpp in this process: one engine a model file and settings, made on first use and kept."""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import queue
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentkit.errors import ContextExceeded, MissingExtra, ProviderError
from agentkit_local.states import PromptStates

if TYPE_CHECKING:
    from xllamacpp import Server

Message = dict[str, str]
Chunk = dict[str, Any]
_RAM_CACHE_MIB = 1024
_BATCH = 256
_WORTH_SAVING = 1_000
_SAMPLE_SECONDS = 0.05
STREAMED = {"stream": True, "stream_options": {"include_usage": True}, "return_progress": True, "cache_prompt": True}
"""What every request asks for; with its progress reported, reading a long prompt can be cancelled."""


@dataclass(frozen=True, slots=True)
class EngineKey:
    """What an engine is made for; `identity` names the file's contents (its hash, or size and time)."""

    file: Path
    identity: str
    context: int
    threads: int | None = None


class Engine:
    """A loaded model. Requests are taken one after the other."""

    def __init__(self, key: EngineKey, server: Server, socket: Path, secret: str) -> None:
        self.key = key
        self._server = server
        self._socket = socket
        self._secret = secret
        self._lock = threading.Lock()
        self._states = PromptStates(states_folder(), self._slot)
        self._known: set[str] = set()

    def stream(
        self, request: Mapping[str, Any], fixed: int = 0, stop: threading.Event | None = None
    ) -> Generator[Chunk]:
        """The chunks of a chat completion as llama.cpp makes them. Raises ProviderError.

        The first `fixed` messages are the same in many conversations: their state is kept on disk.

        Closing the iterator, or setting `stop`, ends the decoding at the next token or batch of the prompt.
        """
        chunks: queue.SimpleQueue[Chunk | Exception | None] = queue.SimpleQueue()
        stop = stop or threading.Event()
        args = (dict(request), fixed, chunks, stop)
        worker = threading.Thread(target=self._work, args=args, name="agentkit-decode", daemon=True)
        worker.start()
        try:
            while (chunk := chunks.get()) is not None:
                if isinstance(chunk, Exception):
                    raise ProviderError(f"The embedded model could not take this request: {chunk}") from chunk
                if "error" in chunk:
                    raise _refusal(chunk["error"], self.key)
                yield chunk
        finally:
            stop.set()
            # a thread that is still inside llama.cpp when the interpreter ends would take the process down
            worker.join()

    def warm_up(self) -> None:
        """Have the decoder's tables of the vocabulary made (1.4 s, once), which no Python waits for meanwhile."""
        with self._lock:
            request = {"prompt": "a", "n_predict": 1, "grammar": '%llguidance {}\nstart: "a"'}
            self._server.handle_completions(request)

    def _work(
        self,
        request: dict[str, Any],
        fixed: int,
        chunks: queue.SimpleQueue[Chunk | Exception | None],
        stop: threading.Event,
    ) -> None:
        def take(chunk: Chunk) -> bool:
            chunks.put(chunk)
            return stop.is_set()

        try:
            with self._lock:
                self._prepare(request["messages"][:fixed], stop)
                if not stop.is_set():
                    self._server.handle_chat_completions(request, take)
        except Exception as error:  # noqa: BLE001 - llama.cpp raises whatever its templates and grammars throw
            chunks.put(error)
        finally:
            chunks.put(None)

    def _prepare(self, fixed: list[Message], stop: threading.Event) -> None:
        """Have the state after the fixed messages in the slot: from the file, or computed once and saved."""
        if sum(len(m["content"]) for m in fixed) < _WORTH_SAVING:
            return
        name = self._state_name(fixed)
        # what this process has read before is in llama.cpp's own cache, with the conversation after it
        if name in self._known or self._states.restore(name):
            self._known.add(name)
            return
        last: Chunk = {}

        def take(chunk: Chunk) -> bool:
            nonlocal last
            last = chunk
            return stop.is_set()

        request = {"messages": [*fixed, {"role": "user", "content": ""}], "max_tokens": 1}
        self._server.handle_chat_completions(request | STREAMED, take)
        if not stop.is_set() and "error" not in last:
            self._states.save(name)
            self._known.add(name)

    def _state_name(self, fixed: list[Message]) -> str:
        import xllamacpp

        parts = [self.key.identity, self.key.context, xllamacpp.__version__, fixed]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:40]

    def _slot(self, action: str, file: str) -> bool:
        import httpx

        transport = httpx.HTTPTransport(uds=str(self._socket))
        headers = {"Authorization": f"Bearer {self._secret}"}
        try:
            with httpx.Client(transport=transport, headers=headers, base_url="http://localhost", timeout=60) as client:
                return client.post("/slots/0", params={"action": action}, json={"filename": file}).is_success
        except httpx.HTTPError:
            return False


_engines: dict[EngineKey, Engine] = {}
_engines_lock = threading.Lock()


def engine(key: EngineKey) -> Engine:
    """The process's engine for this key, loaded on first use (1-6 s). Raises MissingExtra, ProviderError."""
    with _engines_lock:
        if key not in _engines:
            _engines[key] = _load(key)
        return _engines[key]


def engine_soon(key: EngineKey) -> None:
    """Begin to load the engine while the caller does other things; trouble shows when it is used."""

    def load() -> None:
        with suppress(Exception):
            engine(key).warm_up()

    # no daemon: a thread inside llama.cpp must end before the interpreter does
    threading.Thread(target=load, name="agentkit-load").start()


def _forget() -> None:
    """After a fork the threads of llama.cpp are gone: the child makes its own engines."""
    global _engines_lock  # noqa: PLW0603
    _engines_lock = threading.Lock()
    # kept alive: freeing an engine whose threads do not exist here would wait for them for ever
    _orphans.extend(_engines.values())
    _engines.clear()


_orphans: list[Engine] = []
os.register_at_fork(after_in_child=_forget)


def free_threads() -> int:
    """Cores that this process may use and that are idle right now, at least 1.

    A runnable thread too many makes decoding collapse (13.9 to 2.0 tokens a second on 2 cores). The load average would
    tell of the last minute, in which this very user's last command may have worked.
    """
    import psutil

    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:
        cores = os.cpu_count() or 1
    own = time.process_time()
    busy = cores * psutil.cpu_percent(interval=_SAMPLE_SECONDS) / 100
    # what this process does beside loading ends before the model decodes
    others = busy - (time.process_time() - own) / _SAMPLE_SECONDS
    return min(cores, max(1, round(cores - others)))


def _load(key: EngineKey) -> Engine:
    try:
        import xllamacpp
    except ImportError as error:
        raise MissingExtra("The embedded model needs xllamacpp: pip install 'agentkit-ml[local]'") from error
    folder = Path(tempfile.mkdtemp(prefix="agentkit-"))
    atexit.register(_remove, folder, os.getpid())
    secret = secrets.token_urlsafe(32)
    params = xllamacpp.CommonParams()
    params.model.path = str(key.file)
    params.n_ctx = key.context
    params.n_parallel = 1
    params.n_batch = params.n_ubatch = _BATCH
    params.verbosity = -1
    params.cache_ram_mib = _RAM_CACHE_MIB
    params.hostnames = [str(folder / "s.sock")]
    params.api_keys = [secret]
    params.cors_origins = ""
    # fitting the parameters to the memory would open the whole file once more
    params.ui = params.endpoint_slots = params.warmup = params.fit_params = False
    params.slot_save_path = f"{states_folder()}{os.sep}"
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = key.threads or free_threads()
    try:
        server = xllamacpp.Server(params)
    except Exception as error:
        raise ProviderError(f"The model file {str(key.file)!r} cannot be loaded: {error}") from error
    return Engine(key, server, folder / "s.sock", secret)


def states_folder() -> Path:
    """Where prompt states are kept, readable by the user alone."""
    from agentkit_local.manifest import cache_folder

    folder = cache_folder() / "prompt-states"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def _remove(folder: Path, pid: int) -> None:
    if os.getpid() == pid:
        with suppress(OSError):
            shutil.rmtree(folder)


def _refusal(error: Mapping[str, Any], key: EngineKey) -> ProviderError:
    if error.get("type") == "exceed_context_size_error":
        return ContextExceeded(
            f"The conversation has {error.get('n_prompt_tokens')} tokens; the embedded model takes "
            f"{error.get('n_ctx', key.context)}. Start a new thread, or set a larger context in [local]."
        )
    return ProviderError(f"The embedded model could not take this request: {error.get('message', error)}")
