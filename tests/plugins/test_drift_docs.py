"""docs/drift.md is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from agentkit_drift import thresholds

PAGE = Path(__file__).parent.parent.parent / "docs" / "drift.md"


def test_the_examples_print_what_the_page_shows(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    code = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, object] = {}
    for block in code:
        exec(block, names)
    assert capsys.readouterr().out == "".join(re.findall(r"```text\n(.*?)```", page, re.DOTALL))


def test_the_thresholds_of_the_page_are_those_of_the_code() -> None:
    table = dict(re.findall(r"^\| ([^|]+?) \| ([\d.]+ \| [\d.]+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    told = {
        "PSI": thresholds.PSI,
        "Jensen-Shannon": thresholds.JS,
        "Wasserstein, deviations": thresholds.WASSERSTEIN,
        "Kolmogorov-Smirnov": thresholds.KS,
        "difference of missing or infinite shares": thresholds.MISSING,
        "share outside of the range, or in new levels": thresholds.OUTSIDE,
        "share of unknown words, beyond what one half of the reference lacks of the other": thresholds.VOCABULARY,
        "classifier, lower end of AUC": thresholds.AUC,
    }
    assert table == {name: f"{limits['moderate']} | {limits['strong']}" for name, limits in told.items()}
