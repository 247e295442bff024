"""How live triggers stand: next times, last runs, problems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyagent.errors import GraphError, NotFound
from pyagent.runtime.activation import ActiveGraphs, last_run
from pyagent.runtime.engine import Engine
from pyagent.runtime.live_triggers import LiveTrigger, next_times
from pyagent.store.base import Activation, Run


@dataclass(frozen=True, kw_only=True)
class TriggerState:
    """A live trigger as it stands."""

    trigger: LiveTrigger | None
    """None for an active graph whose triggers cannot be read any more; `problem` says why."""
    activation: Activation
    edited: bool
    """The graph differs from the version that is active."""
    next: Sequence[datetime]
    """Its next times, if it knows them."""
    last_run: Run | None
    problem: Mapping[str, Any] | None
    """`PyAgentError.as_dict()` with the time `at`."""


async def trigger_states(engine: Engine, count: int = 3) -> list[TriggerState]:
    """Every live trigger, with its `count` next times."""
    found: list[TriggerState] = []
    edited: dict[str, bool] = {}
    now = await engine.store.now()
    live = await ActiveGraphs(engine).triggers()
    known = {trigger.graph.id for trigger in live}
    for activation in await engine.store.activations():
        if activation.graph_id not in known and activation.problems:
            problem = next(iter(activation.problems.values()))
            found.append(
                TriggerState(trigger=None, activation=activation, edited=False, next=(), last_run=None, problem=problem)
            )
    for trigger in live:
        activation = trigger.activation
        assert activation is not None
        graph_id = trigger.graph.id
        if graph_id not in edited:
            edited[graph_id] = await _differs(engine, activation)
        found.append(
            TriggerState(
                trigger=trigger,
                activation=activation,
                edited=edited[graph_id],
                next=next_times(trigger, now, count),
                last_run=await last_run(engine, trigger),
                problem=activation.problems.get(trigger.node.id),
            )
        )
    return found


async def _differs(engine: Engine, activation: Activation) -> bool:
    try:
        return (await engine.document(activation.graph_id)).spec.hash() != activation.graph_hash
    except (GraphError, NotFound):
        return True


__all__ = ["TriggerState", "trigger_states"]
