"""The embedded PostgreSQL server of one home, shared by all processes that use the home.

Three locks in the home (flock, which the kernel releases however a process dies) say what pid files cannot say
reliably. `postgres.start` is held alone while somebody starts, stops or creates. `postgres.users` is shared by every
process that uses the server. `postgres.server` is inherited by the server and all its children, so it is free exactly
when none is left. A small parent process (agentkit/postgres/postmaster.py) stops the server after the last user.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from agentkit.errors import StorageError
from agentkit.postgres import cluster

START_SECONDS = 120.0
STOP_SECONDS = 15.0
_SOCKET = ".s.PGSQL.5432"
_PATH_LIMIT = 100  # bytes of a unix socket's path: at most 103 on macOS, 107 on Linux
_LOG_LIMIT = 4 * 1024 * 1024
_LEAST_CACHE, _MOST_CACHE = 32, 512
_OPTIONS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "huge_pages": "off",
    "jit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "min_wal_size": "4MB",
    "max_wal_size": "256MB",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
}
if sys.platform == "linux":
    # after a crash: one call instead of an fsync for each of 1,500 files
    _OPTIONS["recovery_init_sync_method"] = "syncfs"


def _cache_size() -> int:
    """Megabytes for the server's page cache, a sixteenth of the machine's. What no page fills takes no memory."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    except (ValueError, OSError):
        memory = 0  # not every platform tells
    return min(max(memory // 16, _LEAST_CACHE), _MOST_CACHE)


class EmbeddedServer:
    """The server of `home`. `create(folder)` makes the data folder when there is none. Threads may share it.

    All methods raise StorageError.
    """

    def __init__(self, home: Path, create: Callable[[Path], None] = cluster.initialise) -> None:
        self.home = home
        self.data = home / "postgres"
        self._create = create
        self._users: int | None = None
        self._threads = threading.RLock()

    def acquire(self) -> str:
        """Make sure that the server runs, and keep it running until `release`. Returns its socket's folder.

        Takes about 1 ms when it runs, so it may be asked before every new connection.
        """
        with self._threads, self._explained():
            if self._users is not None and (folder := self._answering()):
                return folder
            self.home.mkdir(parents=True, exist_ok=True)
            with self._starting():
                try:
                    return self._join_or_start(time.monotonic() + START_SECONDS)
                except BaseException:
                    self._leave()
                    raise

    def release(self) -> None:
        """Stop using the server. The last user waits until it has shut down."""
        with self._threads, self._explained():
            if self._users is None:
                return
            with contextlib.suppress(FileNotFoundError), self._starting():
                last = _try_lock(self._users, fcntl.LOCK_EX) or not _try_lock(self._users, fcntl.LOCK_SH)
                self._leave()
                if last and (lock := self._take_server_lock(time.monotonic() + STOP_SECONDS)) is not None:
                    os.close(lock)
            self._leave()

    @contextlib.contextmanager
    def running(self) -> Iterator[str]:
        """The server for a `with` block, from `acquire` to `release`."""
        try:
            yield self.acquire()
        finally:
            self.release()

    def forget(self) -> None:
        """In a forked child: leave the parent's use alone and begin anew."""
        self._threads = threading.RLock()
        self._leave()

    def log_path(self) -> Path:
        """Where the server writes what it has to say."""
        return self.home / "logs" / "postgres.log"

    def _join_or_start(self, deadline: float) -> str:
        users = self._users = self._users if self._users is not None else self._open("postgres.users")
        while not _try_lock(users, fcntl.LOCK_SH):
            self._pause(deadline)
        while (lock := self._take_server_lock()) is None:
            if folder := self._answering():
                return folder
            self._pause(deadline)
        try:
            if not (self.data / "PG_VERSION").exists():
                self._make_data()
            self._check_version()
            self._clear_stale_files()
            return self._launch(lock, deadline)
        finally:
            os.close(lock)

    def _make_data(self) -> None:
        """Under another name first, so that no crash leaves a data folder that is half made."""
        unfinished = self.home / "postgres.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            self._create(unfinished)
            unfinished.rename(self.data)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def _check_version(self) -> None:
        found, ours = (self.data / "PG_VERSION").read_text().strip(), cluster.release().split(".")[0]
        if found != ours:
            raise StorageError(
                f"{self.data} was made by PostgreSQL {found}, and {ours} is installed. Move the folder away to start "
                f"anew, or install '{cluster.DISTRIBUTION}=={found}.*' to go on with it."
            )

    def _clear_stale_files(self) -> None:
        """Holding the server's lock proves that nothing of ours is left; only a server started by hand could be."""
        lines = self._pid_file()
        if lines and _is_server_of(self.data, lines[0]):
            raise StorageError(f"A server that was started by hand (pid {lines[0]}) uses {self.data}. Stop it first.")
        for old in [self.data / "postmaster.pid", *self.data.glob(f"{_SOCKET}*")]:
            old.unlink(missing_ok=True)
        if len(lines) > 4 and Path(lines[4]).name.startswith("agentkit-"):
            shutil.rmtree(lines[4], ignore_errors=True)

    def _launch(self, lock: int, deadline: float) -> str:
        identity = cluster.identity_of(self.data)
        sockets = self._socket_folder(identity)
        options = _OPTIONS | {"unix_socket_directories": f'"{sockets}"', "shared_buffers": f"{_cache_size()}MB"}
        command = [str(cluster.binaries() / "postgres"), "-D", str(self.data)]
        command += [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with self._log() as log:
            start = log.tell()
            parent = subprocess.Popen(
                cluster.script(
                    identity,
                    *command,
                    users_lock=str(self.home / "postgres.users"),
                    folder="-" if sockets == str(self.data) else sockets,
                ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                pass_fds=(lock,),
                # Ctrl-C in the terminal of the first client must not stop it
                start_new_session=True,
            )
        while parent.poll() is None:
            if folder := self._answering():
                # it may outlive this process; if not, it must not stay as a zombie
                threading.Thread(target=parent.wait, daemon=True).start()
                return folder
            self._pause(deadline)
        with self.log_path().open("rb") as said:
            said.seek(start)
            why = cluster.reason(said.read(20_000).decode(errors="replace"))
        raise StorageError(f"PostgreSQL did not start in {self.data}: {why}. {cluster.remedy(self.home)}")

    def _answering(self) -> str | None:
        """The socket's folder if the server is ready for connections."""
        lines = self._pid_file()
        if len(lines) < 8 or lines[7].strip() != "ready":
            return None
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(f"{lines[4]}/{_SOCKET}")
            except BlockingIOError:
                return lines[4]
            except OSError:
                return None
        return lines[4]

    def _take_server_lock(self, deadline: float = 0.0) -> int | None:
        """The lock that proves that no server runs. Tries until the deadline; None if it still runs."""
        lock = self._open("postgres.server")
        while not _try_lock(lock, fcntl.LOCK_EX):
            if time.monotonic() >= deadline:
                os.close(lock)
                return None
            time.sleep(0.002)
        return lock

    def _socket_folder(self, identity: str) -> str:
        if _fits(str(self.data)):
            return str(self.data)
        for parent in (tempfile.gettempdir(), "/tmp"):  # noqa: S108
            if _fits(f"{parent}/agentkit-12345678"):
                folder = tempfile.mkdtemp(prefix="agentkit-", dir=parent)
                cluster.give(Path(folder), identity)
                return folder
        raise StorageError(f"{self.data} and the folder for temporary files are too long for a socket. Set TMPDIR.")

    def _log(self) -> IO[bytes]:
        path = self.log_path()
        path.parent.mkdir(exist_ok=True)
        if path.exists() and path.stat().st_size > _LOG_LIMIT:
            path.replace(path.with_suffix(".log.1"))
        return os.fdopen(self._open("logs/postgres.log", os.O_APPEND), "ab")

    def _pid_file(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text(errors="surrogateescape").splitlines()
        except FileNotFoundError:
            return []

    def _pause(self, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise StorageError(f"The server of {self.data} neither answers nor ends; see {self.log_path()}.")
        time.sleep(0.003)

    @contextlib.contextmanager
    def _starting(self) -> Iterator[None]:
        lock = self._open("postgres.start")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _open(self, name: str, flags: int = 0) -> int:
        """A file of the home. What root makes in someone else's home stays usable for its owner."""
        file = os.open(self.home / name, os.O_RDWR | os.O_CREAT | flags, 0o600)
        owner = self.home.stat()
        if os.geteuid() == 0 and os.fstat(file).st_uid != owner.st_uid:
            os.fchown(file, owner.st_uid, owner.st_gid)
        return file

    def _leave(self) -> None:
        if self._users is not None:
            os.close(self._users)
            self._users = None

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            # copytree lists every file that it could not copy, with its reason last
            why = error.args[0][0][-1] if isinstance(error, shutil.Error) else error
            raise StorageError(f"{self.home} cannot hold the database: {why}. {cluster.remedy(self.home)}") from error


def _try_lock(lock: int, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _fits(folder: str) -> bool:
    # PostgreSQL splits its setting at commas and quotes, and libpq its host at commas
    return len(os.fsencode(f"{folder}/{_SOCKET}")) <= _PATH_LIMIT and re.fullmatch(r"[\w /.+-]+", folder) is not None


def _is_server_of(data: Path, pid: str) -> bool:
    """Whether a pid is a living process that works in `data`. psutil knows this on Linux and on macOS."""
    import psutil

    try:
        process = psutil.Process(int(pid))
        return process.status() != psutil.STATUS_ZOMBIE and data.samefile(process.cwd())
    except (ValueError, OSError, psutil.Error):
        return False
