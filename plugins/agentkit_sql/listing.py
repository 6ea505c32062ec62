"""The databases there are, and the tables and columns of one, as tables to look at."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentkit.databases import scheme_of
from agentkit.errors import AgentkitError, BadInput, suggest
from agentkit.redaction import redact
from agentkit.results import Table
from agentkit_sql.card.joins import full_name

if TYPE_CHECKING:
    from agentkit.calls import Services
    from agentkit.databases import Database
    from agentkit.sqlguard.schema import TableInfo

_AT_ONCE = 8
_MOST_NAMES = 30


@dataclass(frozen=True)
class Listed:
    """A database by name. `where`: its URL without a password. `problem`: why it cannot be asked, '' if it can."""

    name: str
    kind: str
    where: str
    tables: int
    problem: str = ""


def listed(services: Services) -> list[Listed]:
    """Every configured database and `files`, each of them tried, several at once."""
    names = services.databases.names()
    with ThreadPoolExecutor(min(_AT_ONCE, len(names))) as pool:
        return list(pool.map(lambda name: _listed(name, services), names))


def _listed(name: str, services: Services) -> Listed:
    configured = services.settings.databases.get(name, "files:")
    url = configured if isinstance(configured, str) else configured.url
    scheme = scheme_of(url)
    specs = [g.spec for g in services.plugins.databases.values()]
    kind = next((s.kind for s in specs if scheme in s.schemes), scheme)
    where = str(services.settings.root) if url == "files:" else redact(url)
    try:
        tables = len(services.databases.open(name).schema().tables)
    except AgentkitError as error:
        return Listed(name, kind, where, 0, str(error))
    return Listed(name, kind, where, tables)


def tables_of(database: Database) -> Table:
    """The tables and views: name, rows where they are known, columns, comment."""
    rows = [[full_name(t), t.rows, len(t.columns), t.comment] for t in database.schema().tables]
    return Table(title=database.name, columns=["table", "rows", "columns", "comment"], rows=rows)


def columns_of(database: Database, name: str) -> Table:
    """The columns of a table: name, type, key, comment. Raises BadInput for a table that is not there."""
    table = find_table(database, name)
    keys = keys_of(table)
    rows = [[c.name, c.type, keys.get(c.name, ""), c.comment] for c in table.columns]
    return Table(title=full_name(table), columns=["column", "type", "key", "comment"], rows=rows)


def keys_of(table: TableInfo) -> dict[str, str]:
    """Column -> `primary key`, or what it refers to: `customers.id`."""
    found = {
        column: f"{key.table}.{target}" if target else key.table
        for key in table.foreign_keys
        for column, target in zip(key.columns, key.to_columns, strict=False)
    }
    return found | dict.fromkeys(table.primary_key, "primary key")


def find_table(database: Database, name: str) -> TableInfo:
    """The table of this name, with or without its schema. Raises BadInput with the nearest name, or if it is in two."""
    tables = database.schema().tables
    wanted = name.strip().replace('"', "").lower()
    exact = [t for t in tables if name.strip() in (t.name, f"{t.schema}.{t.name}")]
    found = exact or [t for t in tables if wanted in (t.name.lower(), f"{t.schema}.{t.name}".lower())]
    if len(found) > 1:
        raise BadInput(f"{name!r} may be {' or '.join(f'{t.schema}.{t.name}' for t in found)}: write the schema, too.")
    if not found:
        names = [full_name(t) for t in tables]
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        known = ", ".join(names[:_MOST_NAMES]) or "none"
        raise BadInput(f"there is no table {name!r} in {database.name!r}.{suggest(name, names)} Tables: {known}{more}.")
    return found[0]
