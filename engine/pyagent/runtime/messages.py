"""What requests and timers mean for a run: from messages to log entries. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, cast

from pyagent.errors import PyAgentError
from pyagent.runtime.endings import OutcomeUnknown
from pyagent.runtime.failure import ErrorData, failed_outputs
from pyagent.runtime.journal import event
from pyagent.runtime.live import step_row
from pyagent.runtime.log import Entry, Outputs, StepKey, decode, timestamp
from pyagent.runtime.override import given_outputs
from pyagent.runtime.state import RunState
from pyagent.sdk.items import Items
from pyagent.store.base import Message, NewEvent, StepRecord


@dataclass(frozen=True, slots=True)
class Understood:
    """What a message becomes. It is consumed, also when nothing follows from it."""

    entries: list[Entry] = field(default_factory=list[Entry])
    events: list[NewEvent] = field(default_factory=list[NewEvent])
    steps: list[StepRecord] = field(default_factory=list[StepRecord])


Writes = Callable[[StepKey, Items, Outputs], Mapping[str, Any]]
"""The state writes of a step that ends with these outputs, given what it was given. Raises `PyAgentError`, and
`Later`."""


def understand(state: RunState, message: Message, writes: Writes) -> Understood | None:
    """The entries that record a message; None leaves it for another time, as a signal that comes before
    its wait. Raises what `writes` raises, but for its `PyAgentError`: that is recorded."""
    if state.restarting:
        return None  # it is the successor's
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
            if not retry and not state.paused:
                return Understood()
            data = {"actor": message.actor, "at": at, **({"retry": True} if retry else {})}
            return Understood([Entry("run.resume", None, data)], [event("run.resumed", actor=message.actor)])
        case "signal":
            return _signal(state, message, body, at)
        case "answer":
            return _answer(state, message, body, at)
        case "resolve":
            return _resolve(state, message, body, at, writes)
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
        return Understood([Entry("step.answered", key, {"answer": answer})], [told], [answered_row(state, key)])
    return None if not state.ending else Understood()


def _answer(state: RunState, message: Message, body: Any, at: str) -> Understood:
    key = StepKey.parse(message.step)
    wait = state.parked.get(key)
    if wait is None or wait["kind"] not in ("approval", "form", "webhook"):
        return Understood([], [event("step.answer_ignored", message.step, actor=message.actor)])
    answer = {"kind": wait["kind"], "value": body, "actor": message.actor, "at": at, "seen": wait.get("prompt")}
    told = event("step.answered", message.step, answer=answer)
    return Understood([Entry("step.answered", key, {"answer": answer})], [told], [answered_row(state, key)])


def answered_row(state: RunState, key: StepKey) -> StepRecord:
    """The row of a step that waits for nothing any more, until it runs: at once, unless the run is paused."""
    items = sum(map(len, state.inputs_of(key).values()))
    return step_row(key, "waiting", attempt=state.tries.get(key, 0) + 1, items_in=items)


def _resolve(state: RunState, message: Message, body: dict[str, Any], at: str, writes: Writes) -> Understood:
    key = StepKey.parse(message.step)
    wait = state.parked.get(key)
    if wait is None or wait["kind"] != "unknown":
        return Understood([], [event("step.answer_ignored", message.step, actor=message.actor)])
    how = body["how"]
    told = [event("step.resolved", message.step, how=how, actor=message.actor)]
    settled = {"resolve": how, "actor": message.actor, "at": at}
    answered = Entry("step.answered", key, {"answer": settled})
    if how == "retry":
        return Understood([answered], told, [answered_row(state, key)])
    attempt = wait.get("attempt", 1)
    node = state.node(key)
    unknown = OutcomeUnknown(f"{message.actor} settled the unknown try as failed")
    error: ErrorData = {**unknown.as_dict(), "node": key.node, "attempt": attempt}
    items = [index for index, data in state.item_outcomes.get(key, {}).items() if data["status"] == "begun"]
    try:
        if how == "failed" and items:
            failed = {"status": "failed", "error": error, "settled": True}
            return Understood(
                [*(Entry("step.item", key, {"index": index, **failed}) for index in items), answered], told
            )
        if how == "failed":
            outputs = failed_outputs(node, error, state.inputs_of(key), attempt=attempt)
            handled = {} if outputs is None else {"handled": node.spec.on_error}
            return _ended(key, "failed", outputs or {}, told, attempt, error=error, resolved=settled, **handled)
        outputs = given_outputs(node, body.get("items"))
        if items:
            given = _shared_out(outputs, len(items))
            done = [
                Entry("step.item", key, {"index": index, "status": "completed"}, made)
                for index, made in zip(items, given, strict=True)
            ]
            return Understood([*done, answered], told)
        found = writes(key, Items.concat(list(state.inputs_of(key).values())), outputs)
        more = {"writes": dict(found)} if found else {}
        return _ended(key, "completed", outputs, told, attempt, resolved=settled, **more)
    except PyAgentError as refused:
        ignored = event("step.answer_ignored", message.step, actor=message.actor, error=refused.as_dict())
        return Understood([], [ignored])


def _ended(
    key: StepKey,
    status: Literal["completed", "failed"],
    outputs: Outputs,
    told: list[NewEvent],
    attempt: int,
    **data: Any,
) -> Understood:
    entry = Entry("step.ended", key, {"status": status, "attempt": attempt, **data}, outputs)
    counts = {port: len(items) for port, items in outputs.items()}
    row = step_row(key, status, attempt=attempt, ended_at=datetime.now(UTC), items_out=counts, error=data.get("error"))
    ended = event(f"step.{status}", str(key), items=counts, attempt=attempt)
    return Understood([entry], [*told, ended], [row])


def _shared_out(outputs: Outputs, items: int) -> list[Outputs]:
    """What a person gave for several unknown items: one each where it is as many, else all for the first."""
    if items > 1 and len(outputs) == 1:
        ((port, made),) = outputs.items()
        if len(made) == items:
            return [{port: Items.of([item])} for item in made]
    return [outputs, *({} for _ in range(items - 1))]


def due(state: RunState, now: datetime) -> Iterator[tuple[StepKey, dict[str, Any]]]:
    """The parked steps whose time has come, with their answers."""
    for key, wait in list(state.parked.items()):
        until = cast("str | None", wait.get("until"))
        if until is not None and datetime.fromisoformat(until) <= now:
            kind = "time" if wait["kind"] == "time" else "timeout"
            yield key, {"kind": kind, "at": timestamp(now)}


def overdue(state: RunState, now: datetime) -> list[StepKey]:
    """Maps and calls whose steps have taken longer than allowed."""
    return [key for key, found in state.expansions.items() if found.until is not None and found.until <= now]


def next_timer(state: RunState) -> datetime | None:
    """When the next parked step's time comes, or that of a map or call that is bounded."""
    times = [datetime.fromisoformat(wait["until"]) for wait in state.parked.values() if wait.get("until")]
    times += [found.until for found in state.expansions.values() if found.until is not None]
    return min(times, default=None)
