"""Parameter types that nodes share, and fields of JSON by dotted paths."""

from __future__ import annotations

import copy
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter, ValidationError

from pyagent.sdk import NodeParams
from pyagent.sdk.fields import (
    LITERAL,
    MISSING,
    DurationOrSeconds,
    literal_fields,
    read_field,
    split_path,
    with_field,
    without_field,
)

names = st.text(min_size=1, max_size=5).filter(lambda name: "\\" not in name)
paths = st.lists(names, min_size=1, max_size=4)
objects = st.dictionaries(
    names,
    st.recursive(
        st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(names, inner), max_leaves=8
    ),
)


def joined(parts: list[str]) -> str:
    return ".".join(part.replace(".", "\\.") for part in parts)


@given(paths)
def test_a_path_gives_back_the_names_it_was_made_of(parts):
    assert split_path(joined(parts)) == tuple(parts)


@given(objects, paths, st.integers())
def test_a_field_that_was_set_is_read_back_and_nothing_given_is_changed(json, parts, value):
    before = copy.deepcopy(json)
    try:
        changed = with_field(json, joined(parts), value)
    except ValueError:
        changed = json  # the path leads through a number
    else:
        assert read_field(changed, joined(parts)) == value
        assert read_field(without_field(changed, joined(parts[:1])), joined(parts)) is MISSING
    assert json == before


def test_null_is_there_and_what_is_not_there_is_missing():
    json = {"a": None, "l": [1, {"b": 2}]}
    assert read_field(json, "a") is None
    assert read_field(json, "l.1.b") == 2
    for path in ("b", "a.b", "l.2", "l.-1", "l.x", "l.0.b"):
        assert read_field(json, path) is MISSING
        assert without_field(json, path) is json
    assert read_field(json, "b", 5) == 5


def test_what_does_not_change_is_shared():
    json = {"a": {"x": 1}, "b": {"y": 1}}
    assert with_field(json, "a.x", 2)["b"] is json["b"]


def test_a_path_through_a_text_is_an_error_that_names_both():
    with pytest.raises(ValueError, match=r"a\.b: 'text' has no field 'b'"):
        with_field({"a": "text"}, "a.b", 1)


def test_parameters_that_are_no_templates_are_known_by_their_names_in_the_file():
    class Params(NodeParams):
        code: str = Field("", json_schema_extra=LITERAL)
        from_: str = Field("", alias="from", json_schema_extra=LITERAL)
        text: str = ""

    assert literal_fields(Params) == {"code", "from"}
    assert Params.model_json_schema()["properties"]["code"]["expressions"] is False


@pytest.mark.parametrize(("written", "seconds"), [("15m", 900), ("1h30m", 5400), (900, 900), (2.5, 2.5), ("900", 900)])
def test_a_number_where_a_duration_may_stand_counts_seconds(written, seconds):
    assert TypeAdapter(DurationOrSeconds).validate_python(written) == timedelta(seconds=seconds)


@pytest.mark.parametrize("written", ["soon", "", True, None, float("nan"), 1e30, [1]])
def test_what_is_neither_duration_nor_seconds_is_refused(written):
    with pytest.raises(ValidationError):
        TypeAdapter(DurationOrSeconds).validate_python(written)
