"""Stores to test: the embedded Postgres, the one of AGENTKIT_TEST_DATABASE_URL, and Chroma."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentkit.settings import load_settings
from agentkit.storage import Storage
from tests.rag.stores import MODEL

SERVERS = ["embedded", "given"]


def opened(kind: str, folder: Path) -> Iterator[Any]:
    """A store of this kind; collections that a test leaves are dropped."""
    url = os.environ.get("AGENTKIT_TEST_DATABASE_URL")
    if kind == "given" and not url:
        pytest.skip("no other server: set AGENTKIT_TEST_DATABASE_URL=postgresql://USER:PASSWORD@HOST/DATABASE")
    if kind == "chroma":
        pytest.importorskip("chromadb", reason="Chroma is not installed: pip install 'agentkit-ml[chroma]'")
        from agentkit_rag.chroma import open_store

        yield open_store(load_settings(home=str(folder / "home")), None)  # type: ignore[arg-type]
        return
    from agentkit_rag.store.postgres import open_store as open_postgres

    settings = load_settings(database_url=url) if kind == "given" else load_settings()
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
