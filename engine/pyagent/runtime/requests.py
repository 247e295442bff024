"""Requests to runs: cancel, pause, resume, answer, signal, resolve, fork. They are left as messages, or make a run."""

from __future__ import annotations

import asyncio
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pyagent.errors import InputError, LeaseHeld, NotFound, RunError, Where
from pyagent.graph.source import GraphLike
from pyagent.graph.yaml import Document
from pyagent.runtime.answers import checked_answer
from pyagent.runtime.expressions import Expressions
from pyagent.runtime.forking import blobs_of, fork_entries, kept_rows
from pyagent.runtime.imported import refuse_imported
from pyagent.runtime.inputs import given_json
from pyagent.runtime.journal import event, first_commit, read_entries
from pyagent.runtime.log import Outputs, StepKey, encode
from pyagent.runtime.migration import Migrate, migration_of
from pyagent.runtime.partial import labelled, outermost
from pyagent.runtime.program import Program
from pyagent.runtime.state import RunState
from pyagent.runtime.values import Values
from pyagent.runtime.versions import Versions, version_of
from pyagent.sdk.items import Items
from pyagent.store.base import ENDED, Commit, NewRun, Run, StepRecord, Store


def new_run_id() -> str:
    """A new run's id: sorts by time, 20 characters."""
    return f"{int(time.time() * 1000):011x}{secrets.token_hex(5)[:9]}"


class Requests(ABC):
    """The part of the engine that asks things of runs; whoever drives a run takes them in."""

    store: Store
    peer: str
    lease: timedelta
    owner: str
    _versions: Versions

    @abstractmethod
    async def document(self, graph: GraphLike) -> Document:
        """The graph as a document. Raises `GraphError`, `NotFound`."""

    @abstractmethod
    def _expressions_of(self, program: Program) -> Expressions: ...

    async def cancel(self, run_id: str, *, reason: str = "", actor: str = "local") -> None:
        """Ask a run to stop; its steps get a grace time. A run that has ended stays as it is, but for one that has
        begun anew (`flow.restart`): then its newest successor is asked."""
        run = await self._newest(run_id)
        await self.store.post(run.id, "cancel", body=encode({"reason": reason}), actor=actor)

    async def pause(self, run_id: str, *, actor: str = "local") -> None:
        """Ask a run, or its newest successor, to start nothing new until it is resumed."""
        run = await self._newest(run_id)
        await self.store.post(run.id, "pause", actor=actor)

    async def resume(self, run_id: str, *, actor: str = "local") -> Run:
        """Let a paused, failed or cancelled run go on; a run whose worker died is taken over by `drive`.

        Raises `RunError`: `run.completed` if it has completed, `run.imported` if it came from a file.
        """
        run = await self.store.get_run(run_id)
        refuse_imported(run)
        if run.status == "completed":
            raise RunError(
                f"the run {run.id} has completed", code="run.completed", hint="`pyagent fork` runs part of it again."
            )
        if run.status in ("running", "paused", "failed", "cancelled"):
            # A running one may have been asked to pause a moment ago.
            await self.store.post(run.id, "resume", actor=actor)
        if run.status in ("failed", "cancelled"):
            # A run that has ended is nobody's to take; a paused one with a message is.
            with suppress(LeaseHeld):
                lease = await self.store.claim(run.id, self.peer, self.lease)
                # Where runs take turns, it waits for its own again.
                status = "paused" if run.slot is None else "queued"
                await self.store.commit(lease, Commit(status=status, release=True))
        return run

    async def answer(self, run_id: str, step: str, value: Any, *, actor: str = "local") -> None:
        """Answer a waiting step: for an approval `{"approved": bool, "comment": str}`, for a form its fields.

        `step` may be empty where only one waits. Raises `NotFound` (`run.not_waiting`) if none does, `InputError`
        (`run.answer`) for an answer that is not what was asked for.
        """
        run = await self.store.get_run(run_id)
        chosen = await self._waiting(run, step, ("approval", "form", "webhook"))
        answer = checked_answer(chosen.step, chosen.wait or {}, value)
        await self.store.post(run.id, "answer", step=chosen.step, body=encode(answer), actor=actor)

    async def signal(
        self,
        name: str,
        value: Any = None,
        *,
        key: str = "",
        run_id: str | None = None,
        actor: str = "local",
        sent_by: str | None = None,
        once: str = "",
    ) -> None:
        """Send a signal, to one run or to whichever waits for its name and key; it is kept if it comes before.

        With `once`, a word of the run `sent_by`, it is sent no second time.

        Raises `NotFound` (`run.not_waiting` for a run that has ended and could be resumed), `InputError`
        (`run.signal_name`) without a name, for a value that JSON cannot hold (`input.invalid`), `RunError`
        (`run.completed`).
        """
        if not name:
            raise InputError("a signal has a name", code="run.signal_name", hint="Give the name that the wait awaits.")
        run = await self._newest(run_id) if run_id else None
        if run is not None and run.status == "completed":
            raise RunError(
                f"the run {run.id} has completed: nothing in it can wait for a signal",
                code="run.completed",
                hint="Leave the run out to send it to whichever run waits.",
            )
        if run is not None and run.status in ENDED:
            raise NotFound(
                f"the run {run.id} has ended ({run.status}): nothing in it waits for a signal",
                code="run.not_waiting",
                hint=f"Let it go on first: pyagent resume {run.id}",
            )
        to = run.id if run else None
        body = given_json(value, f"the value of the signal {name}", field="value")
        await self.store.post(to, "signal", name=name, key=key, body=body, actor=actor, sent_by=sent_by, once=once)

    async def resolve(
        self,
        run_id: str,
        step: str,
        how: Literal["done", "retry", "failed"],
        *,
        items: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None = None,
        actor: str = "local",
    ) -> None:
        """Settle a step whose outcome is unknown: done (with the items it gave), to be tried again, or failed."""
        run = await self.store.get_run(run_id)
        chosen = await self._waiting(run, step, ("unknown",))
        body = given_json({"how": how, "items": items}, "what the step is settled by", field="items")
        await self.store.post(run.id, "resolve", step=chosen.step, body=body, actor=actor)

    async def _newest(self, run_id: str) -> Run:
        """The run, or the successor that goes on for it now. Raises `NotFound`."""
        run = await self.store.get_run(run_id)
        while run.continued_as is not None:
            run = await self.store.get_run(run.continued_as)
        return run

    async def waiting_step(self, run_id: str, step: str, kinds: Sequence[str]) -> StepRecord:
        """The step, the only one if `step` is empty, that waits for one of these kinds. Raises `NotFound`
        (`run.not_waiting`)."""
        return await self._waiting(await self.store.get_run(run_id), step, kinds)

    async def _waiting(self, run: Run, step: str, kinds: Sequence[str]) -> StepRecord:
        found = [
            record
            for record in await self.store.steps(run.id)
            if record.status in ("waiting", "unknown") and (record.wait or {}).get("kind") in kinds
        ]
        chosen = [record for record in found if step in (record.step, record.node)] if step else found
        if len(chosen) == 1:
            return chosen[0]
        if run.status in ENDED:
            raise NotFound(
                f"the run {run.id} has ended ({run.status}): nothing in it waits",
                code="run.not_waiting",
                hint=f"See how it ended: pyagent show {run.id}",
                where=Where(step=step or None),
            )
        names = ", ".join(record.step for record in found) or "none"
        what = "several steps could be meant" if chosen else "no such step waits for that"
        raise NotFound(
            f"{what} in the run {run.id}",
            code="run.not_waiting",
            hint=f"Steps that wait: {names}.",
            where=Where(step=step or None),
        )

    async def fork(
        self,
        run_id: str,
        step: str,
        *,
        items: Any = None,
        graph: GraphLike | None = None,
        once: Literal["ask", "repeat", "reuse"] = "ask",
        until: str = "",
        test: bool | None = None,
        actor: str = "local",
    ) -> Run:
        """A new run that keeps every outcome of `run_id` which does not descend from `step` (SEMANTICS 24).

        `items` become the step's outcome; without them the step is executed again. `graph` runs on another version.
        `once`: what to do with `once` steps that the source had done below the step; `ask` raises `InputError`
        (`run.fork_once`) that names them. `until`: only this node and what leads to it take part, also where the source
        did not come so far. `test` makes it a test run, or none; None: as the source is.

        Raises `InputError` (`run.state_migration`) where a state channel that holds a value is of another type there,
        and no migration says what becomes of it, and (`run.fork_nothing`) where there is nothing to do.
        """
        source = await self.store.get_run(run_id)
        versions = self._versions.of_run()
        old = await versions.load(source.graph_hash)
        entries = await read_entries(self.store, source.id)
        await versions.pinned(entries)
        if graph is None:
            spec, text = old.graph, (await self.store.get_graph(source.graph_hash)).text
        else:
            document = await self.document(graph)
            spec, text = document.spec, document.text
        production = source.production if test is None else not test
        if graph is None and production == source.production:
            new = old
        else:
            new = versions.program(spec, version_of(spec, production=production))
        trigger = new.trigger(source.trigger)
        new.root(trigger, until)
        until = until and outermost(new.graph, until)

        expressions = {program.hash: self._expressions_of(program) for program in (old, new)}

        def writes(state: RunState, key: StepKey, outputs: Outputs) -> Mapping[str, Any]:
            values = Values(state, lambda program: expressions[program.hash], run_id=source.id)
            given = Items.concat(list(state.inputs_of(key).values()))
            return values.writes(key, given, outputs, datetime.now(UTC), waits=True)

        def migration(state: Mapping[str, Any], inputs: Mapping[str, Any]) -> Migrate:
            return migration_of(expressions[new.hash], old.graph, state, inputs, datetime.now(UTC))

        # Its expressions may take long.
        kept = await asyncio.to_thread(
            fork_entries, entries, step, items=items, once=once, old=old, new=new, load=versions.loaded,
            writes=writes, migration=migration, now=datetime.now(UTC),
            trigger=trigger, until=until, tests=(not source.production, not production),
        )  # fmt: skip
        rows = await asyncio.to_thread(kept_rows, kept, new, versions.loaded)
        await self.store.put_graph(spec.id, new.hash, text)
        # One transaction: a worker that claimed a fork without its log would do everything again.
        return await self.store.create_run(
            NewRun(
                id=new_run_id(),
                graph_id=spec.id,
                graph_hash=new.hash,
                trigger=source.trigger,
                inputs=source.inputs,
                production=production,
                forked_from=source.id,
                owner=self.owner,
                actor=actor,
                labels=labelled(source.labels, until),
                slot=source.slot,
                slots=source.slots,
                priority=source.priority,
                fairness=source.fairness,
                weight=source.weight,
            ),
            [event("run.forked", source=source.id, step=step, actor=actor)],
            replace(first_commit(kept, sorted(blobs_of(kept))), steps=rows),
        )
