"""Figures of answers, held against results."""

from __future__ import annotations

import pytest

from agentkit.figures import tells_figure, unknown_figures


@pytest.mark.parametrize(
    ("text", "told"),
    [("0.875", True), ("0.88", True), ("0.9", True), ("87.5 %", True), ("88%", True), ("0.86", False), ("none", False)],
)
def test_a_figure_may_be_rounded_or_in_per_cent(text: str, told: bool) -> None:
    assert tells_figure(text, "RMSE 0.875") is told


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("RMSE 10,117 on 60 rows of houses_2025.csv", []),
        ("It is 0.987, about 0.99 or 98.7%.", []),
        ("It is 0.912, not 0.987.", ["0.912"]),
        ("The 3 columns of model:houses/1 and version 1.4.2", []),
        ("1,250 rows and 0.5, again 0.5", ["1,250", "0.5"]),
        ("An R2 of -0.3", ["-0.3"]),
    ],
)
def test_figures_that_no_source_says_are_found(text: str, unknown: list[str]) -> None:
    assert unknown_figures(text, "RMSE 10,117, R2 0.987 on 60 rows of houses_2025.csv") == unknown
