"""The card of a database, made once and kept until its schema changes."""

from __future__ import annotations

import hashlib
import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from agentkit.sqlguard.schema import Schema, TableInfo
from agentkit_sql.card.card import Card
from agentkit_sql.card.choose import rank
from agentkit_sql.card.meaning import read_meaning
from agentkit_sql.card.values import Values, frequent_values, table_key

if TYPE_CHECKING:
    from agentkit.databases import Database
    from agentkit.settings import Settings

_FRESH_SECONDS = 24 * 3600.0
"""After a day the frequent values are read again."""
_BUILD_SECONDS = 3.0
_MORE_TABLES = 12
_SMALL_SCHEMA = 40
"""Tables up to which all values are read at once; of a larger schema those that a question hints at."""


def card_of(database: Database, settings: Settings, *, values: bool = True, comments: bool = True) -> Card:
    """The card of a database. Values are read of up to 40 tables, for 3 s; none if `privacy.send_values` is false.

    Raises what reading the schema raises, and SettingsError for a meaning that cannot be read.
    """
    schema = database.schema()
    meaning = read_meaning(database.name, settings)
    known: Values = {}
    if values and settings.privacy.send_values:
        known = _kept(_file(database, schema, settings))
        missing = [t for t in schema.tables if table_key(t) not in known]
        if missing and len(schema.tables) <= _SMALL_SCHEMA:
            known |= frequent_values(database, missing, _BUILD_SECONDS)
            _keep(_file(database, schema, settings), known)
    return Card(schema, known, meaning, comments=comments)


def with_values(card: Card, question: str, database: Database, settings: Settings) -> Card:
    """The card of a large schema with the values of the tables that a question hints at; they are kept, too."""
    if not settings.privacy.send_values or len(card.names) <= _SMALL_SCHEMA:
        return card
    hinted = [card.names[name] for name, score in rank(card, question)[:_MORE_TABLES] if score > 0]
    missing: list[TableInfo] = [t for t in hinted if table_key(t) not in card.values]
    if not missing:
        return card
    known = card.values | frequent_values(database, missing, _BUILD_SECONDS)
    _keep(_file(database, card.schema, settings), known)
    return Card(card.schema, known, card.meaning, card.comments)


def _file(database: Database, schema: Schema, settings: Settings) -> Path:
    name = hashlib.sha256(f"{database.name}\n{schema.fingerprint}".encode()).hexdigest()[:32]
    return settings.home / "sql" / f"{name}.json"


def _kept(file: Path) -> Values:
    """The values of an earlier time, {} if there are none, they are old or cannot be read."""
    try:
        if time.time() - file.stat().st_mtime > _FRESH_SECONDS:
            return {}
        kept = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _keep(file: Path, values: Values) -> None:
    """Values are cells of the database: only the user may read them. A full disk costs only the time saved."""
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = file.with_suffix(f".{os.getpid()}.tmp")
        temporary.touch(mode=0o600)
        temporary.write_text(json.dumps(values, ensure_ascii=False), encoding="utf-8")
        temporary.replace(file)
