"""Orders that a person would see in the levels of a category: a small vocabulary, and numbers in front."""

from __future__ import annotations

import re
from collections.abc import Sequence

# from low to high; words at one place mean the same, no word stands twice in one scale
_SCALES = (
    "very low|lowest, low, medium|moderate|normal|average|mid|middle, high, very high|highest",
    "none|no, mild|minor|slight|light, moderate|medium, severe|major|serious, extreme|critical|very severe",
    "very poor|very bad, poor|bad, fair, average|ok|okay|typical, good, very good, premium|excellent|great, ideal",
    "terrible|awful, bad, neutral|ok, good, great|excellent",
    "po, fa, ta, gd, ex",
    "i3, i2, i1, si2, si1, vs2, vs1, vvs2, vvs1, if",
    "3xs|xxxs, xxs|2xs, xs, s, m, l, xl, xxl|2xl, xxxl|3xl, xxxxl|4xl",
    "tiny, extra small|very small, small, medium|mid|middle, large|big, extra large|very large, huge",
    "never, rarely|seldom, sometimes|occasionally, often|frequently, usually, always",
    "never, yearly|annually, quarterly, monthly, weekly, daily, hourly",
    "strongly disagree, disagree, neutral|neither agree nor disagree|undecided, agree, strongly agree",
    "very dissatisfied|very unsatisfied, dissatisfied|unsatisfied, neutral, satisfied, very satisfied",
    "very unlikely, unlikely, neutral|possible, likely, very likely",
    "monday, tuesday, wednesday, thursday, friday, saturday, sunday",
    "mon, tue, wed, thu, fri, sat, sun",
    "january, february, march, april, may, june, july, august, september, october, november, december",
    "jan, feb, mar, apr, may, jun, jul, aug, sep|sept, oct, nov, dec",
    "bronze, silver, gold, platinum, diamond",
    "free, basic|starter, standard|plus, premium|pro|professional, enterprise",
    "beginner|novice, intermediate, advanced, expert",
    "intern|trainee, junior, mid|middle, senior, lead|principal",
    "none|no formal education, primary|elementary, secondary|high school, tertiary|university",
    "below college|high school, college|some college, bachelor|bachelors, master|masters, doctor|doctorate|phd",
    "freezing, cold, cool, mild|warm, hot",
    "very slow, slow, medium|normal, fast, very fast",
    "very weak, weak, medium|moderate, strong, very strong",
    "new, recent, old, very old",
    "low risk, medium risk, high risk",
    "info, low, medium, high, critical",
    "debug, info, warning|warn, error, critical|fatal",
)
_NUMBER = re.compile(r"(?<![\w.])[$€£]?(-?\d+(?:,\d{3})*(?:\.\d+)?)(?:st|nd|rd|th)?\s*([km](?![a-z]))?%?")
_RANGE = re.compile(
    r"[-–—~<>=≤≥+()\[\]$€£%]|,\s|\b(to|and|over|under|less|more|than|plus|up|above|below|or|at|least|most|from)\b"
)
_RANKED = re.compile(r"(grade|level|stage|class|quarter|q|year|tier|rank|phase|step|degree|round)[\s_.]*(?=\d)")
_BELOW = re.compile(r"^(<|≤|(under|less|below|up to|at most)\b)")
_ABOVE = re.compile(r"^(>|≥|(over|more|above|at least)\b)|\+|\bplus\b|\bor more\b|\band (over|above)\b")


def _parsed(scale: str) -> dict[str, int]:
    return {word: place for place, same in enumerate(scale.split(", ")) for word in same.split("|")}


_PLACES = [_parsed(scale) for scale in _SCALES]


def ordered_levels(levels: Sequence[str]) -> list[str]:
    """The levels from low to high if all of them stand on one known scale or begin with numbers; else none.

    At least three levels are needed: two have no order that matters to a model.
    """
    if len(levels) < 3:
        return []
    words = {level: re.sub(r"[\s_\-]+", " ", level).strip().casefold() for level in levels}
    for places in _PLACES:
        found = [places.get(word) for word in words.values()]
        if None not in found and len(set(found)) == len(levels):
            return sorted(levels, key=lambda level: places[words[level]])
    return _by_number(levels)


def _by_number(levels: Sequence[str]) -> list[str]:
    """Levels such as '1-5', '6-10', '11+' or '< 1 year', '1 year', '2 years', by what they begin at.

    The number must come first, or after a word such as 'grade': 'store 7' is a name.
    """
    keys: dict[str, tuple[float, int, float]] = {}
    units: set[str] = set()
    for level in levels:
        text = _RANKED.sub("", level.strip().casefold())
        numbers = list(_NUMBER.finditer(text))
        if not numbers or len(numbers) > 2 or _RANGE.sub("", text[: numbers[0].start()]).strip():
            return []
        rest = _RANGE.sub(" ", _NUMBER.sub(" ", text)).strip()
        if any(c.isdigit() for c in rest):
            return []
        units.add(rest.removesuffix("s"))
        side = -1 if _BELOW.search(text) else 1 if _ABOVE.search(text) else 0
        values = [_value(*match.groups()) for match in numbers]
        keys[level] = (values[0], side, values[-1])
    if len(units - {""}) > 1 or len(set(keys.values())) < len(levels):
        return []
    return sorted(levels, key=lambda level: keys[level])


def _value(digits: str, thousands: str | None) -> float:
    return float(digits.replace(",", "")) * {"k": 1e3, "m": 1e6, "": 1.0}[thousands or ""]
