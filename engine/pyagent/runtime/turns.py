"""When a run's turn comes: `settings.concurrency`, `settings.priority` and `settings.fairness` of its graph."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from pyagent.errors import InputError
from pyagent.graph.spec import GraphSpec
from pyagent.native import blake3_hex
from pyagent.runtime.expressions import EvaluationContext, Expressions
from pyagent.runtime.log import encode
from pyagent.sdk.later import in_time

MAX_PRIORITY = 1000


class Turn(NamedTuple):
    """A run's place among the queued ones; the names are those of `NewRun`."""

    slot: str | None = None
    """What it shares with others, of which at most `slots` may have it at once."""
    slots: int = 1
    priority: int = 0
    fairness: str | None = None
    """The group that takes turns with others of its priority; None: its graph's runs."""
    weight: int = 1


async def turn_of(
    graph: GraphSpec,
    expressions: Expressions,
    inputs: Mapping[str, Any],
    owner: str,
    *,
    priority: int | None = None,
    inherited: int = 0,
) -> Turn:
    """The turn of a run with these inputs. A key that is null is none. `priority` goes before what the graph says, and
    that before the `inherited` one. Raises `ExpressionError`, `InputError` (`run.priority`)."""
    if priority is not None and not -MAX_PRIORITY <= priority <= MAX_PRIORITY:
        raise InputError(
            f"a run cannot have the priority {priority}",
            code="run.priority",
            hint=f"Give one from -{MAX_PRIORITY} to {MAX_PRIORITY}; those with a higher one begin first.",
        )
    settings = graph.settings
    if priority is None:
        priority = inherited if settings.priority is None else settings.priority
    concurrency, fairness = settings.concurrency, settings.fairness
    if concurrency is None and fairness is None:
        return Turn(priority=priority)
    context = EvaluationContext(now=datetime.now(UTC), inputs=dict(inputs), json=dict(inputs))

    async def named(of: str, template: str | None, *scope: str) -> str | None:
        if template is None:
            return None
        field = f"settings.{of}.key"
        key = await in_time(partial(expressions.evaluate, template, context, field=field, waits=False))
        return None if key is None else blake3_hex(encode([owner, *scope, key]))[:32]

    slot = None if concurrency is None else await named("concurrency", concurrency.key, graph.id)
    return Turn(
        slot=slot,
        slots=1 if concurrency is None or slot is None else concurrency.limit,
        priority=priority,
        # A group may span graphs: a customer has one turn, whatever is done for it.
        fairness=None if fairness is None else await named("fairness", fairness.key),
        weight=1 if fairness is None else fairness.weight,
    )
