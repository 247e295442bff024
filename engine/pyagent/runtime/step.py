"""Executes one step: its tries, time limits, waits and failures, up to an outcome in the log (SEMANTICS 17-21)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, cast

from pydantic import ValidationError

from pyagent.errors import InputError, NodeError, NodeTimeout, PyAgentError, StoreError
from pyagent.runtime.context import StepContext
from pyagent.runtime.endings import OutcomeUnknown
from pyagent.runtime.failure import ErrorData, describe, failed_outputs, retry_delay
from pyagent.runtime.frames import Changes
from pyagent.runtime.inputs import checked_inputs
from pyagent.runtime.journal import event
from pyagent.runtime.limits import bounded, unbounded
from pyagent.runtime.live import TIME_LIMITS, LiveRun, Token
from pyagent.runtime.log import Entry, Outputs, StepKey, timestamp
from pyagent.runtime.program import NodeProgram, Program
from pyagent.runtime.records import Records, Said
from pyagent.runtime.redact import masked
from pyagent.runtime.restart import begun_with
from pyagent.runtime.state import GIVEN
from pyagent.runtime.windows import run_windows
from pyagent.sdk.commands import Call, Command, Map, Restart, Stop, Wait
from pyagent.sdk.each import run_each
from pyagent.sdk.items import Item, Items, Result
from pyagent.sdk.later import Later, in_time
from pyagent.sdk.node import Effects
from pyagent.sdk.outcome import ItemOutcome, failed_item, join_outcomes, mark, normalise
from pyagent.sdk.pages import PAGE_ITEMS
from pyagent.sdk.params import NodeParams

Returned = Result | Command


_CANCELLED_ITSELF = "It raised asyncio.CancelledError, perhaps by a task that it had cancelled; await such tasks."


class StepInterrupted(Exception):
    """The step was stopped before it had an outcome, and the log says nothing of it: the run begins it again."""


class Step:
    """One execution of one step in this process."""

    def __init__(
        self, live: LiveRun, key: StepKey, *, node: NodeProgram | None = None, ports: dict[str, Items] | None = None
    ) -> None:
        """`node`, and what came to its `ports`, marked, where the step acted already: the state may have forgotten."""
        self.live = live
        self.key = key
        self.node: NodeProgram = node or live.state.node(key)
        self.token = live.claim(key)
        if ports is None:
            ports = {port: mark(items, port=port) for port, items in live.state.inputs_of(key).items()}
        self.ports = ports
        self.items = Items.concat(list(self.ports.values())) if self.ports else Items.of(())
        self.started_at = datetime.now(UTC)
        self.records = Records(key=key, started_at=self.started_at, items_in=len(self.items))
        self.attempt = live.state.tries.get(key, 0) + 1
        self.effects: Effects = self.node.effects
        self._params: dict[int, NodeParams] = {}

    async def execute(self) -> Changes:
        """Run the step until its outcome, its wait or its expansion is recorded, and return what follows.

        Raises `StoreError` when nothing more can be committed, `StepInterrupted` when the process is to stop.
        """
        live, key = self.live, self.key
        try:
            state = live.state
            if key not in state.startable or key in state.parked or key in state.expansions:
                raise StepInterrupted("it was begun elsewhere, or what it was part of has ended")
            if self.token.cancelled:
                return await self._stopped()
            pinned = None if live.production else state.pin(key)
            if pinned is not None:
                return await self._end({"pinned": True}, self._pinned(pinned))
            if (reused := live.state.reusable.get(key)) is not None:
                return await self._end({"reused": True}, reused.outputs or {})
            if self.node.type.kind == "trigger" and live.state.given is not None and not key.frame:
                return await self._end({"given": True}, {self.node.ports_out[0]: live.state.given})
            if self.node.spec.disabled:
                passed = self.items if len(self.items) else Items.of(())
                return await self._end(
                    {"disabled": True}, {self.node.ports_out[0]: passed} if self.node.ports_out else {}
                )
            if self._lost():
                return await self._unknown(
                    "its worker was lost between the beginning and the commit of a try", lost=True
                )
            return await self._tries()
        finally:
            live.leave(key)

    async def settle(self, started_at: datetime, found: Awaitable[Returned]) -> Changes:
        """Record what the first try, which `runtime.light` has made, returned or raised, and go on as `execute` does.

        `found` gives or raises it. Raises as `execute` does.
        """
        self.started_at = started_at
        self.records = replace(self.records, started_at=started_at)
        try:
            return await self._tries(found)
        finally:
            self.live.leave(self.key)

    # -- tries --------------------------------------------------------------------------------------------------

    async def _tries(self, found: Awaitable[Returned] | None = None) -> Changes:
        """Try until there is an outcome. `found`: what the first try, which was made already, came to."""
        while True:
            error: ErrorData
            try:
                outcome, found = self._try() if found is None else found, None
                return await self._returned(await outcome)
            except StoreError:
                raise
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                error = self._describe(
                    NodeError("the node cancelled itself", code="node.crashed", hint=_CANCELLED_ITSELF)
                )
            except Exception as raised:
                if self.token.cancelled and self.token.reason not in TIME_LIMITS:
                    return await self._stopped()
                if self._outcome_unknown(raised):
                    return await self._unknown(_words(raised))
                error = self._describe(raised)
            delay = retry_delay(self.node.spec.retry, self.attempt, error, self.live.values.chance(self.key))
            if delay is None:
                return await self._failed(error)
            await self._pause(error, delay)

    async def _try(self) -> Returned:
        live, node = self.live, self.node
        self.token.check()
        if node.params is None and not node.type.each_item:
            await self._first_params()
        if node.params is None and callable(node.type.effects) and node.spec.effects is None:
            self.effects = await self._strictest_effects()
        if self.effects == "none":
            if not node.pure:
                return await self._act()
            self._tell_started()
            return await unbounded(self._call(self._context(None)), self.token, grace=live.grace)
        # The beginning of a `once` try is a commit, which holds all that came before it.
        begins = self.effects == "once" and not node.type.each_item
        limit = live.limit
        if not begins or (limit is not None and limit.locked()):
            await self._settle()
        if limit is None:
            return await self._act()
        async with limit:
            live.await_resume(self.token)
            return await self._act()

    async def _settle(self) -> None:
        """Commit what this step depends on, before it acts."""
        if self.effects == "once" or self.live.state.program.graph.settings.durability == "sync":
            await self.live.journal.settle()

    async def _act(self) -> Returned:
        """Call a node whose turn has come: its time begins here."""
        # A stop may have been asked for while the step waited for its turn: then it must not act.
        self.token.check()
        if self.effects == "once" and not self.node.type.each_item:
            await self._begin()
        limit = self.node.spec.timeout
        deadline = datetime.now(UTC) + limit if limit else None
        context = self._context(deadline)
        self._tell_started()
        return await bounded(
            self._call(context),
            self.token,
            grace=self.live.grace,
            deadline=deadline,
            timeout=limit,
            idle=self.node.spec.idle_timeout,
            heard=lambda: context.heard,
            finishes=self.effects == "once",
        )

    def _context(self, deadline: datetime | None) -> StepContext:
        return StepContext(
            self.live,
            self.key,
            attempt=self.attempt,
            now=self.started_at + self.live.ahead,
            token=self.token,
            ports=self.ports,
            params_for=self.params_for,
            deadline=deadline,
        )

    async def _strictest_effects(self) -> Effects:
        """What a try may do, where the parameters decide: if it must not be repeated for one item, then for none."""
        found: set[Effects] = set()
        for index in range(max(1, len(self.items))):
            try:
                found.add(self.node.type.effects_for(await in_time(partial(self.params_for, index))))
            except (PyAgentError, ValidationError):
                # Item 0 was evaluated before; a later item's error is that item's, when its turn comes.
                continue
        if "once" in found:
            return "once"
        return "idempotent" if "idempotent" in found else "none"

    async def _begin(self) -> None:
        entry = Entry("step.begun", self.key, {"attempt": self.attempt, "at": timestamp(self.started_at)})
        self.live.session_begun.add(self.key)
        self.live.record(entry)
        await self.live.journal.flush(durable=True)

    async def _call(self, context: StepContext) -> Returned:
        node_type = self.node.type
        if not node_type.each_item:
            returned = await node_type.function(self.items, await self._first_params(), context)
            return normalise(returned, node_type, await self._declared_ports(), self.items)
        once = self.effects == "once"
        kept = self._kept_items()
        if not (once or kept or self.node.spec.retry):
            return await call_items(self.node, self.items, self.params_for, context, await self._declared_ports())
        outcomes = await run_each(
            node_type,
            self.items,
            self.params_for,
            cast(Any, context),
            kept=kept,
            settled={index for index, outcome in kept.items() if outcome.error is not None},
            on_begin=self._begin_item if once else None,
            on_outcome=self._end_item if once or self.node.spec.retry else None,
        )
        return _joined(outcomes, self.items, await self._declared_ports())

    async def _first_params(self) -> NodeParams:
        return self.node.params or await in_time(partial(self.params_for, 0))

    async def _declared_ports(self) -> tuple[str, ...]:
        ports = self.node.ports_out
        if self.node.params is None and callable(self.node.type.ports_out):
            try:
                ports = self.node.type.ports_out_for(await self._first_params()) or ports
            except (PyAgentError, ValidationError):
                # Of an item-wise node, whose other items may well be evaluated.
                return ports
        return ports

    async def _pause(self, error: ErrorData, delay: timedelta) -> None:
        """Record a failed try and wait before the next."""
        error = {key: value for key, value in error.items() if key != "outcomes"}
        data = {"attempt": self.attempt, "error": error, "delay": delay.total_seconds()}
        self.live.record(
            Entry("step.tried", self.key, data),
            [event("step.retrying", str(self.key), error=error, attempt=self.attempt, delay=delay.total_seconds())],
        )
        self.attempt += 1
        # Before anything is waited for: a stop that is asked for from now on must not be lost.
        self.token = self.live.running[self.key] = Token()
        await self.live.journal.flush()
        self._params.clear()
        try:
            await asyncio.wait_for(self.token.wait(), delay.total_seconds())
        except TimeoutError:
            return

    # -- items of item-wise nodes -------------------------------------------------------------------------------

    def _item_records(self) -> dict[int, dict[str, Any]]:
        return self.live.state.item_outcomes.get(self.key, {})

    def _open_items(self) -> list[int]:
        """Items whose `once` beginning is recorded and whose end is not."""
        return [index for index, data in self._item_records().items() if data["status"] == "begun"]

    def _lost(self) -> bool:
        """Whether a `once` try was begun by a worker that is gone."""
        begun = self.key in self.live.state.begun and self.key not in self.live.session_begun
        return begun or bool(self._open_items())

    def _outcome_unknown(self, raised: Exception) -> bool:
        if self.effects != "once":
            return False
        return bool(self._open_items()) if self.node.type.each_item else isinstance(raised, NodeTimeout)

    def _kept_items(self) -> dict[int, ItemOutcome]:
        """What is not to be tried again: items that succeeded, and unknown ones that were settled as failed."""
        found: dict[int, ItemOutcome] = {}
        for index, data in self._item_records().items():
            if data["status"] == "completed":
                outputs: Mapping[str, Items] = data["outputs"] or {}
                found[index] = ItemOutcome(index=index, outputs={port: list(made) for port, made in outputs.items()})
            elif data.get("settled"):
                error = data["error"]
                settled = NodeError(error["message"], code=error["code"], hint=error.get("hint"))
                found[index] = ItemOutcome(index=index, error=settled)
        return found

    async def _begin_item(self, index: int) -> None:
        self.live.record(Entry("step.item", self.key, {"index": index, "status": "begun"}))
        await self._flush_whole(durable=True)

    async def _end_item(self, outcome: ItemOutcome) -> None:
        once = self.effects == "once"
        if once and isinstance(outcome.error, NodeTimeout):
            # Whether it took place is not known: the item stays begun.
            return
        status = "failed" if outcome.error else "completed"
        data: dict[str, Any] = {"index": outcome.index, "status": status}
        if outcome.error:
            data["error"] = masked(outcome.error, self.live.secrets).as_dict()
        made = {port: Items.of(items) for port, items in (outcome.outputs or {}).items()}
        self.live.record(Entry("step.item", self.key, data, made))
        if once:
            await self._flush_whole()

    async def _flush_whole(self, *, durable: bool = False) -> None:
        """Commit even if the step is cancelled meanwhile: half a commit would be none."""
        await asyncio.shield(asyncio.ensure_future(self.live.journal.flush(durable=durable)))

    # -- outcomes -----------------------------------------------------------------------------------------------

    async def _returned(self, returned: Returned) -> Changes:
        match returned:
            case Result():
                outputs = {port: as_items(items) for port, items in returned.outputs.items() if len(items)}
                if self.node.spec.always_output and self.node.ports_out and not outputs.get(self.node.ports_out[0]):
                    outputs[self.node.ports_out[0]] = Items.of([Item({})])
                data: dict[str, Any] = {"more": True} if returned.more else {}
                changes = await self._end(data, outputs)
            case Stop():
                changes = await self._end({"stop": {"status": returned.status, "message": returned.message}}, {})
            case Restart():
                items = {} if returned.items is None else {GIVEN: Items.of(begun_with(returned.items))}
                restart = await self.live.prepare_restart(returned, partial(self._writes, items))
                changes = await self._end({"stop": {"status": "completed", "restart": restart}}, items)
            case Wait():
                changes = self._record(self.records.parked(self.attempt, returned))
            case Map():
                changes = await self._expand(returned)
            case Call():
                changes = await self._call_graph(returned)
        if self.effects == "once" or (
            (self.effects != "none" or isinstance(returned, Wait))
            and self.live.state.program.graph.settings.durability == "sync"
        ):
            self.live.journal.owes = True
        return changes

    async def _end(self, data: dict[str, Any], outputs: Outputs) -> Changes:
        """Record a completed step, with its state writes."""
        try:
            writes = await self._writes(outputs)
        except PyAgentError as error:
            return self._record_failure(self._describe(error))
        return self._record(self.records.completed(self.attempt, outputs, writes, data))

    async def _writes(self, outputs: Outputs) -> dict[str, Any]:
        if not self.node.spec.write:
            return {}
        while True:
            try:
                return self.live.values.writes(self.key, self.items, outputs, self.started_at)
            except Later as later:
                await later.settle()
            if self.key not in self.live.state.startable:
                raise StepInterrupted("what it was part of has ended")

    def _record(self, said: Said) -> Changes:
        return self.live.record(said.entry, [said.event], [said.row])

    async def _failed(self, error: ErrorData) -> Changes:
        changes = self._record_failure(error)
        await self.live.journal.flush()
        return changes

    def _record_failure(self, error: ErrorData) -> Changes:
        """Tries are used up: the step's policy decides (SEMANTICS 20)."""
        outputs = self._partial(error) or failed_outputs(self.node, error, self.ports, attempt=self.attempt)
        return self._record(self.records.failed(self.attempt, error, outputs, self.node.spec.on_error))

    def _partial(self, error: ErrorData) -> Outputs | None:
        """For an item-wise node: what succeeded, and the failed items as the policy has them."""
        outcomes = cast("list[ItemOutcome] | Outputs | None", error.get("outcomes"))
        policy = self.node.spec.on_error
        if outcomes is None or policy == "stop":
            return None
        if isinstance(outcomes, dict):
            return outcomes
        ports = self.node.ports_out
        outputs: dict[str, list[Item]] = {}
        for outcome in outcomes:
            if outcome.error is None:
                for port, made in (outcome.outputs or {}).items():
                    outputs.setdefault(port, []).extend(made)
            else:
                item = failed_item(
                    outcome.error, self.items[outcome.index], policy, node_id=self.node.id, attempt=self.attempt
                )
                outputs.setdefault("error" if policy == "route" else ports[0], []).append(item)
        return {port: Items.of(made) for port, made in outputs.items()}

    def _describe(self, raised: Exception) -> ErrorData:
        secrets = self.live.secrets
        if isinstance(raised, ItemsFailed):
            errors = [masked(outcome.error, secrets) for outcome in raised.outcomes if outcome.error is not None]
            return {**describe(errors[0], self.node.spec, self.attempt), "outcomes": raised.made or raised.outcomes}
        return describe(raised, self.node.spec, self.attempt, secrets)

    async def _unknown(self, reason: str, *, lost: bool = False) -> Changes:
        """A `once` try whose outcome nobody knows (SEMANTICS 18). `lost`: its worker died, which uses up no try."""
        policy = self.node.spec.on_unknown
        said = self.records.unknown(self.attempt, reason, policy)
        retry = self.node.spec.retry
        if policy == "retry" and (lost or self.attempt < max(2, retry.attempts if retry else 1)):
            data = {"attempt": self.attempt, "error": {"code": OutcomeUnknown.code}, "delay": 0}
            self.live.record(Entry("step.tried", self.key, data), [said.event])
            return await self._anew()
        if policy != "ask":
            unknown = OutcomeUnknown(f"nobody knows whether the try took place: {reason}")
            error: ErrorData = {**unknown.as_dict(), "node": self.node.id, "attempt": self.attempt}
            if open_items := self._open_items():
                for index in open_items:
                    data = {"index": index, "status": "failed", "error": error, "settled": True}
                    self.live.record(Entry("step.item", self.key, data), [said.event])
                return await self._anew()
            self.live.record(said.entry, [said.event])
            return await self._failed(error)
        changes = self._record(said)
        await self.live.journal.flush()
        return changes

    async def _anew(self) -> Changes:
        """One more try after one whose outcome is unknown."""
        self.attempt = self.live.state.tries.get(self.key, 0) + 1
        self.token = self.live.running[self.key] = Token()
        await self.live.journal.flush()
        return await self._tries()

    async def _stopped(self) -> Changes:
        """The step was asked to stop. Losers, and steps of a run that is ending, are recorded and nothing waits."""
        reason = self.token.reason
        if reason in ("lease_lost", "drain"):
            raise StepInterrupted(reason)
        unknown = self.key in self.live.state.begun or bool(self._open_items())
        return self._record(self.records.stopped(self.attempt, reason, unknown=unknown))

    # -- commands -----------------------------------------------------------------------------------------------

    async def _expand(self, command: Map) -> Changes:
        data: dict[str, Any] = {"kind": "map", "parallel": max(1, command.parallel), "on_error": command.on_error}
        elements = {str(number): Items.of(items) for number, items in enumerate(command.elements)}
        if command.graph is None:
            self.live.state.frames[self.key.frame].program.body(self.node.id)
            return self._expanded(data, elements)
        pinned, program = await self._called(command.graph)
        refused: dict[str, ErrorData] = {}
        for number, items in elements.items():
            try:
                json = checked_inputs(program.graph, items[0].json)
            except InputError as error:
                refused[number] = {**error.as_dict(), "node": self.node.id}
            else:
                elements[number] = Items.of([Item(json, items[0].binary, items[0].sources), *items[1:]])
        data |= {"graph": pinned, "graph_id": command.graph}
        return self._expanded(data | {"refused": refused} if refused else data, elements)

    async def _call_graph(self, command: Call) -> Changes:
        if not command.wait:
            options = {
                "parent_run": self.live.run_id,
                "parent_step": str(self.key),
                "on_parent": command.on_parent,
                "key": f"{self.live.run_id}/{self.key}",
            }
            run_id = await self.live.start_graph(command.graph, dict(command.inputs), options)
            return await self._end(
                {"called": run_id, "on_parent": command.on_parent},
                {self.node.ports_out[0]: Items.of([Item({"run_id": run_id})])},
            )
        pinned, program = await self._called(command.graph)
        inputs = checked_inputs(program.graph, command.inputs)
        data = {"kind": "call", "parallel": 1, "graph": pinned, "graph_id": command.graph}
        if command.items is None:
            return self._expanded(data, {"0": Items.of([Item(inputs)])})
        given = command.items if isinstance(command.items, Items) else Items.of(command.items)
        return self._expanded(data | {"inputs": inputs}, {"0": given})

    async def _called(self, graph: str) -> tuple[str, Program]:
        """The version of a graph that this run calls. Raises `NotFound`, `GraphError` if it cannot be started."""
        pinned = await self.live.resolve_graph(graph)
        program = self.live.state.called_program(pinned)
        program.root()
        return pinned, program

    def _expanded(self, data: dict[str, Any], elements: Outputs) -> Changes:
        if (limit := self.node.spec.timeout) is not None:
            data = {**data, "until": timestamp(self.started_at + self.live.ahead + limit)}
            self.live.timed = True
        # Its beginning has been told; the short path shows no row of what ends at once.
        self.live.journal.show(self.records.running(self.attempt)[1])
        entry = Entry("step.expanded", self.key, data, elements)
        told = event("step.expanded", str(self.key), into=data["kind"], elements=len(elements))
        return self.live.record(entry, [told])

    # -- small things -------------------------------------------------------------------------------------------

    def params_for(self, index: int) -> NodeParams:
        """The parameters for one input item. Raises `ExpressionError`, pydantic's `ValidationError`, or `Later`."""
        if self.node.params is not None:
            return self.node.params
        if index not in self._params:
            if len(self._params) == PAGE_ITEMS:
                self._params.clear()
            values = self.live.values.params(self.key, index, self.ports, self.items, self.started_at)
            self._params[index] = self.node.type.validate_params(values)
        return self._params[index]

    def _pinned(self, pinned: Any) -> Outputs:
        by_port = cast("Mapping[str, list[Any]]", pinned) if isinstance(pinned, dict) else None
        ports = by_port if by_port is not None else {self.node.ports_out[0]: cast("list[Any]", pinned)}
        return {port: Items.of(Item(dict(item)) for item in made) for port, made in ports.items() if made}

    def _tell_started(self) -> None:
        self.live.tell(*self.records.running(self.attempt))


class ItemsFailed(Exception):
    """Some items of an item-wise node failed; the others' outcomes are kept."""

    def __init__(self, outcomes: list[ItemOutcome], made: Outputs | None = None) -> None:
        """`made`: what the step puts out, where that is known already; then `outcomes` is the first failure."""
        super().__init__("items failed")
        self.outcomes = outcomes
        self.made = made


async def call_items(
    node: NodeProgram,
    items: Items,
    params_for: Callable[[int], NodeParams],
    context: StepContext,
    ports_out: tuple[str, ...] | None = None,
) -> Result:
    """What an item-wise node makes of the items in a try that keeps no outcomes by item. Raises `ItemsFailed`."""
    ports_out = node.ports_out if ports_out is None else ports_out
    if len(items) > PAGE_ITEMS and (writer := context.page_writer()) is not None:
        outputs, failure = await run_windows(node, items, params_for, context, writer, ports_out=ports_out)
        if failure is not None:
            raise ItemsFailed([failure], outputs)
        return Result(outputs)
    return _joined(await run_each(node.type, items, params_for, cast(Any, context)), items, ports_out)


def _joined(outcomes: list[ItemOutcome], items: Items, ports_out: tuple[str, ...]) -> Result:
    if any(outcome.error is not None for outcome in outcomes):
        raise ItemsFailed(outcomes)
    return join_outcomes(outcomes, items, ports_out=ports_out)


def _words(raised: Exception) -> str:
    return raised.message if isinstance(raised, PyAgentError) else str(raised)


def as_items(items: Any) -> Items:
    """Items as the log keeps them."""
    return items if isinstance(items, Items) else Items.of(items)
