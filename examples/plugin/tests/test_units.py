"""The plugin's own tests: the tool alone, and in an agent whose model is scripted."""

from __future__ import annotations

from pathlib import Path

import agentkit_units
import pytest

from agentkit import Agent, load_settings
from agentkit.errors import BadInput
from agentkit.testing import ScriptedChatModel, call, check_plugin


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def agent(to: str) -> Agent:
    model = ScriptedChatModel(script=[call("convert_units", value=212, unit="degF", to=to), "Done."])
    return Agent(model, plugins=[agentkit_units], settings=load_settings(plugins={"enabled": []}))


def test_the_plugin_conforms() -> None:
    check_plugin(agentkit_units, calls={"convert_units": {"value": 1, "unit": "ft", "to": "m"}})


@pytest.mark.parametrize(
    ("value", "unit", "to", "expected"),
    [(1, "mi", "km", 1.609344), (212, "degF", "degC", 100), (0, "degC", "K", 273.15), (90, "min", "h", 1.5)],
)
def test_numbers_are_converted(value: float, unit: str, to: str, expected: float) -> None:
    with agent("K") as units:
        assert units.call("convert_units", value=value, unit=unit, to=to).value == pytest.approx(expected)


def test_units_of_different_kinds_are_refused() -> None:
    with agent("K") as units, pytest.raises(BadInput, match="'m' is a length and 'kg' a mass"):
        units.call("convert_units", value=1, unit="m", to="kg")


def test_the_agent_reads_the_result() -> None:
    with agent("degC") as units:
        assert units.ask("How hot is that?").tool_calls[0].result == "212 degF is 100 degC."


def test_the_review_keeps_to_si_units(tmp_path: Path) -> None:
    (tmp_path / "agentkit.toml").write_text("[units]\nsi_only = true\n")
    with agent("degC") as units:
        refused = units.ask("How hot is that?").tool_calls[0]
    assert refused.status == "error"
    assert "si_only allows m, kg, s, K, not degC" in refused.result
    with agent("K") as units:
        assert units.ask("How hot is that?").tool_calls[0].status == "success"
