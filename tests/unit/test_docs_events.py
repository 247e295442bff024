"""The schema of the event stream knows every kind that the engine tells, and every door gives events as it says."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from pyagent.cli.progress import event_data
from pyagent.runtime.event_kinds import EVENT_KINDS, NOTICES, event_schema, undeclared
from pyagent.runtime.journal import event
from pyagent.server.events import notice
from pyagent.server.shapes import EventView
from pyagent.store.base import Event

ROOT = Path(__file__).parents[2]


def told(kind: str = "step.progress", **data: Any) -> Event:
    return Event(cursor=7, run_id="r", kind=kind, step="a@1", at=datetime(2026, 1, 1, tzinfo=UTC), data=data)


def test_every_kind_of_event_that_the_engine_tells_is_declared_and_no_other() -> None:
    found: set[str] = set()
    for path in (ROOT / "engine/pyagent/runtime").rglob("*.py"):
        if path.name != "event_kinds.py":
            found |= set(
                re.findall(r"(?:event\(|_say\(|kind=)\"((?:run|step)\.[a-z_]+)\"", path.read_text(encoding="utf-8"))
            )
    found |= {"run.cancelled", "step.failed", "step.completed"}  # made of a status

    assert {each.kind for each in EVENT_KINDS} == found


def test_every_kind_and_field_stands_in_the_reference() -> None:
    page = (ROOT / "docs/reference/events.md").read_text(encoding="utf-8")
    for each in (*EVENT_KINDS, *NOTICES):
        (row,) = (line for line in page.splitlines() if line.startswith(f"| `{each.kind}` |"))
        assert all(f"`{name}{'?' if field.optional else ''}`" in row for name, field in each.data.items())


@pytest.mark.parametrize("door", ["API", "SSE", "WebSocket", "--json"])
def test_every_door_gives_an_event_as_the_schema_says(door: str) -> None:
    event = told(message="half", fraction=0.5)
    shown = event_data(event) if door == "--json" else json.loads(EventView.of(event).model_dump_json())
    jsonschema_rs.validator_for(event_schema()).validate(shown)
    assert shown["version"] == 1


def test_what_a_stream_says_of_itself_is_an_event_too() -> None:
    samples = {"error": {"code": "a.b", "message": "broken"}, "after": 2}
    for each in NOTICES:
        said = notice(each.kind, 3, **{name: samples[name] for name in each.data})
        jsonschema_rs.validator_for(event_schema()).validate(json.loads(said.model_dump_json()))


@pytest.mark.parametrize(
    "wrong",
    [
        told(message="no fraction", fraction=2),
        told("run.failed", error={"message": "no code"}),
        told("step.started", attempt="first", items=1),
        told("step.completed"),
    ],
)
def test_an_event_that_is_not_as_declared_does_not_fit(wrong: Event) -> None:
    assert not jsonschema_rs.validator_for(event_schema()).is_valid(event_data(wrong))


def test_a_reader_passes_over_what_it_does_not_know() -> None:
    newer = {**event_data(told("step.dreamt", of="sheep")), "more": 1}
    jsonschema_rs.validator_for(event_schema()).validate(newer)
    assert undeclared("step.dreamt", {}) == ["step.dreamt"]
    assert undeclared("step.token", {"text": "", "more": 1}) == ["step.token.more"]


def test_the_tests_hold_every_event_that_the_engine_makes_against_the_schema() -> None:
    with pytest.raises(AssertionError, match="dreamt"):
        event("step.dreamt")
    with pytest.raises(AssertionError, match="colour"):
        event("step.token", "a", text="x", colour="red")
    with pytest.raises(jsonschema_rs.ValidationError):
        event("step.token", "a", text=1)
