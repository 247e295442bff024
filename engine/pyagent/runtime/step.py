"""Executes one step: its tries, time limits, waits and failures, up to an outcome in the log (SEMANTICS 17-21)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from pydantic import ValidationError

from pyagent.errors import NodeCancelled, NodeError, NodeTimeout, PyAgentError, StoreError
from pyagent.runtime.context import StepContext
from pyagent.runtime.failure import ErrorData, describe, failed_outputs, retry_delay
from pyagent.runtime.journal import event
from pyagent.runtime.live import LiveRun, Token, step_row
from pyagent.runtime.log import Entry, Outputs, StepKey, timestamp
from pyagent.runtime.program import NodeProgram
from pyagent.runtime.state import Changes
from pyagent.sdk.commands import Call, Command, Map, Stop, Wait
from pyagent.sdk.each import run_each
from pyagent.sdk.items import Item, Items, Result
from pyagent.sdk.node import Effects
from pyagent.sdk.outcome import ItemOutcome, as_error, failed_item, join_outcomes, mark, normalise
from pyagent.sdk.params import NodeParams

Returned = Result | Command


class StepInterrupted(Exception):
    """The step was stopped before it had an outcome, and the log says nothing of it: the run begins it again."""


class Step:
    """One execution of one step in this process."""

    def __init__(self, live: LiveRun, key: StepKey) -> None:
        self.live = live
        self.key = key
        self.node: NodeProgram = live.state.node(key)
        self.token = live.claim(key)
        self.ports = {port: mark(items, port=port) for port, items in live.state.inputs_of(key).items()}
        self.items = Items.concat(list(self.ports.values())) if self.ports else Items.of(())
        self.started_at = datetime.now(UTC)
        self.attempt = live.state.tries.get(key, 0) + 1
        self.effects: Effects = self.node.effects
        self._params: dict[int, NodeParams] = {}

    async def execute(self) -> Changes:
        """Run the step until its outcome, its wait or its expansion is recorded, and return what follows.

        Raises `StoreError` when nothing more can be committed, `StepInterrupted` when the process is to stop.
        """
        live, key = self.live, self.key
        try:
            if self.token.cancelled:
                return await self._stopped()
            pinned = None if live.production else live.state.program.graph.pins.get(key.node)
            if pinned is not None:
                return self._end({"pinned": True}, self._pinned(pinned))
            if (reused := live.state.reusable.get(key)) is not None:
                return self._end({"reused": True}, reused.outputs or {})
            if self.node.spec.disabled:
                passed = self.items if len(self.items) else Items.of(())
                return self._end({"disabled": True}, {self.node.ports_out[0]: passed} if self.node.ports_out else {})
            if key in live.state.begun and key not in live.session_begun:
                return await self._unknown("its worker was lost between the beginning and the commit of a try")
            return await self._tries()
        finally:
            live.running.pop(key, None)
            if not live.running:
                live.woken.set()

    # -- tries --------------------------------------------------------------------------------------------------

    async def _tries(self) -> Changes:
        while True:
            error: ErrorData
            try:
                returned = await self._try()
            except StoreError:
                raise
            except asyncio.CancelledError:
                raise
            except (Exception, NodeCancelled) as raised:
                if self.token.cancelled and self.token.reason not in ("timeout", "idle_timeout"):
                    return await self._stopped()
                if self.effects == "once" and isinstance(raised, NodeTimeout) and not self.node.type.each_item:
                    return await self._unknown(str(raised.message))
                error = self._describe(raised)
            else:
                return await self._returned(returned)
            delay = retry_delay(self.node.spec.retry, self.attempt, error, self.live.values.chance(self.key))
            if delay is None:
                return await self._failed(error)
            await self._pause(error, delay)

    async def _try(self) -> Returned:
        live, node = self.live, self.node
        params = self.params_for(0)
        if node.params is None and callable(node.type.effects) and node.spec.effects is None:
            self.effects = node.type.effects_for(params)
        now = datetime.now(UTC)
        deadline = now + node.spec.timeout if node.spec.timeout else None
        context = StepContext(
            live,
            self.key,
            attempt=self.attempt,
            now=self.started_at,
            token=self.token,
            ports=self.ports,
            params_for=self.params_for,
            deadline=deadline,
        )
        self._tell_started()
        if self.effects == "none":
            if node.pure:
                return await self._call(params, context)
            return await self._bounded(self._call(params, context), context, deadline)
        await live.journal.settle()
        if self.effects == "once" and not node.type.each_item:
            await self._begin()
        if live.limit is None:
            return await self._bounded(self._call(params, context), context, deadline)
        async with live.limit:
            return await self._bounded(self._call(params, context), context, deadline)

    async def _begin(self) -> None:
        entry = Entry("step.begun", self.key, {"attempt": self.attempt, "at": timestamp(self.started_at)})
        self.live.session_begun.add(self.key)
        self.live.record(entry)
        await self.live.journal.flush()

    async def _call(self, params: NodeParams, context: StepContext) -> Returned:
        node_type = self.node.type
        if not node_type.each_item:
            returned = await node_type.function(self.items, params, context)
            return normalise(returned, node_type, self._declared_ports, self.items)
        once = self.effects == "once"
        outcomes = await run_each(
            node_type,
            self.items,
            self.params_for,
            cast(Any, context),
            kept=self._kept_items(),
            on_begin=self._begin_item if once else None,
            on_outcome=self._end_item if once or self.node.spec.retry else None,
        )
        failed = [outcome for outcome in outcomes if outcome.error is not None]
        if failed:
            raise ItemsFailed(outcomes)
        return join_outcomes(outcomes, self.items, ports_out=self._declared_ports)

    @property
    def _declared_ports(self) -> tuple[str, ...]:
        ports = self.node.ports_out
        if self.node.params is None:
            ports = self.node.type.ports_out_for(self.params_for(0)) or ports
        return ports

    async def _bounded(self, call: Awaitable[Returned], context: StepContext, deadline: datetime | None) -> Returned:
        """Await the call within its time limits; a stop that is asked for cancels it after the grace time."""
        task = asyncio.ensure_future(call)
        stop = asyncio.ensure_future(self.token.wait())
        idle = self.node.spec.idle_timeout
        try:
            while True:
                limits = [limit for limit in (deadline, context.heard + idle if idle else None) if limit]
                left = (min(limits) - datetime.now(UTC)).total_seconds() if limits else None
                done, _ = await asyncio.wait(
                    {task, stop},
                    timeout=max(0.0, left) if left is not None else None,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if task in done:
                    return task.result()
                if stop in done:
                    await self._give_grace(task)
                    raise NodeCancelled(f"the step was stopped: {self.token.reason}")
                if deadline is not None and datetime.now(UTC) >= deadline:
                    return await self._cut_off(task, self.node.spec.timeout, "timeout")
                if idle is not None and datetime.now(UTC) >= context.heard + idle:
                    return await self._cut_off(task, idle, "idle_timeout")
        finally:
            stop.cancel()
            if not task.done():
                task.cancel()
                await asyncio.wait({task}, timeout=self.live.grace)

    async def _cut_off(self, task: asyncio.Future[Returned], limit: timedelta | None, reason: str) -> Returned:
        self.token.set(reason)
        task.cancel()
        await asyncio.wait({task}, timeout=self.live.grace)
        seconds = limit.total_seconds() if limit else 0
        what = "showed no progress for" if reason == "idle_timeout" else "took longer than"
        raise NodeTimeout(f"the try {what} {seconds:g} s", details={"limit_seconds": seconds})

    async def _give_grace(self, task: asyncio.Future[Returned]) -> None:
        """A cancelled step may clean up: it is asked first, then cancelled."""
        await asyncio.wait({task}, timeout=min(0.2, self.live.grace))
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=self.live.grace)

    async def _pause(self, error: ErrorData, delay: timedelta) -> None:
        """Record a failed try and wait before the next."""
        data = {"attempt": self.attempt, "error": error, "delay": delay.total_seconds()}
        self.live.record(
            Entry("step.tried", self.key, data),
            [event("step.retrying", str(self.key), error=error, attempt=self.attempt, delay=delay.total_seconds())],
        )
        await self.live.journal.flush()
        self.attempt += 1
        self.token = self.live.running[self.key] = Token()
        self._params.clear()
        try:
            await asyncio.wait_for(self.token.wait(), delay.total_seconds())
        except TimeoutError:
            return

    # -- items of item-wise nodes -------------------------------------------------------------------------------

    def _kept_items(self) -> dict[int, ItemOutcome]:
        found: dict[int, ItemOutcome] = {}
        for index, data in self.live.state.item_outcomes.get(self.key, {}).items():
            if data["status"] == "completed":
                outputs: Mapping[str, Items] = data["outputs"] or {}
                found[index] = ItemOutcome(index=index, outputs={port: list(made) for port, made in outputs.items()})
            elif data["status"] == "begun" and self.key not in self.live.session_begun:
                lost = NodeError(
                    f"item {index} was begun and its outcome is not known",
                    code="node.unknown",
                    hint="Find out what happened outside, then `pyagent resolve`.",
                )
                found[index] = ItemOutcome(index=index, error=lost)
        return found

    async def _begin_item(self, index: int) -> None:
        self.live.session_begun.add(self.key)
        self.live.record(Entry("step.item", self.key, {"index": index, "status": "begun"}))
        await self.live.journal.flush()

    async def _end_item(self, outcome: ItemOutcome) -> None:
        status = "failed" if outcome.error else "completed"
        data: dict[str, Any] = {"index": outcome.index, "status": status}
        if outcome.error:
            data["error"] = outcome.error.as_dict()
        made = {port: Items.of(items) for port, items in (outcome.outputs or {}).items()}
        self.live.record(Entry("step.item", self.key, data, made))
        if self.effects == "once":
            await self.live.journal.flush()

    # -- outcomes -----------------------------------------------------------------------------------------------

    async def _returned(self, returned: Returned) -> Changes:
        match returned:
            case Result():
                outputs = {port: _as_items(items) for port, items in returned.outputs.items() if len(items)}
                if self.node.spec.always_output and self.node.ports_out and not outputs.get(self.node.ports_out[0]):
                    outputs[self.node.ports_out[0]] = Items.of([Item({})])
                data: dict[str, Any] = {"more": True} if returned.more else {}
                changes = self._end(data, outputs)
            case Stop():
                changes = self._end({"stop": {"status": returned.status, "message": returned.message}}, {})
            case Wait():
                changes = self._park(returned)
            case Map():
                changes = await self._expand(returned)
            case Call():
                changes = await self._call_graph(returned)
        if self.effects != "none" or isinstance(returned, Wait):
            await self._committed()
        return changes

    async def _committed(self) -> None:
        if self.live.state.program.graph.settings.durability == "sync" or self.effects == "once":
            await self.live.journal.flush()

    def _end(self, data: dict[str, Any], outputs: Outputs) -> Changes:
        """Record a completed step, with its state writes."""
        try:
            writes = self.live.values.writes(self.key, self.items, outputs, self.started_at)
        except PyAgentError as error:
            return self._record_failure(self._describe(error))
        now = datetime.now(UTC)
        counts = {port: len(items) for port, items in outputs.items()}
        entry = Entry(
            "step.ended",
            self.key,
            {
                "status": "completed",
                "attempt": self.attempt,
                "started_at": timestamp(self.started_at),
                "ended_at": timestamp(now),
                **({"writes": writes} if writes else {}),
                **data,
            },
            outputs,
        )
        row = step_row(
            self.key,
            "completed",
            attempt=self.attempt,
            started_at=self.started_at,
            ended_at=now,
            items_in=len(self.items),
            items_out=counts,
        )
        seconds = (now - self.started_at).total_seconds()
        told = event("step.completed", str(self.key), items=counts, seconds=round(seconds, 6), attempt=self.attempt)
        return self.live.record(entry, [told], [row])

    async def _failed(self, error: ErrorData) -> Changes:
        changes = self._record_failure(error)
        await self.live.journal.flush()
        return changes

    def _record_failure(self, error: ErrorData) -> Changes:
        """Tries are used up: the step's policy decides (SEMANTICS 20)."""
        outputs = self._partial(error) or failed_outputs(self.node, error, self.ports, attempt=self.attempt)
        now = datetime.now(UTC)
        data: dict[str, Any] = {
            "status": "failed",
            "attempt": self.attempt,
            "error": {key: value for key, value in error.items() if key != "outcomes"},
            "started_at": timestamp(self.started_at),
            "ended_at": timestamp(now),
        }
        if outputs is not None:
            data["handled"] = self.node.spec.on_error
        counts = {port: len(items) for port, items in (outputs or {}).items()}
        row = step_row(
            self.key,
            "failed",
            attempt=self.attempt,
            started_at=self.started_at,
            ended_at=now,
            items_in=len(self.items),
            items_out=counts,
            error=data["error"],
        )
        told = event("step.failed", str(self.key), error=data["error"], handled=outputs is not None, items=counts)
        return self.live.record(Entry("step.ended", self.key, data, outputs), [told], [row])

    def _partial(self, error: ErrorData) -> Outputs | None:
        """For an item-wise node: what succeeded, and the failed items as the policy has them."""
        outcomes = cast("list[ItemOutcome] | None", error.get("outcomes"))
        policy = self.node.spec.on_error
        if outcomes is None or policy == "stop":
            return None
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

    def _describe(self, raised: BaseException) -> ErrorData:
        if isinstance(raised, ItemsFailed):
            first = next(outcome.error for outcome in raised.outcomes if outcome.error is not None)
            return {**describe(first, self.node.spec, self.attempt), "outcomes": raised.outcomes}
        if isinstance(raised, ValidationError):
            raised = as_error(raised, node_id=self.node.id, step=str(self.key))
        return describe(raised, self.node.spec, self.attempt)

    async def _unknown(self, reason: str) -> Changes:
        """A `once` try whose outcome nobody knows (SEMANTICS 18)."""
        policy = self.node.spec.on_unknown
        told = event("step.unknown", str(self.key), reason=reason, policy=policy)
        entry = Entry("step.unknown", self.key, {"reason": reason, "attempt": self.attempt})
        if policy == "fail":
            error: ErrorData = {
                "code": "node.unknown",
                "message": f"nobody knows whether the try took place: {reason}",
                "hint": "Look at what the node acts on, then `pyagent fork` or start anew.",
                "node": self.node.id,
                "attempt": self.attempt,
            }
            self.live.record(entry, [told])
            return await self._failed(error)
        if policy == "retry":
            data = {"attempt": self.attempt, "error": {"code": "node.unknown"}, "delay": 0}
            self.live.record(Entry("step.tried", self.key, data), [told])
            await self.live.journal.flush()
            self.attempt += 1
            self.token = self.live.running[self.key] = Token()
            return await self._tries()
        row = step_row(
            self.key,
            "unknown",
            attempt=self.attempt,
            started_at=self.started_at,
            items_in=len(self.items),
            wait={"kind": "unknown", "reason": reason},
        )
        changes = self.live.record(entry, [told], [row])
        await self.live.journal.flush()
        return changes

    async def _stopped(self) -> Changes:
        """The step was asked to stop. Losers, and steps of a run that is ending, are recorded and nothing waits."""
        reason = self.token.reason
        if reason in ("lease_lost", "drain"):
            raise StepInterrupted(reason)
        now = datetime.now(UTC)
        unknown = self.key in self.live.state.begun
        data = {
            "status": "cancelled",
            "attempt": self.attempt,
            "reason": reason,
            "started_at": timestamp(self.started_at),
            "ended_at": timestamp(now),
            **({"unknown": True} if unknown else {}),
        }
        row = step_row(
            self.key,
            "unknown" if unknown else "cancelled",
            attempt=self.attempt,
            started_at=self.started_at,
            ended_at=now,
            items_in=len(self.items),
        )
        told = event("step.cancelled", str(self.key), reason=reason, unknown=unknown)
        return self.live.record(Entry("step.ended", self.key, data, {}), [told], [row])

    # -- commands -----------------------------------------------------------------------------------------------

    def _park(self, wait: Wait) -> Changes:
        data = {
            "kind": wait.kind,
            "until": timestamp(wait.until) if wait.until else None,
            "name": wait.signal,
            "key": wait.key,
            "title": wait.title,
            "prompt": dict(wait.prompt),
            "response_schema": dict(wait.response_schema) if wait.response_schema else None,
        }
        found = {name: value for name, value in data.items() if value not in (None, "", {})}
        entry = Entry("step.parked", self.key, {"wait": found, "attempt": self.attempt})
        row = step_row(
            self.key, "waiting", attempt=self.attempt, started_at=self.started_at, items_in=len(self.items), wait=found
        )
        return self.live.record(entry, [event("step.waiting", str(self.key), wait=found)], [row])

    async def _expand(self, command: Map) -> Changes:
        pinned = await self.live.resolve_graph(command.graph) if command.graph else None
        data = {
            "kind": "map",
            "parallel": max(1, command.parallel),
            "on_error": command.on_error,
            **({"graph": pinned, "graph_id": command.graph} if pinned else {}),
        }
        elements = {str(number): Items.of(items) for number, items in enumerate(command.elements)}
        return self._expanded(data, elements)

    async def _call_graph(self, command: Call) -> Changes:
        if not command.wait:
            options = {
                "parent_run": self.live.run_id,
                "parent_step": str(self.key),
                "on_parent": command.on_parent,
                "key": f"{self.live.run_id}/{self.key}",
            }
            run_id = await self.live.start_graph(command.graph, dict(command.inputs), options)
            return self._end(
                {"called": run_id, "on_parent": command.on_parent},
                {self.node.ports_out[0]: Items.of([Item({"run_id": run_id})])},
            )
        pinned = await self.live.resolve_graph(command.graph)
        data = {"kind": "call", "parallel": 1, "graph": pinned, "graph_id": command.graph}
        return self._expanded(data, {"0": Items.of([Item(dict(command.inputs))])})

    def _expanded(self, data: dict[str, Any], elements: Outputs) -> Changes:
        self._tell_started()
        entry = Entry("step.expanded", self.key, data, elements)
        told = event("step.expanded", str(self.key), into=data["kind"], elements=len(elements))
        return self.live.record(entry, [told])

    # -- small things -------------------------------------------------------------------------------------------

    def params_for(self, index: int) -> NodeParams:
        """The parameters for one input item. Raises `ExpressionError`, or pydantic's `ValidationError`."""
        if self.node.params is not None:
            return self.node.params
        if index not in self._params:
            values = self.live.values.params(self.key, index, self.ports, self.items, self.started_at)
            self._params[index] = self.node.type.validate_params(values)
        return self._params[index]

    def _pinned(self, pinned: Any) -> Outputs:
        by_port = cast("Mapping[str, list[Any]]", pinned) if isinstance(pinned, dict) else None
        ports = by_port if by_port is not None else {self.node.ports_out[0]: cast("list[Any]", pinned)}
        return {port: Items.of(Item(dict(item)) for item in made) for port, made in ports.items() if made}

    def _tell_started(self) -> None:
        row = step_row(self.key, "running", attempt=self.attempt, started_at=self.started_at, items_in=len(self.items))
        self.live.tell(event("step.started", str(self.key), attempt=self.attempt, items=len(self.items)), row)


class ItemsFailed(Exception):
    """Some items of an item-wise node failed; the others' outcomes are kept."""

    def __init__(self, outcomes: list[ItemOutcome]) -> None:
        super().__init__("items failed")
        self.outcomes = outcomes


def _as_items(items: Any) -> Items:
    return items if isinstance(items, Items) else Items.of(items)
