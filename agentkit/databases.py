"""Databases by name, URL or file, each behind the guard: what plugins open, and what tools and data sets use."""

from __future__ import annotations

import os
import re
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from agentkit.errors import AgentkitError, BadInput, suggest
from agentkit.names import meant
from agentkit.redaction import redact
from agentkit.settings import DatabaseSettings
from agentkit.specs import DatabaseSpec, resolve
from agentkit.sqlguard.limits import Limits
from agentkit.sqlguard.rows import Rows
from agentkit.sqlguard.schema import Dialect, Schema

if TYPE_CHECKING:
    from agentkit.datasets import Workspace
    from agentkit.plugins import Plugins
    from agentkit.settings import Settings

_ABOUT = re.compile(r"(?<![^\s_-])(the|my|our|database|db)(?![^\s_-])", re.IGNORECASE)
"""Words that a model adds to the name of a database."""
_TOLD, _TOLD_TABLES = 5, 12
_SCHEME = re.compile(r"[A-Za-z][\w+.-]*")
_PLACE = re.compile(r"([\w.-]*|\[[0-9A-Fa-f:]*\])(:\d+)?(/[\w.%-]*)?")
"""A host, its port and a database, and nothing that could be a part of a password."""
_HOLDS_MORE = re.compile(r":.*@|(passw|secret|key|token)\w*\s*=", re.IGNORECASE | re.DOTALL)
"""How a text that is no URL shows that it should be one, or a connection string."""
FILES = "files"
"""The database whose tables are the workspace's data files."""


class Database(Protocol):
    """A database as tools see it: everything passes the guard."""

    @property
    def name(self) -> str: ...

    @property
    def dialect(self) -> Dialect: ...

    def schema(self) -> Schema:
        """What the user may read, after policy. Raises DatabaseUnavailable."""

    def run(self, sql: str, limits: Limits | None = None) -> Rows:
        """Check one statement, apply the policy and run it; the rows are streamed.

        Raises SqlRefused, SqlFailed, SqlTimeout, Cancelled or DatabaseUnavailable.
        """

    def explain(self, sql: str) -> str:
        """The engine's plan, without running the statement. Raises what `run` would raise before its first row."""

    def check_role(self) -> tuple[list[str], str]:
        """What the database's user can do beyond reading, and the SQL for a right one; ([], '') if that is nothing."""

    def close(self) -> None:
        """Give back what was opened; the database opens again when it is used again."""


class Engine(Protocol):
    """What a `DatabaseSpec` opens. It gets statements that passed the guard, and holds its own limits all the same."""

    @property
    def dialect(self) -> Dialect: ...

    def schema(self) -> Schema: ...

    def run(self, sql: str, limits: Limits) -> Rows: ...

    def explain(self, sql: str, limits: Limits) -> str: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Opening:
    """What an engine is opened with. `url` may hold a password: it belongs into no message."""

    name: str
    url: str
    settings: Settings
    workspace: Workspace


class Databases:
    """The databases of one agent, command or tool call. Threads may share it."""

    def __init__(self, settings: Settings, workspace: Workspace, plugins: Plugins) -> None:
        self._settings = settings
        self._workspace = workspace
        self._plugins = plugins
        self._open: dict[str, Database] = {}
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """The configured names, and `files`."""
        return [*self._settings.databases, *([] if FILES in self._settings.databases else [FILES])]

    def open(self, name: str | None = None, *, by_model: bool = False) -> Database:
        """The database of this name (None: the only one configured, or `files`).

        A person may also give a URL or a file; a model names a configured one. Raises BadInput for a name that is
        none. Nothing is connected before it is used.
        """
        wanted = self._meant(name, by_model) or self._default()
        with self._lock:
            if wanted not in self._open:
                self._open[wanted] = self._guarded(self._shown(wanted), self._options(wanted, by_model))
            elif by_model and wanted not in self.names():
                raise self._unknown(wanted)
            return self._open[wanted]

    def engine(self, name: str) -> Engine:
        """A second engine of a database, without the guard before it: to see what it refuses by itself. Close it.

        Raises BadInput for a name that is none.
        """
        return self._engine(self._shown(name), self._options(name, by_model=False))

    def limits(self, name: str | None = None, rows: int | None = None) -> Limits:
        """The limits that the settings of a database set, with at most `rows` rows."""
        limits = limits_of(self._configured(name))
        return limits if rows is None else replace(limits, rows=min(rows, limits.rows))

    def data_limits(self, name: str | None, most: Limits) -> Limits:
        """The limits of a data set: `most`, but no more rows and seconds than the settings of its database say.

        Their defaults are for results that are shown, and hold no data set back.
        """
        configured = self._configured(name)
        return replace(
            most, rows=min(configured.rows or most.rows, most.rows),
            seconds=min(configured.seconds or most.seconds, most.seconds),
        )  # fmt: skip

    def told(self) -> list[str]:
        """The configured databases for a model to read: `shop with the tables customers, orders`.

        Tables are told of databases in files; a server may be far away or gone.
        """
        return [f"{name}{self._told_tables(name)}" for name in list(self._settings.databases)[:_TOLD]]

    def _told_tables(self, name: str) -> str:
        options = self._options(name, by_model=True)
        spec = self._spec(scheme_of(options.url))
        if spec is None or not spec.suffixes:
            return ""
        try:
            tables = [t.name for t in self.open(name, by_model=True).schema().tables]
        except AgentkitError:  # a request may be about something else
            return ""
        more = f" and {len(tables) - _TOLD_TABLES} more" if len(tables) > _TOLD_TABLES else ""
        return f" with the tables {', '.join(tables[:_TOLD_TABLES])}{more}" if tables else ""

    def close(self) -> None:
        """Close every database that was opened."""
        with self._lock:
            for database in self._open.values():
                database.close()
            self._open.clear()

    def _meant(self, name: str | None, by_model: bool) -> str:
        """The name without blanks, '' for none; a known one for a model's `the shop database`, `Shop` or `shop_db`."""
        given = (name or "").strip()
        if given in self.names() or not given or not by_model:
            return given
        bare = _ABOUT.sub("", given).strip(" _-")
        return meant(bare or FILES, self.names()) or given

    def _configured(self, name: str | None) -> DatabaseSettings:
        """What the settings say of a database: nothing but its defaults for a file or URL that they do not name."""
        found = self._settings.databases.get(self._meant(name, by_model=True) or self._default(), "")
        return found if isinstance(found, DatabaseSettings) else DatabaseSettings(url=found)

    def _default(self) -> str:
        configured = list(self._settings.databases)
        if len(configured) > 1:
            raise BadInput(f"there are several databases: name one of {', '.join(configured)}.")
        return configured[0] if configured else FILES

    def _options(self, wanted: str, by_model: bool) -> DatabaseSettings:
        configured = self._settings.databases.get(wanted)
        if configured is None and wanted == FILES:
            configured = "files:"
        url = configured if configured is not None or by_model else self._address(wanted)
        if url is None:
            raise self._unknown(wanted)
        return url if isinstance(url, DatabaseSettings) else DatabaseSettings(url=url)

    def _guarded(self, name: str, options: DatabaseSettings) -> Database:
        from agentkit.sqlguard.audit import Audit
        from agentkit.sqlguard.guarded import GuardedDatabase

        return GuardedDatabase(
            name, self._engine(name, options), options, limits_of(options), Audit(self._settings.home)
        )

    def _engine(self, name: str, options: DatabaseSettings) -> Engine:
        scheme = scheme_of(options.url)
        spec = self._spec(scheme)
        if spec is None:
            known = sorted({s for g in self._plugins.databases.values() for s in g.spec.schemes})
            raise BadInput(f"database {name!r}: no plugin opens {scheme!r} URLs (known: {', '.join(known)}).")
        url = _with_variables(name, options.url)
        engine: Engine = resolve(spec.target)(Opening(name, url, self._settings, self._workspace))
        return engine

    def _spec(self, scheme: str) -> DatabaseSpec | None:
        return next((g.spec for g in self._plugins.databases.values() if scheme in g.spec.schemes), None)

    def _address(self, text: str) -> str | None:
        """The URL that a person gave, or that of the file; None if the text is neither."""
        if "://" in text:
            return text
        from pathlib import Path

        suffix = Path(text).suffix.lower()
        for given in self._plugins.databases.values():
            if suffix and suffix in given.spec.suffixes:
                return f"{given.spec.schemes[0]}:///{self._workspace.path(text)}"
        return None

    def _shown(self, text: str) -> str:
        """A name as it may be shown: of a URL of a server its scheme, host and database, whatever else it holds."""
        scheme, is_url, rest = text.partition("://")
        if text in self.names() or not (is_url or _HOLDS_MORE.search(text)):
            return redact(text)
        spec = self._spec(scheme.partition("+")[0].lower())
        place, _, more = rest.partition("?")
        if spec is not None and spec.suffixes:
            return redact(f"{scheme}://{place}")
        place = place.rpartition("@")[2]
        plain = _SCHEME.fullmatch(scheme) and _PLACE.fullmatch(place) and "@" not in more
        return f"{scheme}://{place}" if is_url and plain else "(a URL)"

    def _unknown(self, wanted: str) -> BadInput:
        known = self.names()
        shown = self._shown(wanted)
        return BadInput(f"there is no database {shown!r}.{suggest(shown, known)} Databases: {', '.join(known)}.")


def _with_variables(name: str, url: str) -> str:
    """The URL with `${NAME}` replaced by variables of the environment, percent-encoded. Raises BadInput."""

    def value(found: re.Match[str]) -> str:
        if found[1] not in os.environ:
            raise BadInput(f"database {name!r}: the environment has no variable {found[1]!r}, which its URL needs.")
        return quote(os.environ[found[1]], safe="")

    return re.sub(r"\$\{(\w+)\}", value, url)


def scheme_of(url: str) -> str:
    """Which engine a URL is for: `postgresql` of `postgresql+psycopg://host/shop`."""
    return url.partition(":")[0].partition("+")[0].lower()


def limits_of(options: DatabaseSettings) -> Limits:
    """The limits of one statement that a database's settings set."""
    usual = Limits()
    return Limits(rows=options.rows or usual.rows, seconds=options.seconds or usual.seconds)


@dataclass(frozen=True)
class ToolDatabases:
    """The databases that a tool call may use: a model's only those that have a name."""

    databases: Databases
    by_model: bool

    def names(self) -> list[str]:
        """The configured names, and `files`."""
        return self.databases.names()

    def open(self, name: str | None = None) -> Database:
        """The database of this name (None: the only one configured, or `files`); shared, so do not close it."""
        return self.databases.open(name, by_model=self.by_model)

    def limits(self, name: str | None = None, rows: int | None = None) -> Limits:
        """The limits of a database by its settings, with at most `rows` rows."""
        return self.databases.limits(name, rows)

    def data_limits(self, name: str | None, most: Limits) -> Limits:
        """The limits of a data set: `most`, but no more than the settings of its database say."""
        return self.databases.data_limits(name, most)
