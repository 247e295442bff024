"""The nodes of a graph at which the world starts it, and when it will."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from pyagent.errors import GraphError, Where
from pyagent.graph.spec import GraphSpec, NodeSpec
from pyagent.sdk.node import NodeType
from pyagent.sdk.params import NodeParams
from pyagent.sdk.registry import Registry
from pyagent.sdk.sources import Endpoint

if TYPE_CHECKING:
    from pyagent.store.base import Activation


@dataclass(frozen=True, kw_only=True)
class LiveTrigger:
    """A trigger node of a graph version that the world starts."""

    graph: GraphSpec
    node: NodeSpec
    type: NodeType
    params: NodeParams
    activation: Activation | None = None
    """None for a version that is only being looked at."""

    @property
    def timezone(self) -> str:
        """The graph's time zone, else UTC."""
        return self.graph.settings.timezone or "UTC"

    @cached_property
    def endpoint(self) -> Endpoint | None:
        """Where it takes requests, if it does."""
        return self.type.endpoint(self.params) if self.type.endpoint is not None else None

    def key(self, occurrence: str) -> str:
        """The start key of an occurrence."""
        return f"{self.node.id}/{occurrence}"


def live_triggers(registry: Registry, graph: GraphSpec, activation: Activation | None = None) -> list[LiveTrigger]:
    """The nodes of the graph at which the world starts it. Raises `GraphError` where they are not what they were."""
    found: list[LiveTrigger] = []
    for node in graph.nodes:
        node_type = registry.get(str(node.use))
        if node_type is None:
            raise GraphError(
                f"there is no node type {node.use}",
                code="graph.node.unknown_type",
                where=Where(node=node.id),
                hint="Install it again, or activate the graph without it.",
            )
        if not node_type.live:
            continue
        try:
            params = node_type.validate_params(node.params)
        except ValueError as error:  # pydantic's: the node type has changed since the graph was activated
            raise GraphError(
                f"the parameters do not fit {node.use}: {error}",
                code="graph.param.invalid",
                where=Where(node=node.id),
                hint="Correct the graph and activate it again.",
            ) from error
        found.append(LiveTrigger(graph=graph, node=node, type=node_type, params=params, activation=activation))
    return found


def next_times(trigger: LiveTrigger, after: datetime, count: int) -> Sequence[datetime]:
    """The trigger's next times; none for those that do not know them."""
    if trigger.type.upcoming is None or not count:
        return ()
    return trigger.type.upcoming(trigger.params, after, count, trigger.timezone)


def scheduled(registry: Registry, graph: GraphSpec, after: datetime, count: int) -> dict[str, Sequence[datetime]]:
    """The next times of a graph's triggers, by node, were it active. Empty where its parameters do not fit."""
    try:
        triggers = live_triggers(registry, graph)
    except GraphError:
        return {}
    return {trigger.node.id: times for trigger in triggers if (times := next_times(trigger, after, count))}


__all__ = ["LiveTrigger", "live_triggers", "next_times", "scheduled"]
