"""Routes about node types: what is installed, with ports, effects and parameters."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query

from pyagent.errors import NotFound
from pyagent.graph.problems import nearest
from pyagent.graph.show.icons import icon
from pyagent.sdk.node import NodeType
from pyagent.server.context import ServerContext, context_of
from pyagent.server.graph_shapes import NodeTypeDetails, NodeTypeList, NodeTypeSummary
from pyagent.server.openapi import errors

router = APIRouter(prefix="/api/v1/nodes", tags=["nodes"])
Server = Annotated[ServerContext, Depends(context_of)]
Use = Annotated[str, Path(max_length=200, description="`domain.name@version`; without a version, the first")]


@router.get("")
async def list_node_types(
    server: Server,
    search: Annotated[str, Query(max_length=200, description="Part of the name, title or description")] = "",
) -> NodeTypeList:
    """The node types that are installed, by name."""
    wanted = search.casefold()
    types = await asyncio.to_thread(server.engine.registry.all)
    return NodeTypeList(
        nodes=[
            NodeTypeSummary(**_summary(one))
            for one in types
            if wanted in f"{one.use}\n{one.title}\n{one.description}".casefold()
        ]
    )


@router.get("/{use}", responses=errors(404))
async def show_node_type(use: Use, server: Server) -> NodeTypeDetails:
    """A node type with the JSON Schema of its parameters."""
    found = await asyncio.to_thread(server.engine.registry.get, use)
    if found is None:
        known = [one.use for one in await asyncio.to_thread(server.engine.registry.all)]
        raise NotFound(f"there is no node type {use!r}", code="node.not_found", hint=nearest(use, known))
    return NodeTypeDetails(
        **_summary(found), params_schema=found.schema(), concurrency=found.concurrency, live=found.live
    )


def _summary(found: NodeType) -> dict[str, Any]:
    return {
        "use": found.use,
        "name": found.name,
        "version": found.version,
        "title": found.title,
        "description": found.description,
        "icon": found.icon,
        "icon_svg": icon(found.icon),
        "kind": found.kind,
        "effects": None if callable(found.effects) else found.effects,
        "ports_in": list(found.ports_in),
        "ports_out": None if callable(found.ports_out) else list(found.ports_out),
        "each_item": found.each_item,
    }
