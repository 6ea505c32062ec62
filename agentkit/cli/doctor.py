"""`agentkit doctor`: is everything there that the agent needs, and what to do about what is not."""

from __future__ import annotations

import importlib.util
import platform
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from agentkit.cli.common import json_option, plugins, print_json, settings
from agentkit.errors import AgentkitError, StorageError

if TYPE_CHECKING:
    from agentkit.storage import Storage


@click.command()
@json_option
def doctor(as_json: bool) -> int:
    """Check this installation and folder. Exit code 1 if something does not work.

    \b
    Examples:
      agentkit doctor
      agentkit doctor --json
    """
    checks: dict[str, Callable[[], str]] = {
        "python": lambda: f"{platform.python_version()} on {platform.system()} ({sys.executable})",
        "settings": lambda: f"{settings().folder}",
        "plugins": _check_plugins,
        "model": _check_model,
        "postgres": _check_postgres,
        "ml": _check_ml,
    }
    results = []
    for name, check in checks.items():
        try:
            results.append({"check": name, "ok": True, "detail": check()})
        except AgentkitError as error:
            results.append({"check": name, "ok": False, "detail": str(error)})
    if as_json:
        print_json(results)
    else:
        for r in results:
            click.echo(f"{'ok  ' if r['ok'] else 'FAIL'}  {r['check']:9} {r['detail']}")
    return 0 if all(r["ok"] for r in results) else 1


def _check_plugins() -> str:
    from agentkit.errors import PluginError

    if failed := plugins().failed:
        raise PluginError("; ".join(f"{r.name!r} FAILED: {r.cause}" for r in failed))
    return f"{sum(r.status == 'OK' for r in plugins().reports.values())} loaded, {len(plugins().tools)} tools"


def _check_model() -> str:
    from agentkit.models import choose, create

    name = choose(settings(), plugins())
    create(name, settings(), plugins())
    return name


def _check_postgres() -> str:
    """Start it, and send a vector there and back."""
    from agentkit.storage import Storage

    with Storage(settings()) as storage, storage.pool().connection() as connection:
        version = str(connection.execute("show server_version").fetchone()["server_version"])  # type: ignore[index]
        server = "given URL" if settings().database_url else "embedded"
        return f"PostgreSQL {version}, pgvector {_vector_version(storage)}, {server}"


def _vector_version(storage: Storage) -> str:
    import psycopg
    from pgvector import Vector
    from pgvector.psycopg import register_vector

    with storage.pool().connection() as connection:
        row = connection.execute("select extversion from pg_extension where extname = 'vector'").fetchone()
        if row is None:
            raise StorageError("the server lacks the extension pgvector: `create extension vector` as its owner.")
        try:
            register_vector(connection)
            back = connection.execute("select %s::vector as v", [Vector([1.0, 2.0])]).fetchone()
        except psycopg.Error as error:
            raise StorageError(f"pgvector does not work: {error}") from error
        if back is None or list(back["v"].to_list()) != [1.0, 2.0]:
            raise StorageError("pgvector gave back another vector than it was given.")
        return str(row["extversion"])


def _check_ml() -> str:
    from agentkit.errors import MissingExtra

    missing = [m for m in ("sklearn", "mlflow", "pandas", "pyarrow") if importlib.util.find_spec(m) is None]
    if missing:
        raise MissingExtra(f"{', '.join(missing)} not installed: pip install 'agentkit-ml[ml]'")
    from importlib.metadata import version

    return f"scikit-learn {version('scikit-learn')}, MLflow {version('mlflow')}"
