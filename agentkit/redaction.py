"""Keep secrets out of texts that are stored or shown: values of secret variables, passwords in URLs, key shapes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

MASK = "[secret]"
_NAMES = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|DATABASE_URL|_DSN)", re.IGNORECASE)
_SHAPE = r"(?:sk-[\w-]{16,}|lsv2_\w{16,}|hf_\w{16,}|gh[pousr]_\w{20,}|AKIA\w{16}|eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]+)"
_SHAPES = re.compile(rf"\b{_SHAPE}")
_SHAPES_CUT = re.compile(_SHAPE)
_URL_PASSWORD = re.compile(r"(://[^\s/:@]*):([^\s/]+)@")
_LABELS = ("password=", "passwd=", "key=", "token=", "secret=", "sig=", "signature=", "authorization")
_LABEL = r"(?:password|passwd|api[_-]?key|access[_-]?token|auth[_-]?token|client[_-]?secret)="
_LABEL_OF_URL = r"[?&](?:token|key|sig|signature|secret)="
_LABEL_OF_HEADER = r"authorization['\"]?\s*[:=]\s*['\"]?(?:bearer|basic)\s+"
_LABELLED = re.compile(rf"((?:[?&;\s'\"]|^){_LABEL}|{_LABEL_OF_URL}|{_LABEL_OF_HEADER})[^\s&;'\"\[\\]+", re.IGNORECASE)
_LABELLED_CUT = re.compile(rf"{_LABEL}|{_LABEL_OF_URL}|{_LABEL_OF_HEADER}", re.IGNORECASE)
_SHORTEST = 6
"""Values below this length are not masked: they would blank out ordinary words."""


def redact(text: str) -> str:
    """The text with every secret that is known or looks like one replaced by MASK."""
    for value in _secret_values(_environment()):
        text = text.replace(value, MASK)
    text = _URL_PASSWORD.sub(rf"\1:{MASK}@", _SHAPES.sub(MASK, text))
    return _LABELLED.sub(rf"\1{MASK}", text) if _has_label(text) else text


def redacted(value: Any) -> Any:
    """The same for plain data: every text in dicts and lists, keys too."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redacted(k): redacted(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [redacted(v) for v in value]
    return value


def may_hold_secret(text: str) -> bool:
    """False if `redact` would change no part of this text, however it is cut; much quicker than cutting it."""
    values = _secret_values(_environment())
    return (
        any(value in text for value in values)
        or _SHAPES_CUT.search(text) is not None
        or _URL_PASSWORD.search(text) is not None
        or (_has_label(text) and _LABELLED_CUT.search(text) is not None)
    )


def _environment() -> frozenset[tuple[str, str]]:
    """What the environment holds now. Its public view decodes every variable again, for every text."""
    raw: dict[bytes, bytes] | None = getattr(os.environ, "_data", None)
    return frozenset(os.environ.items()) if raw is None else _decoded(frozenset(raw.items()))


@lru_cache(maxsize=4)
def _decoded(raw: frozenset[tuple[bytes, bytes]]) -> frozenset[tuple[str, str]]:
    return frozenset((os.fsdecode(name), os.fsdecode(value)) for name, value in raw)


def _has_label(text: str) -> bool:
    lower = text.lower()
    return any(label in lower for label in _LABELS)


@lru_cache(maxsize=4)
def _secret_values(environment: frozenset[tuple[str, str]]) -> tuple[str, ...]:
    """Every way in which the secrets of the environment are written, the longest first."""
    found = {written for name, value in environment for secret in _secrets(name, value) for written in _written(secret)}
    return tuple(sorted(found, key=len, reverse=True))


def _secrets(name: str, value: str) -> Iterator[str]:
    """The value of a variable that is called like a secret, and the password of one that holds a URL."""
    from urllib.parse import unquote

    if _NAMES.search(name) and not _is_path(value):
        yield value
    for found in _URL_PASSWORD.finditer(value):
        yield found[2]
        yield unquote(found[2])


def _written(secret: str) -> Iterator[str]:
    """The secret as it stands in texts, in JSON (JSON in a string of JSON, too), in Python and in URLs."""
    import json
    from urllib.parse import quote, quote_plus

    secret = secret.strip()
    if len(secret) < _SHORTEST:
        return
    yield secret
    for ascii_only in (False, True):
        once = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        yield from (once, json.dumps(once, ensure_ascii=ascii_only)[1:-1])
    yield repr(secret)[1:-1]
    yield quote(secret, safe="", errors="surrogateescape")
    yield quote_plus(secret, errors="surrogateescape")


def _is_path(value: str) -> bool:
    """A file that holds a secret is none; but a secret may well begin with a slash."""
    try:
        return value.startswith("/") and Path(value).exists()
    except (OSError, ValueError):
        return False
