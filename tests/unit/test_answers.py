"""Answers are checked against what was asked for."""

from __future__ import annotations

from typing import Any

import pytest

from pyagent.errors import InputError
from pyagent.runtime.answers import checked_answer, schema_problems

SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "day": {"type": "string", "format": "date"},
        "count": {"type": "integer", "minimum": 1, "default": 2},
        "kind": {"enum": ["a", "b"]},
    },
    "required": ["name"],
    "additionalProperties": False,
}


def test_an_answer_that_fits_gets_the_defaults() -> None:
    assert checked_answer("ask", {"kind": "form", "response_schema": SCHEMA}, {"name": "x"}) == {
        "name": "x",
        "count": 2,
    }


@pytest.mark.parametrize(
    ("value", "field", "message"),
    [
        ({}, "name", "is needed"),
        ({"name": ""}, "name", "is needed"),
        ({"name": "x", "count": 0}, "count", "must be 1 or more"),
        ({"name": "x", "count": "1"}, "count", "must be an integer"),
        ({"name": "x", "day": "2026-02-30"}, "day", "is no date"),
        ({"name": "x", "kind": "c"}, "kind", "must be one of a, b"),
    ],
)
def test_what_does_not_fit_is_told_by_its_field(value: Any, field: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        checked_answer("ask", {"kind": "form", "response_schema": SCHEMA}, value)
    assert caught.value.code == "run.answer"
    assert caught.value.details["problems"] == [{"field": field, "message": message}]


def test_problems_come_in_the_order_of_the_fields() -> None:
    found = schema_problems(SCHEMA, {"kind": "c", "count": 0})
    assert [problem["field"] for problem in found] == ["name", "count", "kind"]


def test_an_approval_may_be_just_yes_or_no() -> None:
    assert checked_answer("ask", {"kind": "approval"}, True) == {"approved": True}


def test_without_a_schema_anything_that_json_can_hold_is_an_answer() -> None:
    assert checked_answer("ask", {"kind": "form"}, [1]) == [1]
    with pytest.raises(InputError):
        checked_answer("ask", {"kind": "form"}, {1, 2})


@pytest.mark.parametrize("schema", [{"type": "nonsense"}, {"pattern": "("}, {"$ref": "http://nowhere.example/x"}])
def test_a_schema_that_cannot_be_used_is_told_as_the_questions_fault(schema: dict[str, Any]) -> None:
    [problem] = schema_problems(schema, "text")
    assert "the question itself is broken" in problem["message"]


@pytest.mark.parametrize(
    ("wait", "value", "message", "hint"),
    [
        (
            {"kind": "form", "response_schema": {**SCHEMA, "additionalProperties": False}},
            {"name": "x", "approved": True},
            "there is no field `approved`",
            "pyagent answer RUN",
        ),
        (
            {"kind": "approval", "response_schema": {"required": ["approved"]}},
            {},
            "approved: is needed",
            "pyagent approve RUN",
        ),
    ],
)
def test_an_answer_of_the_wrong_kind_is_told_how_to_answer_this_one(
    wait: dict[str, Any], value: Any, message: str, hint: str
) -> None:
    with pytest.raises(InputError) as caught:
        checked_answer("ask", wait, value)
    assert message in caught.value.message
    assert hint in caught.value.hint
