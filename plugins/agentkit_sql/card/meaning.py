"""What the users of a database know about it and its names do not tell: descriptions, metrics, joins, examples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from agentkit.errors import SettingsError

if TYPE_CHECKING:
    from agentkit.settings import Settings


class Example(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question that was asked before, with the statement that answers it."""

    question: str
    sql: str


class ColumnMeaning(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`unit` is said beside the column in answers: EUR, kg, days."""

    description: str = ""
    synonyms: tuple[str, ...] = ()
    unit: str = ""


class TableMeaning(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a table holds. A column's meaning is a sentence or a table of its own."""

    description: str = ""
    synonyms: tuple[str, ...] = ()
    columns: dict[str, str | ColumnMeaning] = {}

    def column(self, name: str) -> ColumnMeaning:
        said = self.columns.get(name, "")
        return ColumnMeaning(said) if isinstance(said, str) else said


class Meaning(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`metrics`: name -> what it is in SQL or words. `joins`: `orders.customer_id = customers.id`. `notes`: rules."""

    tables: dict[str, TableMeaning] = {}
    metrics: dict[str, str] = {}
    joins: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    notes: tuple[str, ...] = ()

    def table(self, name: str) -> TableMeaning:
        return self.tables.get(name) or self.tables.get(name.rpartition(".")[2]) or TableMeaning()


EXAMPLES = ".examples.jsonl"
"""How the name of a file of kept examples goes on after the database's name."""


def read_meaning(name: str, settings: Settings) -> Meaning:
    """What is said about a database: `[databases.NAME.meaning]`, `NAME.meaning.yaml`, and the examples kept.

    The YAML file and `NAME.examples.jsonl` lie beside agentkit.toml. Raises SettingsError that names the place.
    """
    options = settings.databases.get(name)
    said = {} if options is None or isinstance(options, str) else dict(options.meaning)
    file = _beside(settings, name, ".meaning.yaml")
    if file is not None and file.is_file():
        said |= _yaml(file)
    meaning = _checked(said, f"[databases.{name}.meaning] or {name}.meaning.yaml")
    kept = kept_examples(name, settings)
    return msgspec.structs.replace(meaning, examples=(*meaning.examples, *kept)) if kept else meaning


def kept_examples(name: str, settings: Settings) -> tuple[Example, ...]:
    """The answers that a person has kept as examples. Raises SettingsError that names the line."""
    file = _beside(settings, name, EXAMPLES)
    if file is None or not file.is_file():
        return ()
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    try:
        return tuple(msgspec.json.decode(line, type=Example) for line in lines)
    except msgspec.DecodeError as error:
        raise SettingsError(f"{file.name}: {error}. Each line is a JSON object of question and sql.") from error


def keep_example(name: str, example: Example, settings: Settings) -> Path:
    """Add a question and its verified statement to the database's examples. Raises SettingsError for an odd name."""
    file = _beside(settings, name, EXAMPLES)
    if file is None:
        raise SettingsError(f"{name!r} is no name: give the database one in [databases] of agentkit.toml.")
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps({"question": example.question, "sql": example.sql}, ensure_ascii=False) + "\n")
    return file


def _beside(settings: Settings, name: str, ending: str) -> Path | None:
    """A file beside agentkit.toml; None if the database is a URL or a file and has no name."""
    return settings.folder / f"{name}{ending}" if name and not set(name) & set("/:\\") else None


def _yaml(file: Path) -> dict[str, Any]:
    import yaml

    try:
        said = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"{file.name} cannot be read: {error}") from error
    if not isinstance(said, dict):
        raise SettingsError(f"{file.name} must be a mapping of tables, metrics, joins, examples and notes.")
    return said


def _checked(said: dict[str, Any], where: str) -> Meaning:
    tables = said.get("tables")
    if isinstance(tables, dict):  # a table that is described by one sentence
        said = said | {"tables": {k: {"description": v} if isinstance(v, str) else v for k, v in tables.items()}}
    try:
        return msgspec.convert(said, Meaning)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{where}: {error}") from error
