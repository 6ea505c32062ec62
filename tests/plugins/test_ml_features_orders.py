"""Orders that levels of a category have, recognised or not."""

from __future__ import annotations

import numpy as np
import pytest
from agentkit_ml.features.orders import _SCALES, ordered_levels


@pytest.mark.parametrize(
    "levels",
    [
        ["low", "medium", "high"],
        ["Very Low", "Low", "Moderate", "High", "Very_High"],
        ["Fair", "Good", "Very Good", "Premium", "Ideal"],
        ["I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF"],
        ["XS", "S", "M", "L", "XL", "2XL"],
        ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
        ["January", "March", "April", "December"],
        ["never", "rarely", "sometimes", "often", "always"],
        ["strongly disagree", "disagree", "neutral", "agree", "strongly agree"],
        ["bronze", "silver", "gold"],
        ["Po", "Fa", "TA", "Gd", "Ex"],
        ["1-5", "6-10", "11-20", "21+"],
        ["< 1 year", "1 year", "2 years", "9 years", "10+ years"],
        ["under 18", "18-25", "26 to 40", "over 40"],
        ["0", "1-4,999", "5,000-9,999", "10,000+"],
        ["<$10k", "$10k-$20k", "$20k-$1m", ">$1m"],
        ["(-1.5, 0.0]", "(0.0, 2.5]", "(2.5, 10.0]"],
        ["1st", "2nd", "3rd", "10th"],
        ["Grade 1", "Grade 2", "Grade 10"],
        ["Q1", "Q2", "Q3", "Q4"],
        ["0%", "5%", "50%"],
    ],
)
def test_levels_that_have_an_order_are_put_into_it(levels: list[str]) -> None:
    shuffled = [levels[i] for i in np.random.default_rng(1).permutation(len(levels))]
    assert ordered_levels(shuffled) == levels


@pytest.mark.parametrize(
    "levels",
    [
        [],
        ["low", "high"],
        ["red", "green", "blue"],
        ["low", "medium", "purple"],
        ["store 1", "store 2", "store 3"],
        ["town1", "town2", "town3"],
        ["12 Main Street", "3 High Street", "8 Oak Avenue"],
        ["1 kg", "2 kg", "3 miles"],
        ["192.168.0.1", "192.168.0.2", "192.168.0.3"],
        ["1.0.1", "1.0.2", "2.0.0"],
        ["555-123-4567", "555-123-4568", "555-123-4569"],
        ["medium", "mid", "high"],
        ["mon", "tuesday", "wed"],
        ["A", "B", "C"],
        ["5-1", "5 to 1", "6"],
    ],
)
def test_levels_without_a_known_order_are_left_alone(levels: list[str]) -> None:
    assert ordered_levels(levels) == []


def test_no_word_stands_twice_in_one_scale() -> None:
    for scale in _SCALES:
        words = scale.replace("|", ", ").split(", ")
        assert len(words) == len(set(words)), scale
