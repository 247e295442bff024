"""Which graphs the world may start: activating a version, and its triggers ready to be served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from pyagent.errors import GraphError, PyAgentError, Where
from pyagent.graph.source import GraphLike
from pyagent.graph.spec import GraphSpec
from pyagent.graph.yaml import Document, load_text
from pyagent.runtime.checking import GraphChecker
from pyagent.runtime.engine import FOREVER, Engine
from pyagent.runtime.inputs import checked_inputs
from pyagent.runtime.journal import event
from pyagent.runtime.live_triggers import LiveTrigger, live_triggers
from pyagent.runtime.log import encode
from pyagent.runtime.requests import new_run_id
from pyagent.runtime.turns import Turn
from pyagent.sdk.sources import Occurrence
from pyagent.store.base import Activation, ClaimTaken, Commit, NewRun, Run, RunFilter


async def activate(engine: Engine, graph: GraphLike, *, actor: str = "local") -> Activation:
    """Let the world start the graph as it is now, in place of the version that is active.

    Raises `GraphError` if it may not run, starts nowhere by itself (`trigger.none`), or has a webhook's address twice
    or one that another active graph has (`trigger.address_taken`).
    """
    document = await engine.document(graph)
    GraphChecker(engine.registry).require(document)
    spec = document.spec
    triggers = live_triggers(engine.registry, spec)
    if not triggers:
        raise GraphError(
            f"nothing in the world starts the graph {spec.id}",
            code="trigger.none",
            hint="Give it a trigger such as `flow.schedule` or `flow.webhook`, or start it with `pyagent run`.",
        )
    claims: dict[str, str] = {}
    for trigger in triggers:
        for claim in trigger.endpoint.claims if trigger.endpoint is not None else ():
            if claim in claims:
                raise GraphError(
                    f"{claims[claim]} and {trigger.node.id} take requests at the same address: {claim}",
                    code="trigger.address_taken",
                    where=Where(node=trigger.node.id, field="with.path"),
                    hint="Change the path or the methods of one of them.",
                )
            claims[claim] = trigger.node.id
    hash = spec.hash()
    await engine.store.put_graph(spec.id, hash, document.text)
    try:
        return await engine.store.activate(spec.id, hash, claims=list(claims), actor=actor)
    except ClaimTaken as taken:
        raise GraphError(
            f"the active graph {taken.details['graph']} takes requests at the same address: "
            f"{', '.join(taken.details['claims'])}",
            code="trigger.address_taken",
            where=Where(node=claims[taken.details["claims"][0]], field="with.path"),
            hint=f"Change the path in one of them, or run `pyagent deactivate {taken.details['graph']}`.",
            details=taken.details,
        ) from taken


async def deactivate(engine: Engine, graph_id: str) -> bool:
    """Let the world start the graph no more; its runs go on. False if it was not active."""
    return await engine.store.deactivate(graph_id)


class ActiveGraphs:
    """The active graphs' triggers; each version is read once."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._documents: dict[str, Document] = {}
        self._triggers: dict[str, tuple[Activation, list[LiveTrigger]]] = {}
        self._seen: list[Activation] | None = None
        """What the store said the last time; the same list says the same."""
        self._found: list[LiveTrigger] = []

    async def triggers(self) -> list[LiveTrigger]:
        """Every live trigger, by graph and place in the file. What cannot be read any more is told as a problem."""
        activations = await self.engine.store.activations()
        if activations is self._seen:
            return self._found
        found: dict[str, tuple[Activation, list[LiveTrigger]]] = {}
        for activation in activations:
            known = self._triggers.get(activation.graph_id)
            if known is None or known[0] != activation:
                known = (activation, await self._read(activation))
            found[activation.graph_id] = known
        self._triggers = found
        hashes = {activation.graph_hash for activation in activations}
        self._documents = {hash: kept for hash, kept in self._documents.items() if hash in hashes}
        self._found = [trigger for _, triggers in found.values() for trigger in triggers]
        self._seen = activations
        return self._found

    async def _read(self, activation: Activation) -> list[LiveTrigger]:
        try:
            if (document := self._documents.get(activation.graph_hash)) is None:
                document = load_text((await self.engine.store.get_graph(activation.graph_hash)).text)
                self._documents[activation.graph_hash] = document
            return live_triggers(self.engine.registry, document.spec, activation)
        except GraphError as error:
            if not activation.problems:
                await self.engine.store.set_problem(activation.graph_id, error.where.node or "", error.as_dict())
            return []


async def start_occurrence(
    engine: Engine,
    trigger: LiveTrigger,
    occurrence: Occurrence,
    *,
    blobs: Sequence[tuple[str, bytes]] = (),
    keyed: bool = True,
    labels: Mapping[str, str] | None = None,
) -> Run:
    """Start the run of an occurrence in the version that is active; one that has been started is returned as it is.

    `keyed` False: nobody can see this occurrence a second time. Raises `InputError`, `StoreError`.
    """
    assert trigger.activation is not None
    graph = trigger.graph
    alone = occurrence.overlap != "allow"
    others = await _alive(engine, trigger, occurrence) if alone else []
    skipped = occurrence.overlap == "skip" and bool(others)
    first = Commit(blobs=blobs) if blobs else None
    events = [event("run.queued", graph=graph.id, actor=trigger.type.name)]
    if skipped:
        # It is kept as a run, so that everybody knows that this time has been seen to, and why nothing came of it.
        reason = f"the run {others[0].id} of this trigger is alive"
        events.append(event("run.cancelled", reason=reason, actor=trigger.type.name))
        first = Commit(status="cancelled")
    inputs = inputs_of(graph, occurrence)
    turn = await engine.turn(graph, inputs)
    if skipped:
        turn = Turn(priority=turn.priority)
    elif alone:
        # Two workers may have looked at the same time: by its slot none begins before the others have ended.
        turn = turn._replace(slot=f"{engine.owner}/{graph.id}/{trigger.node.id}/overlap", slots=1)
    run = await engine.create(
        NewRun(
            id=new_run_id(),
            graph_id=graph.id,
            graph_hash=trigger.activation.graph_hash,
            trigger=trigger.node.id,
            inputs=encode(inputs),
            key=trigger.key(occurrence.key) if keyed else None,
            key_policy="existing",
            key_window=FOREVER,
            **turn._asdict(),
            owner=engine.owner,
            actor=trigger.type.name,
            labels=dict(labels or {}),
        ),
        events,
        first,
    )
    if occurrence.overlap == "cancel_other":
        for other in others:
            if other.created_at < run.created_at:
                with suppress(PyAgentError):  # it has ended by itself meanwhile
                    await engine.cancel(other.id, reason=f"the run {run.id} takes its place", actor=trigger.type.name)
    return run


async def _alive(engine: Engine, trigger: LiveTrigger, occurrence: Occurrence) -> list[Run]:
    """The runs that the trigger has started, for other occurrences, and that have not ended."""
    alive = RunFilter(
        graph_id=trigger.graph.id,
        owner=engine.owner,
        statuses=("queued", "running", "waiting", "paused"),
        limit=1000,
    )
    return [
        run
        for run in await engine.store.list_runs(alive)
        if run.trigger == trigger.node.id
        and run.actor == trigger.type.name  # not somebody who ran the graph by hand
        and run.key != trigger.key(occurrence.key)
    ]


def inputs_of(graph: GraphSpec, occurrence: Occurrence) -> dict[str, Any]:
    """The run's inputs: those of the occurrence, and what the graph wants to know of its facts."""
    facts: Mapping[str, Any] = occurrence.facts
    if graph.inputs:
        facts = {name: value for name, value in facts.items() if name in graph.inputs}
    return checked_inputs(graph, {**facts, **occurrence.inputs})


async def has_started(engine: Engine, graph_id: str, key: str) -> bool:
    """Whether a run of the graph has begun with this start key; also one that is deleted, for the key's window."""
    if await engine.store.key_holder(engine.owner, graph_id, key) is not None:
        return True
    return bool(await engine.store.list_runs(RunFilter(graph_id=graph_id, owner=engine.owner, key=key, limit=1)))


async def last_run(engine: Engine, trigger: LiveTrigger) -> Run | None:
    """The newest run that the trigger has started, among the graph's last ones."""
    runs = await engine.store.list_runs(RunFilter(graph_id=trigger.graph.id, owner=engine.owner, limit=100))
    return next((run for run in runs if run.production and run.trigger == trigger.node.id), None)


__all__ = [
    "ActiveGraphs",
    "activate",
    "deactivate",
    "has_started",
    "inputs_of",
    "last_run",
    "start_occurrence",
]
