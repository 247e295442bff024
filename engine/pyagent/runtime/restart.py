"""`flow.restart`: a run ends and its successor begins, exactly once (SEMANTICS 12).

What the successor begins with is in the log before the run ends; the run's last commit makes it. Whoever drives the
run to its end, after whatever deaths, makes it from the same log, and only one last commit is ever accepted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pyagent.errors import InputError, Where
from pyagent.graph.json_types import fits
from pyagent.graph.spec import GraphSpec
from pyagent.runtime.forking import blobs_of
from pyagent.runtime.journal import event, first_commit
from pyagent.runtime.log import Entry, StepKey, encode, timestamp
from pyagent.runtime.partial import until_of
from pyagent.runtime.state import GIVEN, RunState
from pyagent.sdk.items import Item
from pyagent.store.base import NewRun, Run, Successor


def begun_with(items: Sequence[Item]) -> list[Item]:
    """Items as a run begins with them: they come from nothing in it."""
    return [Item(item.json, item.binary) for item in items]


def checked_state(graph: GraphSpec, values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What the successor's state begins with. Raises `InputError` (`run.restart_state`)."""
    for name, value in (values or {}).items():
        known = ", ".join(graph.state) or "none"
        if name not in graph.state:
            raise InputError(
                f"the graph {graph.id} has no state channel {name!r}",
                code="run.restart_state",
                hint=f"Its channels: {known}.",
                where=Where(field=f"state.{name}"),
            )
        if not fits(graph.state[name].type, value):
            raise InputError(
                f"the state channel {name} holds {graph.state[name].type}, not {type(value).__name__}",
                code="run.restart_state",
                hint="Give a value of the channel's type, or leave the channel out.",
                where=Where(field=f"state.{name}"),
            )
    return None if values is None else dict(values)


def successor(run: Run, state: RunState, new_id: str) -> Successor | None:
    """The run that follows one that ends now; None if none does."""
    stopped = state.stopped or {}
    restart = stopped.get("restart")
    if restart is None:
        return None
    outcome = state.outcomes[StepKey.parse(stopped["step"])]
    kept: Mapping[str, Any] = state.frames[""].channels.given() if restart["state"] is None else restart["state"]
    data = {
        "inputs": restart["inputs"],
        "trigger": run.trigger,
        "at": timestamp(datetime.now(UTC)),
        "semantics": run.semantics,
        **({"graphs": restart["graphs"]} if restart["graphs"] else {}),
        **({"state": dict(kept)} if kept else {}),
        **({"until": until} if (until := until_of(run)) else {}),
    }
    given = {GIVEN: outcome.outputs[GIVEN]} if GIVEN in outcome.outputs else None
    started = Entry("run.started", None, data, given)
    return Successor(
        run=NewRun(
            id=new_id,
            graph_id=run.graph_id,
            graph_hash=restart["graph"],
            trigger=run.trigger,
            inputs=encode(restart["inputs"]),
            production=run.production,
            parent_run=run.parent_run,
            parent_step=run.parent_step,
            slot=restart["slot"],
            slots=restart["slots"],
            priority=run.priority,
            fairness=restart.get("fairness"),
            weight=restart.get("weight", 1),
            owner=run.owner,
            actor=run.actor,
            semantics=run.semantics,
            labels=dict(run.labels),
        ),
        events=[event("run.queued", graph=run.graph_id, actor=run.actor, continues=run.id)],
        first=first_commit([started], sorted(blobs_of([started]))),
    )
