"""Keep secrets out of texts that are stored or shown: values of secret variables, passwords in URLs, key shapes."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path

MASK = "[secret]"
_NAMES = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|DATABASE_URL|_DSN)", re.IGNORECASE)
_SHAPES = re.compile(
    r"\b(?:sk-[\w-]{16,}|lsv2_\w{16,}|hf_\w{16,}|gh[pousr]_\w{20,}|AKIA\w{16}|eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]+)"
)
_URL_PASSWORD = re.compile(r"(\w[\w+.-]*://[^\s/:@]*):[^\s/]+@")
_SHORTEST = 6
"""Values below this length are not masked: they would blank out ordinary words."""


def redact(text: str) -> str:
    """The text with every secret that is known or looks like one replaced by MASK."""
    for value in _secret_values(frozenset(os.environ.items())):
        text = text.replace(value, MASK)
    return _URL_PASSWORD.sub(rf"\1:{MASK}@", _SHAPES.sub(MASK, text))


@lru_cache(maxsize=4)
def _secret_values(environment: frozenset[tuple[str, str]]) -> tuple[str, ...]:
    values = {
        value for name, value in environment if _NAMES.search(name) and len(value) >= _SHORTEST and not _is_path(value)
    }
    return tuple(sorted(values, key=len, reverse=True))


def _is_path(value: str) -> bool:
    """A file that holds a secret is none; but a secret may well begin with a slash."""
    try:
        return value.startswith("/") and Path(value).exists()
    except (OSError, ValueError):
        return False
