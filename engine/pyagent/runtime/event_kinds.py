"""The schema of the event stream: every kind of event, when it is told, and what its `data` holds.

docs/reference/events.md and events.schema.json are made of this table, and the tests hold every event that they see
told against it. `EVENTS_VERSION` goes up when a kind or a field goes or changes its meaning; new kinds and new fields
leave it as it is, so a reader passes over what it does not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

EVENTS_VERSION = 1
"""Stands in every event, as `version`, wherever it is read."""
Type = Literal["text", "texts", "count", "seconds", "fraction", "flag", "object", "error", "counts", "any"]
_TYPES: Mapping[Type, Mapping[str, Any]] = {
    "text": {"type": "string"},
    "texts": {"type": "array", "items": {"type": "string"}},
    "count": {"type": "integer", "minimum": 0},
    "seconds": {"type": "number", "minimum": 0},
    "fraction": {"type": "number", "minimum": 0, "maximum": 1},
    "flag": {"type": "boolean"},
    "object": {"type": "object"},
    "error": {
        "type": "object",
        "required": ["code", "message"],
        "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
    },
    "counts": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}},
    "any": {},
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """A field of an event's data."""

    type: Type
    text: str = ""
    """What it is, where its name does not say it."""
    optional: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class EventKind:
    """A kind of event."""

    kind: str
    when: str
    data: Mapping[str, Field] = field(default_factory=dict[str, Field])
    more: bool = False
    """Whether the data may hold fields that nobody has declared."""


def _kind(kind: str, when: str, /, *, more: bool = False, **data: Field) -> EventKind:
    return EventKind(kind=kind, when=when, data=data, more=more)


_ACTOR = Field(type="text", text="who asked for it")
_ATTEMPT = Field(type="count", text="the try's number, from 1")
_ERROR = Field(type="error")
_ITEMS = Field(type="counts", text="items put out, by port")

EVENT_KINDS: tuple[EventKind, ...] = (
    _kind(
        "run.queued",
        "a run was made",
        graph=Field(type="text", text="the graph's id"),
        actor=Field(type="text", text="who, or what trigger, started it"),
        continues=Field(type="text", text="the run that it is the successor of", optional=True),
    ),
    _kind(
        "run.forked",
        "a run was made from another one, to begin again at `step`",
        source=Field(type="text", text="that run"),
        actor=_ACTOR,
    ),
    _kind(
        "run.imported",
        "it came here in a file, to be looked at and never to be executed; what was before it happened elsewhere",
        status=Field(type="text", text="how it stood when it was exported"),
        actor=_ACTOR,
    ),
    _kind("run.started", "its first worker began", graph=Field(type="text", text="the graph's id")),
    _kind(
        "run.adopted",
        "another worker took it over from one that died",
        owner=Field(type="text", text="the worker"),
    ),
    _kind("run.pausing", "a pause was asked for", actor=_ACTOR),
    _kind("run.paused", "nothing runs any more"),
    _kind("run.resumed", "it goes on after a pause, a failure or a cancel", actor=_ACTOR),
    _kind("run.waiting", "nothing can go on before somebody or a timer answers", steps=Field(type="texts")),
    _kind(
        "run.cancelling",
        "a stop was asked for",
        reason=Field(type="text"),
        actor=_ACTOR,
        at=Field(type="text", text="when, RFC 3339"),
    ),
    _kind("run.cancelled", "it has ended so", reason=Field(type="text"), actor=Field(type="text", optional=True)),
    _kind("run.completed", "it has ended well", outputs=Field(type="object")),
    _kind(
        "run.continued", "it ends here and begins anew (`flow.restart`)", run=Field(type="text", text="the successor")
    ),
    _kind("run.failed", "it has ended badly", error=_ERROR, reason=Field(type="text", optional=True)),
    _kind("run.on_failure_failed", "the graph that `settings.on_failure` names could not be started", error=_ERROR),
    _kind("step.started", "a try began", attempt=_ATTEMPT, items=Field(type="count", text="items that it was given")),
    _kind(
        "step.log",
        "the node says something",
        more=True,
        message=Field(type="text"),
        level=Field(type="text", text="`debug`, `info`, `warning` or `error`"),
    ),
    _kind(
        "step.progress",
        "the node says how far it is",
        message=Field(type="text"),
        fraction=Field(type="fraction", optional=True),
    ),
    _kind("step.token", "a piece of streamed output", text=Field(type="text")),
    _kind(
        "step.retrying",
        "a try failed and another follows",
        error=_ERROR,
        attempt=_ATTEMPT,
        delay=Field(type="seconds", text="seconds until then"),
    ),
    _kind(
        "step.expanded",
        "a map or a call began its inner steps",
        into=Field(type="text", text="`map` or `call`"),
        elements=Field(type="count"),
    ),
    _kind("step.waiting", "it is parked", wait=Field(type="object", text="what it waits for: `kind` and more")),
    _kind("step.answered", "what it waited for came", answer=Field(type="object")),
    _kind(
        "step.answer_ignored",
        "an answer came for a step that does not wait for it",
        actor=_ACTOR,
        error=Field(type="error", optional=True),
    ),
    _kind(
        "step.unknown",
        "nobody knows whether its `once` try took place",
        reason=Field(type="text"),
        policy=Field(type="text", text="its `on_unknown`"),
    ),
    _kind(
        "step.resolved",
        "somebody settled that",
        how=Field(type="text", text="`done`, `retry` or `failed`"),
        actor=_ACTOR,
    ),
    _kind(
        "step.completed",
        "it ended",
        items=_ITEMS,
        seconds=Field(type="seconds", text="since its first try in this worker began", optional=True),
        attempt=Field(type="count", optional=True),
    ),
    _kind(
        "step.failed",
        "its tries are used up",
        error=Field(type="error", optional=True),
        handled=Field(type="flag", text="whether its `on_error` makes something of that", optional=True),
        items=_ITEMS,
        attempt=Field(type="count", optional=True),
    ),
    _kind(
        "step.cancelled",
        "it was stopped",
        reason=Field(type="text", optional=True),
        unknown=Field(type="flag", text="in the middle of a `once` try", optional=True),
        items=Field(type="counts", optional=True),
    ),
    _kind("step.skipped", "nothing came to it"),
)
"""What the store keeps, in the order of a run's life."""

NOTICES: tuple[EventKind, ...] = (
    _kind("stream.alive", "nothing has happened for a while"),
    _kind(
        "stream.forgotten",
        "events that the reader has not seen are not kept any more; the stream goes on after this cursor",
        after=Field(type="count", text="the cursor that the reader gave"),
    ),
    _kind("stream.stopping", "the server is about to stop; come back with the last cursor"),
    _kind("stream.error", "the stream cannot go on", error=_ERROR),
)
"""What a stream says of itself (`stream.alive` by WebSocket only). They are kept nowhere, and
their cursor is the last one that was told."""


def data_schema(kind: EventKind) -> dict[str, Any]:
    """JSON Schema of a kind's data."""
    properties = {
        name: {**_TYPES[each.type], **({"description": each.text} if each.text else {})}
        for name, each in kind.data.items()
    }
    required = [name for name, each in kind.data.items() if not each.optional]
    return {"type": "object", "properties": properties, "required": required}


def event_schema() -> dict[str, Any]:
    """JSON Schema of an event as every door gives it: API, SSE, WebSocket and `--json`.

    As a reader should see it: fields that are not declared may come, and kinds too.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "An event of PyAgent",
        "description": f"Version {EVENTS_VERSION}; new kinds and fields may come without a new version.",
        "type": "object",
        "required": ["version", "cursor", "run_id", "kind", "step", "at", "data"],
        "properties": {
            "version": {"const": EVENTS_VERSION},
            "cursor": {"type": "integer", "minimum": 0, "description": "Its place in the stream over all runs"},
            "run_id": {"type": "string", "description": "Empty for what the stream says of itself"},
            "kind": {"type": "string"},
            "step": {"type": "string", "description": "Empty for events about the run"},
            "at": {"type": "string", "format": "date-time"},
            "data": {"type": "object"},
        },
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": each.kind}}, "required": ["kind"]},
                "then": {"properties": {"data": data_schema(each)}, "description": each.when},
            }
            for each in (*EVENT_KINDS, *NOTICES)
        ],
    }


def undeclared(kind: str, data: Mapping[str, Any]) -> list[str]:
    """What of an event the table does not know: its kind, or fields of its data."""
    found = next((each for each in EVENT_KINDS if each.kind == kind), None)
    if found is None:
        return [kind]
    return [] if found.more else [f"{kind}.{name}" for name in data if name not in found.data]


__all__ = [
    "EVENTS_VERSION",
    "EVENT_KINDS",
    "NOTICES",
    "EventKind",
    "Field",
    "data_schema",
    "event_schema",
    "undeclared",
]
