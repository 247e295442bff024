"""Runs that take turns: `settings.concurrency` lets at most so many with the same key be at work (or wait) at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from blake3 import blake3

from pyagent.graph.spec import GraphSpec
from pyagent.runtime.expressions import EvaluationContext, Expressions
from pyagent.runtime.log import encode


class Turn(NamedTuple):
    """The slot that a run shares with others, and how many of them may have it at once."""

    slot: str | None
    slots: int


def turn_of(graph: GraphSpec, expressions: Expressions, inputs: Mapping[str, Any], owner: str) -> Turn:
    """The turn of a run with these inputs; no slot where the graph says nothing, or its key is null. Raises
    `ExpressionError`."""
    said = graph.settings.concurrency
    if said is None:
        return Turn(None, 1)
    context = EvaluationContext(now=datetime.now(UTC), inputs=dict(inputs), json=dict(inputs))
    key = expressions.evaluate(said.key, context, field="settings.concurrency.key")
    if key is None:
        return Turn(None, 1)
    return Turn(blake3(encode([owner, graph.id, key])).hexdigest()[:32], said.limit)
