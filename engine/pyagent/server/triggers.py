"""Routes about what starts graphs: activate, deactivate, list, and listen at test addresses."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request

from pyagent.errors import NotFound
from pyagent.runtime.activation import activate, deactivate
from pyagent.runtime.live_triggers import LiveTrigger
from pyagent.runtime.trigger_views import TriggerState, trigger_states
from pyagent.server.capabilities import actor
from pyagent.server.context import ServerContext, context_of
from pyagent.server.openapi import errors
from pyagent.server.shapes import RunSummary, Shape
from pyagent.server.webhooks import PRODUCTION, TEST, webhooks_of
from pyagent.store.base import Activation

router = APIRouter(prefix="/api/v1", tags=["triggers"])
Server = Annotated[ServerContext, Depends(context_of)]
GraphId = Annotated[str, Path(pattern="^[a-z][a-z0-9_]*$")]


class ActivationView(Shape):
    """A graph that the world may start."""

    graph: str
    graph_hash: str
    """The version that is active, whatever becomes of the file."""
    actor: str
    at: datetime
    since: datetime
    """Since when some version has been active without a break."""

    @classmethod
    def of(cls, activation: Activation) -> ActivationView:
        """The view of an activation."""
        return cls(
            graph=activation.graph_id,
            graph_hash=activation.graph_hash,
            actor=activation.actor,
            at=activation.at,
            since=activation.since,
        )


class Address(Shape):
    """Where a webhook takes requests."""

    path: str
    """Of this server; `{name}` stands for one segment."""
    methods: list[str]

    @classmethod
    def of(cls, trigger: LiveTrigger, prefix: str) -> Address | None:
        """The trigger's address, if it has one."""
        found = trigger.endpoint
        return None if found is None else cls(path=prefix + found.path, methods=list(found.methods))


class TriggerView(Shape):
    """A trigger of an active graph."""

    graph: str
    name: str
    node: str
    """Empty for an active graph whose triggers cannot be read any more."""
    type: str
    activated_at: datetime
    actor: str
    edited: bool
    """The graph's file differs from the version that is active: activate it again to publish it."""
    address: Address | None
    next: list[datetime]
    """Its next times, if it knows them."""
    last_run: RunSummary | None
    problem: dict[str, Any] | None
    """Why it does not work, or why its last occurrence started nothing."""

    @classmethod
    def of(cls, state: TriggerState) -> TriggerView:
        """The view of a trigger's state."""
        trigger, activation = state.trigger, state.activation
        return cls(
            graph=activation.graph_id,
            name=(trigger.graph.name if trigger is not None else None) or activation.graph_id,
            node=trigger.node.id if trigger is not None else "",
            type=str(trigger.node.use) if trigger is not None else "",
            activated_at=activation.at,
            actor=activation.actor,
            edited=state.edited,
            address=Address.of(trigger, PRODUCTION) if trigger is not None else None,
            next=list(state.next),
            last_run=RunSummary.of(state.last_run) if state.last_run is not None else None,
            problem=dict(state.problem) if state.problem is not None else None,
        )


class TriggerList(Shape):
    """The triggers of all active graphs."""

    triggers: list[TriggerView]


class ListeningView(Shape):
    """Test addresses that take one request."""

    id: str
    """The label `listen` of the run that the request starts."""
    addresses: list[Address]
    expires_at: datetime


@router.post("/graphs/{graph_id}/activate", responses=errors(404))
async def activate_graph(graph_id: GraphId, server: Server) -> ActivationView:
    """Let the world start the graph as it is now, in place of the version that is active."""
    return ActivationView.of(await activate(server.engine, graph_id, actor=actor()))


@router.post("/graphs/{graph_id}/deactivate", responses=errors(404))
async def deactivate_graph(graph_id: GraphId, server: Server) -> dict[str, str]:
    """Let the world start the graph no more; its runs go on."""
    if not await deactivate(server.engine, graph_id):
        raise NotFound(
            f"the graph {graph_id} is not active",
            code="trigger.not_active",
            hint="/api/v1/triggers lists what is active.",
        )
    return {"deactivated": graph_id}


@router.get("/triggers")
async def list_triggers(
    server: Server, next: Annotated[int, Query(ge=0, le=100, description="How many next times")] = 3
) -> TriggerList:
    """Every trigger of an active graph, with its address or next times, its last run and what is wrong with it."""
    return TriggerList(triggers=[TriggerView.of(state) for state in await trigger_states(server.engine, next)])


@router.post("/graphs/{graph_id}/listen", status_code=201, responses=errors(404))
async def listen(graph_id: GraphId, request: Request) -> ListeningView:
    """Take one request at the graph's test addresses, and run the graph as it is now, with its pins, for it."""
    found = await webhooks_of(request).listen(graph_id)
    addresses = [address for trigger in found.triggers if (address := Address.of(trigger, TEST)) is not None]
    return ListeningView(id=found.id, addresses=addresses, expires_at=found.expires_at)
