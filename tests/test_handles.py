from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.errors import HandleError
from agentkit.handles import Handle, handle_name


@pytest.mark.parametrize(
    ("text", "handle", "uri"),
    [
        ("model:churn/3", Handle("model", "churn", 3), "models:/churn/3"),
        ("model:churn", Handle("model", "churn"), "models:/churn/latest"),
        ("model:churn-2.x@best", Handle("model", "churn-2.x", alias="best"), "models:/churn-2.x@best"),
        (" model:churn/3 ", Handle("model", "churn", 3), "models:/churn/3"),
        ("models:/churn/3", Handle("model", "churn", 3), "models:/churn/3"),
        ("models:/churn/latest", Handle("model", "churn"), "models:/churn/latest"),
        ("models:/churn@best", Handle("model", "churn", alias="best"), "models:/churn@best"),
        (f"runs:/{'a1' * 16}/model", Handle("model", "", run="a1" * 16), f"runs:/{'a1' * 16}"),
    ],
)
def test_a_model_handle_is_read_and_has_an_mlflow_address(text: str, handle: Handle, uri: str) -> None:
    assert Handle.parse(text) == handle
    assert handle.model_uri == uri


@pytest.mark.parametrize(
    "text",
    ["", "churn", "model:", "model:/3", "model:churn/", "model:churn/x", "model:churn/1@best", "model:a b",
     "model:../x", "runs:/short", "models:/", "http://host/model", "table:ab/3",
     "model:churn/0", "model:churn/3\nmodel:x", "model:" + "a" * 101],
)  # fmt: skip
def test_what_is_no_handle_is_refused_with_the_right_form(text: str) -> None:
    with pytest.raises(HandleError, match=r"model:|only a model|'table:ab'"):
        Handle.parse(text)


def test_a_table_has_no_model_address() -> None:
    assert str(Handle.parse("table:ab12")) == "table:ab12"
    with pytest.raises(HandleError, match="does not name a model"):
        _ = Handle.parse("figure:loss").model_uri


_HANDLES = st.builds(
    Handle,
    st.just("model"),
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,99}", fullmatch=True),
    st.none() | st.integers(1, 999_999_999),
)


@given(_HANDLES)
def test_every_handle_survives_being_written_and_read(handle: Handle) -> None:
    assert Handle.parse(str(handle)) == handle
    assert Handle.parse(handle.model_uri) == handle


@given(st.text())
def test_any_text_makes_a_name_that_a_handle_can_carry(text: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.\-]*", handle_name(text))
    assert Handle.parse(f"model:{handle_name(text)}").name == handle_name(text)


def test_a_name_loses_its_accents_and_not_its_letters() -> None:
    assert handle_name("Städte été 1") == "Stadte_ete_1"
