"""Is a database guarded? Each layer is tried with a statement that would change nothing even if it ran."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from agentkit.errors import AgentkitError, BadInput, SqlFailed, SqlRefused
from agentkit.redaction import redact
from agentkit.settings import DatabaseSettings
from agentkit_sql.engines.quoting import quoted_name

if TYPE_CHECKING:
    from agentkit.calls import Services
    from agentkit.databases import Database
    from agentkit.sqlguard.rows import Rows


State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Check:
    """One look at one database. `warn`: it is guarded, but by fewer layers than it could be.

    `remedy`: what to do, '' if nothing is wrong; SQL where that helps.
    """

    database: str
    check: str
    state: State
    detail: str
    remedy: str = ""


def checks(services: Services, name: str) -> list[Check]:
    """Look at a database: reached, refused by the guard, refused by the engine alone, role, limits, policy.

    Raises BadInput for a name that is none.
    """
    try:
        database = services.databases.open(name)
        schema = database.schema()
    except AgentkitError as error:
        if isinstance(error, BadInput) and name not in services.databases.names():
            raise
        return [Check(redact(name), "reached", "fail", str(error))]
    given, name = name, database.name
    found = [Check(name, "reached", "ok", f"{schema.dialect}; tables and views: {len(schema.tables)}")]
    if schema.tables:
        probe = f"DELETE FROM {quoted_name(schema.tables[0])} WHERE 1 = 0"  # noqa: S608
        found.append(_refused(name, "guard", "the statement's tree", lambda: database.run(probe)))
        limits = services.databases.limits(given)
        with closing(services.databases.engine(given)) as engine:
            found.append(_refused(name, "engine", "the engine alone", lambda: engine.run(probe, limits)))
    return [*found, *_role(database), _limits(services, given, name), _policy(services, given, name)]


def _refused(name: str, check: str, who: str, run: Callable[[], Rows]) -> Check:
    try:
        run().close()
    except (SqlRefused, SqlFailed) as error:
        return Check(name, check, "ok", f"{who} refuses DELETE: {error}")
    except AgentkitError as error:
        return Check(name, check, "fail", str(error))
    return Check(name, check, "fail", f"{who} ran DELETE (of no row)", "do not use this database")


def _role(database: Database) -> Iterator[Check]:
    """What the role can do beyond SELECT, with the SQL for a right one; nothing for a database without roles."""
    try:
        told, right = database.check_role()
    except AgentkitError as error:
        yield Check(database.name, "role", "fail", str(error))
        return
    for number, text in enumerate(told):
        yield Check(database.name, "role", "warn", text, right if number == len(told) - 1 else "")
    if not told and database.dialect == "postgres":
        yield Check(database.name, "role", "ok", "the role can do no more than SELECT")


def _limits(services: Services, given: str, name: str) -> Check:
    limits = services.databases.limits(given)
    told = f"{limits.seconds:g} s, {limits.rows:,} rows, {limits.bytes >> 20} MiB, {limits.cell >> 10} KiB a value"
    return Check(name, "limits", "ok", told)


def _policy(services: Services, given: str, name: str) -> Check:
    options = services.settings.databases.get(given)
    if not isinstance(options, DatabaseSettings):
        return Check(name, "policy", "ok", "none: every table and column may be read")
    told = [
        f"allow: {', '.join(options.allow)}" if options.allow is not None else "",
        f"deny: {', '.join(options.deny)}" if options.deny else "",
        f"filters on {', '.join(options.filters)}" if options.filters else "",
        f"masks on {', '.join(options.masks)}" if options.masks else "",
    ]
    said = "; ".join(t for t in told if t) or "none: every table and column may be read"
    return Check(name, "policy", "ok", said)
