"""Whatever a model writes: no crash, no endless repair, and nothing more to repair in what was repaired."""

from __future__ import annotations

import re

from agentkit_sql.binder import bind
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sql.right_statements import PLAIN, POSTGRES, lines
from tests.sql.shop import shop
from tests.sql.test_binder import DIALECTS, KINDS, NAMES, SHAPE

_WORDS = re.findall(
    r"\S+",
    "SELECT FROM WHERE GROUP BY ORDER HAVING JOIN ON AS LEFT count( sum( max( ) , . * = < > / 0 1 'x' c o t1 customers "
    "orders products name city total id customer_id title foo DISTINCT LIMIT IN ( UNION WITH AND OR NOT",
)
_SHOP = shop()


@given(st.lists(st.sampled_from(_WORDS), max_size=25).map(" ".join))
@settings(max_examples=300, deadline=None)
def test_any_heap_of_words_is_bound_or_told(text: str) -> None:
    bound = bind(f"SELECT {text}", _SHOP)
    assert bound.sql or not text


@given(st.text(max_size=80))
@settings(max_examples=100, deadline=None)
def test_any_text_comes_back(text: str) -> None:
    bind(text, _SHOP)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_names_that_are_mixed_up_are_bound_or_told(data: st.DataObject) -> None:
    """Words of right statements in the places of others: the tree is whole, the names are wrong."""
    words = data.draw(st.sampled_from(lines(PLAIN, POSTGRES))).split()
    at = data.draw(st.integers(0, len(words) - 1))
    words[at] = data.draw(st.sampled_from(["name", "c.total", "orders", "title", "x.y", "products p"]))
    bind(" ".join(words), _SHOP)


def test_what_was_repaired_needs_no_repair() -> None:
    for wrong, _ in [*NAMES.values(), *SHAPE.values(), *KINDS.values(), *DIALECTS.values()]:
        once = bind(wrong, _SHOP).sql
        again = bind(once, _SHOP)
        assert again.repairs == (), (wrong, once, again)
