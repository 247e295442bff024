"""What requests and timers mean for a run: from messages to log entries. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from pyagent.errors import PyAgentError
from pyagent.runtime.journal import event
from pyagent.runtime.log import Entry, StepKey, decode, timestamp
from pyagent.runtime.override import given_outputs
from pyagent.runtime.state import RunState
from pyagent.store.base import Message, NewEvent


@dataclass(frozen=True, slots=True)
class Understood:
    """What a message becomes. It is consumed, also when nothing follows from it."""

    entries: list[Entry] = field(default_factory=list[Entry])
    events: list[NewEvent] = field(default_factory=list[NewEvent])


def understand(state: RunState, message: Message) -> Understood | None:
    """The entries that record a message; None leaves it for later, as a signal that comes before its wait."""
    at = timestamp(message.at.astimezone(UTC))
    body = decode(message.body)
    match message.kind:
        case "cancel":
            if state.ending:
                return Understood()
            asked = cast("dict[str, Any]", body or {})
            data: dict[str, Any] = {"reason": asked.get("reason", ""), "actor": message.actor, "at": at}
            return Understood([Entry("run.cancel", None, data)], [event("run.cancelling", **data)])
        case "pause":
            if state.ending or state.paused:
                return Understood()
            data = {"actor": message.actor, "at": at}
            return Understood([Entry("run.pause", None, data)], [event("run.pausing", actor=message.actor)])
        case "resume":
            retry = state.failure is not None or state.cancelled is not None or state.ended is not None
            if state.ended is not None and state.ended["status"] == "completed":
                return Understood()
            data = {"actor": message.actor, "at": at, **({"retry": True} if retry else {})}
            return Understood([Entry("run.resume", None, data)], [event("run.resumed", actor=message.actor)])
        case "signal":
            return _signal(state, message, body, at)
        case "answer":
            return _answer(state, message, body, at)
        case "resolve":
            return _resolve(state, message, body, at)
        case "drain":
            return Understood()


def _signal(state: RunState, message: Message, body: Any, at: str) -> Understood | None:
    for key, wait in state.parked.items():
        if wait["kind"] != "signal" or wait.get("name", "") != message.name:
            continue
        if wait.get("key", "") != message.key:
            continue
        answer = {"kind": "signal", "value": body, "actor": message.actor, "at": at}
        told = event("step.answered", str(key), answer=answer)
        return Understood([Entry("step.answered", key, {"answer": answer})], [told])
    return None if not state.ending else Understood()


def _answer(state: RunState, message: Message, body: Any, at: str) -> Understood:
    key = StepKey.parse(message.step)
    wait = state.parked.get(key)
    if wait is None or wait["kind"] not in ("approval", "form", "webhook"):
        return Understood([], [event("step.answer_ignored", message.step, actor=message.actor)])
    answer = {"kind": wait["kind"], "value": body, "actor": message.actor, "at": at, "seen": wait.get("prompt")}
    return Understood(
        [Entry("step.answered", key, {"answer": answer})], [event("step.answered", message.step, answer=answer)]
    )


def _resolve(state: RunState, message: Message, body: dict[str, Any], at: str) -> Understood:
    key = StepKey.parse(message.step)
    wait = state.parked.get(key)
    if wait is None or wait["kind"] != "unknown":
        return Understood([], [event("step.answer_ignored", message.step, actor=message.actor)])
    how = body["how"]
    told = [event("step.resolved", message.step, how=how, actor=message.actor)]
    settled = {"resolve": how, "actor": message.actor, "at": at}
    if how == "retry":
        return Understood([Entry("step.answered", key, {"answer": settled})], told)
    if how == "failed":
        error = {
            "code": "node.unknown",
            "node": key.node,
            "attempt": wait.get("attempt", 1),
            "message": f"{message.actor} settled the unknown try as failed",
        }
        data = {"status": "failed", "attempt": wait.get("attempt", 1), "error": error, "resolved": settled}
        return Understood([Entry("step.ended", key, data, {})], told)
    try:
        outputs = given_outputs(state.node(key), body.get("items"))
    except PyAgentError:
        return Understood([], [event("step.answer_ignored", message.step, actor=message.actor)])
    data = {"status": "completed", "attempt": wait.get("attempt", 1), "resolved": settled}
    return Understood([Entry("step.ended", key, data, outputs)], told)


def due(state: RunState, now: datetime) -> Iterator[tuple[StepKey, dict[str, Any]]]:
    """The parked steps whose time has come, with their answers."""
    for key, wait in list(state.parked.items()):
        until = cast("str | None", wait.get("until"))
        if until is not None and datetime.fromisoformat(until) <= now:
            kind = "time" if wait["kind"] == "time" else "timeout"
            yield key, {"kind": kind, "at": timestamp(now)}


def next_timer(state: RunState) -> datetime | None:
    """When the next parked step's time comes."""
    times = [datetime.fromisoformat(wait["until"]) for wait in state.parked.values() if wait.get("until")]
    return min(times, default=None)
