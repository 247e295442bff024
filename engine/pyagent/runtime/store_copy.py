"""Copies one store into another, of whichever kind: graphs, activations, runs with all that belongs to them, signals.

A run is copied in one transaction and compared afterwards, so that a copy that was cut short goes on where it was. What
is at work in the source is left out. Lineage for a store that keeps it is read from the log again.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pyagent.errors import NotFound, PyAgentError, StoreError
from pyagent.runtime.lineage import told_lineage
from pyagent.runtime.log import Entry, StepKey
from pyagent.runtime.state import RunState
from pyagent.runtime.store_runs import all_runs, every_event
from pyagent.store.base import Commit, KeyTaken, NewEvent, NewRun, Run, StepRecord, Store

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver

    from pyagent.runtime.engine import Engine

CARRIER = "pyagent_store_copy"
"""The graph's id of a run that refers to large blobs until the run that they belong to is there."""
WITH_COMMIT = 256 * 1024
"""Bytes up to which a blob goes with the run's transaction; larger ones go before it, in pieces."""
_PIECE = 4 * 1024 * 1024
_MANY = 1_000_000


class CopyDiffers(StoreError):
    """A run at the target is not what it is in the source."""

    code = "store.copy_differs"
    hint = "Delete it at the target (`pyagent delete`) and copy again, or leave it as it is."


@dataclass(kw_only=True)
class Copied:
    """What a copy came to."""

    graphs: int = 0
    """Versions of graphs that were not there before."""
    activations: int = 0
    runs: list[str] = field(default_factory=list[str])
    there: int = 0
    """Runs that were there already, and the same."""
    at_work: list[str] = field(default_factory=list[str])
    """Runs that were left out because a worker has them, or had them when it died."""
    differs: list[str] = field(default_factory=list[str])
    """Runs that are there already, and are something else."""
    without_lineage: list[str] = field(default_factory=list[str])
    """Runs whose nodes or graphs are not here any more, so that their log could not be read as steps."""
    signals: int = 0
    checkpoints: int = 0


async def copy_store(source: Engine, target: Store, told: Callable[[Run], None] = lambda run: None) -> Copied:
    """Copy all that the target has not. `source`: an engine on the store to copy from; `told` hears of each run.

    Raises `StoreError`, and `CopyDiffers` if a run that was just copied reads differently.
    """
    store = source.store
    done = Copied()
    await _remove_carriers(target)
    await _copy_graphs(store, target, done)
    carrier = Carrier(target)
    try:
        for listed in reversed([run async for run in all_runs(store)]):
            if listed.graph_id == CARRIER:
                continue
            run = await store.get_run(listed.id)
            if run.status == "running" or run.lease_owner is not None:
                done.at_work.append(run.id)
            elif await _there(target, run.id):
                if await _same(store, target, run.id):
                    done.there += 1
                else:
                    done.differs.append(run.id)
            else:
                told(run)
                await _copy_run(source, target, run, carrier, done)
    finally:
        await carrier.remove()
    await _copy_signals(store, target, done)
    done.checkpoints = await _copy_checkpoints(store.langgraph_saver(), target.langgraph_saver())
    return done


async def _copy_graphs(store: Store, target: Store, done: Copied) -> None:
    for graph_id in await store.graph_ids():
        kept = {version.hash for version in await target.graph_versions(graph_id, _MANY)}
        for version in reversed(await store.graph_versions(graph_id, _MANY)):
            if version.hash not in kept:
                await target.put_graph(graph_id, version.hash, version.text)
                done.graphs += 1
    active = {found.graph_id: found.graph_hash for found in await target.activations()}
    for found in await store.activations():
        if active.get(found.graph_id) != found.graph_hash:
            await target.activate(found.graph_id, found.graph_hash, claims=found.claims, actor=found.actor)
            done.activations += 1
            for node, problem in found.problems.items():
                await target.set_problem(found.graph_id, node, problem)


async def _there(target: Store, run_id: str) -> bool:
    with suppress(NotFound):
        return (await target.get_run(run_id)).id == run_id
    return False


async def _copy_run(source: Engine, target: Store, run: Run, carrier: Carrier, done: Copied) -> None:
    store = source.store
    blobs, refers = await carrier.bring(store, await store.blobs_of(run.id))
    events = [
        NewEvent(kind=event.kind, step=event.step, at=event.at, data=event.data)
        for event in await every_event(store, run.id)
    ]
    steps = await store.steps(run.id)
    if target.keeps_lineage:
        try:
            steps = await with_lineage(source, run.id, steps)
        except PyAgentError:
            done.without_lineage.append(run.id)
    first = Commit(
        entries=await store.read_log(run.id),
        events=events,
        steps=steps,
        blobs=blobs,
        refers=refers,
        status=run.status,
        wake_at=run.wake_at,
        outputs=run.outputs,
        error=run.error,
    )
    new = _new_run(run)
    try:
        await target.create_run(new, first=first)
    except KeyTaken:
        # An older run with the key is alive: this one had replaced it, and holds the key no more than there.
        await target.create_run(replace(new, key=None), first=first)
    for message in await store.messages(run.id):
        await target.post(
            run.id,
            message.kind,
            step=message.step,
            name=message.name,
            key=message.key,
            body=message.body,
            actor=message.actor,
        )
    await target.restore(run)
    if not await _same(store, target, run.id):
        raise CopyDiffers(f"The copy of run {run.id} reads differently.", details={"run": run.id})
    done.runs.append(run.id)


def _new_run(run: Run) -> NewRun:
    return NewRun(
        id=run.id,
        graph_id=run.graph_id,
        graph_hash=run.graph_hash,
        trigger=run.trigger,
        inputs=run.inputs,
        production=run.production,
        key=run.key,
        parent_run=run.parent_run,
        parent_step=run.parent_step,
        forked_from=run.forked_from,
        slot=run.slot,
        slots=run.slots,
        priority=run.priority,
        fairness=run.fairness,
        weight=run.weight,
        owner=run.owner,
        actor=run.actor,
        semantics=run.semantics,
        labels=run.labels,
    )


async def with_lineage(source: Engine, run_id: str, steps: Sequence[StepRecord]) -> list[StepRecord]:
    """The steps' records with the lineage that follows from the run's log. Raises `PyAgentError` where graphs or node
    types that the log speaks of are gone."""
    state, entries = await source.replay(run_id)
    return lineage_of(state, entries, [record.body for record in await source.store.read_log(run_id)], steps)


def lineage_of(
    state: RunState, entries: Sequence[Entry], bodies: Sequence[bytes], steps: Sequence[StepRecord]
) -> list[StepRecord]:
    """The steps' records with the lineage that follows from entries, and from their bodies as they are kept; `state` is
    that before the first one. Raises `PyAgentError` for entries that cannot be."""
    found = {record.step: record for record in steps}

    def tell(key: StepKey, body: bytes) -> None:
        if (record := found.get(str(key))) is not None:
            outputs = entry.outputs or {} if key == entry.step else state.outcomes[key].outputs
            found[str(key)] = replace(record, lineage=told_lineage(state, key, outputs, body))

    for entry, body in zip(entries, bodies, strict=True):
        if entry.kind == "step.ended" and entry.step is not None:
            tell(entry.step, body)
        for key in state.apply(entry).expanded:
            tell(key, b"")
    return list(found.values())


async def _same(store: Store, target: Store, run_id: str) -> bool:
    """Whether both stores tell the same about a run, but for what a worker or a successor changes."""
    mine, theirs = [await _told(each, run_id) for each in (store, target)]
    return mine == theirs


async def _told(store: Store, run_id: str) -> tuple[object, ...]:
    run = await store.get_run(run_id)
    plain = replace(run, lease_owner=None, lease_expires_at=None, adoptions=0, continued_as=None)
    steps = [replace(step, lineage=None) for step in await store.steps(run_id)]
    events = [(event.kind, event.step, event.at, dict(event.data)) for event in await every_event(store, run_id)]
    messages = [
        (found.kind, found.step, found.name, found.key, found.body, found.actor)
        for found in await store.messages(run_id)
    ]
    return plain, await store.read_log(run_id), steps, events, messages, dict(await store.blobs_of(run_id))


class Blobs(Protocol):
    """Where payloads come from; as in the store's contract."""

    async def blob_size(self, digest: str) -> int: ...

    async def get_blob(self, digest: str) -> bytes: ...

    async def read_blob(self, digest: str, start: int, end: int) -> bytes: ...


class Carrier:
    """Brings blobs to the target before the run that they belong to is there."""

    def __init__(self, target: Store) -> None:
        self._target = target
        self._run = ""

    async def bring(self, store: Blobs, blobs: Iterable[str]) -> tuple[list[tuple[str, bytes]], list[str]]:
        """The blobs to commit with the run, and those that it may refer to."""
        small: list[tuple[str, bytes]] = []
        refers: list[str] = []
        for digest in blobs:
            size = await store.blob_size(digest)
            if size <= WITH_COMMIT:
                small.append((digest, await store.get_blob(digest)))
                continue
            refers.append(digest)
            with tempfile.NamedTemporaryFile(prefix="pyagent-copy-") as file:
                for start in range(0, size, _PIECE):
                    file.write(await store.read_blob(digest, start, start + _PIECE))
                file.flush()
                brought, _ = await self._target.put_blob_file(await self._started(), Path(file.name))
            if brought != digest:
                raise StoreError(
                    f"The content of blob {digest[:12]}… does not fit its digest.",
                    code="store.blob_digest",
                    hint="It is damaged in the source: `pyagent store check` tells which runs have it.",
                    details={"digest": digest},
                )
        return small, refers

    async def _started(self) -> str:
        if not self._run:
            new = NewRun(id=f"copy{uuid.uuid4().hex}", graph_id=CARRIER, graph_hash="", trigger="", inputs=b"{}")
            self._run = (await self._target.create_run(new, first=Commit(status="completed"))).id
        return self._run

    async def remove(self) -> None:
        """Let go of what was brought."""
        if self._run:
            await self._target.delete_run(self._run)


async def _remove_carriers(target: Store) -> None:
    """Those of copies that were cut short."""
    for run in [found async for found in all_runs(target, graph_id=CARRIER)]:
        await target.delete_run(run.id)


async def _copy_signals(store: Store, target: Store, done: Copied) -> None:
    there = [(found.name, found.key, found.body, found.actor) for found in await target.signals()]
    for found in await store.signals():
        same = (found.name, found.key, found.body, found.actor)
        if same in there:
            there.remove(same)
            continue
        await target.post(None, found.kind, name=found.name, key=found.key, body=found.body, actor=found.actor)
        done.signals += 1


async def _copy_checkpoints(source: BaseCheckpointSaver[str], target: BaseCheckpointSaver[str]) -> int:
    """Checkpoints of LangGraph's threads, oldest first; returns how many were not there."""
    copied = 0
    for found in reversed([each async for each in source.alist(None)]):
        if await target.aget_tuple(found.config) is not None:
            continue
        place = (found.parent_config or found.config).get("configurable", {})
        versions = found.checkpoint["channel_versions"]
        before = {"thread_id": place["thread_id"], "checkpoint_ns": place.get("checkpoint_ns", "")}
        if found.parent_config is not None:
            before["checkpoint_id"] = place["checkpoint_id"]
        written = await target.aput({"configurable": before}, found.checkpoint, found.metadata, versions)
        by_task: dict[str, list[tuple[str, object]]] = {}
        for task, channel, value in found.pending_writes or ():
            by_task.setdefault(task, []).append((channel, value))
        for task, writes in by_task.items():
            await target.aput_writes(written, writes, task)
        copied += 1
    return copied
