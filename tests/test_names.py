"""Names that are almost right."""

from __future__ import annotations

import pytest

from agentkit.names import meant

KNOWN = ["tumours.csv", "houses.csv", "houses_2025.csv", "sales_jan.csv", "sales_jun.csv", "house price", "a", "ab"]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("tumors.csv", "tumours.csv"),
        ("tumoours.csv", "tumours.csv"),
        ("huoses.csv", "houses.csv"),
        ("Houses.CSV", "houses.csv"),
        ("houses-2025.csv", "houses_2025.csv"),
        ("house_price", "house price"),
        ("houses_2026.csv", None),
        ("houses_225.csv", None),
        ("sales_jon.csv", None),
        ("sales_jn.csv", None),
        ("b", None),
        ("weather.csv", None),
        ("", None),
    ],
)
def test_only_a_slip_of_one_name_is_taken_for_it(name: str, found: str | None) -> None:
    assert meant(name, KNOWN) == found
