"""No secret reaches a log, a trace or a screen; ordinary words stay."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.redaction import MASK, redact


@pytest.mark.parametrize(
    "variable",
    ["OPENAI_API_KEY", "MY_TOKEN", "db_password", "AGENTKIT_DATABASE_URL", "SENTRY_DSN", "AWS_SECRET_ACCESS_KEY"],
)
def test_the_value_of_a_secret_variable_is_masked(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "correct-horse")
    assert redact("got 'correct-horse' and correct-horse!") == f"got '{MASK}' and {MASK}!"


def test_a_secret_that_begins_like_a_path_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "/bPxRfiCYEXAMPLEKEYwJalr")
    assert redact("key /bPxRfiCYEXAMPLEKEYwJalr refused") == f"key {MASK} refused"


def test_the_longer_of_two_secrets_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_TOKEN", "horsepower")
    monkeypatch.setenv("B_TOKEN", "horsepower-and-more")
    assert redact("horsepower-and-more") == MASK


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdefghijklmnop1234",
        "sk-ant-api03-abcdefghijklmnop",
        "lsv2_pt_0123456789abcdef",
        "hf_abcdefghijklmnopqrst",
        "ghp_abcdefghijklmnopqrst",
        "AKIAIOSFODNN7EXAMPLE",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-DEF_123",
    ],
)
def test_what_looks_like_a_key_is_masked(secret: str) -> None:
    assert redact(f"Authorization: Bearer {secret}, next") == f"Authorization: Bearer {MASK}, next"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("postgresql://bob:hunter2@db/shop", f"postgresql://bob:{MASK}@db/shop"),
        ("postgresql+psycopg://bob:p@ss:w@db:5432/shop", f"postgresql+psycopg://bob:{MASK}@db:5432/shop"),
        ("redis://:hunter2@cache", f"redis://:{MASK}@cache"),
        ("at http://host:8080/v1 and mail a@b.example", "at http://host:8080/v1 and mail a@b.example"),
        ("postgresql://bob@db/shop", "postgresql://bob@db/shop"),
    ],
)
def test_passwords_in_urls_are_masked_and_the_rest_stays(text: str, masked: str) -> None:
    assert redact(text) == masked


def test_ordinary_values_are_not_blanked_out(monkeypatch: pytest.MonkeyPatch, workspace: Path) -> None:
    key_file = workspace / "key.pem"
    key_file.touch()
    monkeypatch.setenv("TLS_KEY_FILE", str(key_file))
    monkeypatch.setenv("SHORT_KEY", "data")
    monkeypatch.setenv("EDITOR", "emacs-28")
    text = f"the data in {key_file} was read by emacs-28; task-force, risk-averse-and-more"
    assert redact(text) == text


@given(st.text(alphabet=st.characters(exclude_characters=":@/"), max_size=60))
def test_a_text_without_secrets_stays_as_it_is(text: str) -> None:
    if "sk-" not in text and "eyJ" not in text:
        assert redact(text) == text


@given(before=st.text(max_size=20), after=st.text(max_size=20))
def test_a_secret_is_found_wherever_it_stands(before: str, after: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MY_TOKEN", "correct-horse-battery")
        assert "correct-horse-battery" not in redact(f"{before}correct-horse-battery{after}")
