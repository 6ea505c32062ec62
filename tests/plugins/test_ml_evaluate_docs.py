"""docs/ml-evaluation.md is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent.parent / "docs" / "ml-evaluation.md"


def test_the_example_of_assess_prints_what_the_page_shows(capsys: pytest.CaptureFixture[str]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    code, shown = (re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)[-1] for language in ("python", "text"))
    exec(code, {})
    assert capsys.readouterr().out == shown


def test_every_figure_is_there() -> None:
    named = re.findall(r'src="(.*?)"', PAGE.read_text(encoding="utf-8"))
    assert len(named) >= 10
    assert [n for n in named if not (PAGE.parent / n).is_file()] == []
