"""Routes about graphs: the library's files, their forms and their pictures."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from fastapi.responses import Response

from pyagent.graph.spec import GraphSpec
from pyagent.graph.yaml import Document
from pyagent.runtime.checking import GraphChecker
from pyagent.server.context import ServerContext, context_of
from pyagent.server.shapes import GraphDetails, GraphSummary

router = APIRouter(prefix="/api/v1/graphs", tags=["graphs"])
Server = Annotated[ServerContext, Depends(context_of)]
GraphId = Annotated[str, Path(pattern="^[a-z][a-z0-9_]*$")]


@router.get("")
async def list_graphs(server: Server) -> list[GraphSummary]:
    """The graphs that can be run."""
    return [GraphSummary.model_validate(_summary(found.document)) for found in server.engine.library.files()]


@router.get("/{graph_id}")
async def show_graph(graph_id: GraphId, server: Server) -> GraphDetails:
    """One graph."""
    document = await server.engine.document(graph_id)
    spec = document.spec
    checker = GraphChecker(server.engine.registry)
    triggers = [
        node.id for node in spec.nodes if (found := checker.catalogue.get(str(node.use))) and found.kind == "trigger"
    ]
    return GraphDetails.model_validate(
        _summary(document)
        | {
            "hash": spec.hash(),
            "inputs_schema": spec.inputs_schema(),
            "triggers": triggers,
            "spec": spec.to_data(),
            "text": document.text,
            "problems": [problem.as_dict() for problem in checker.check(document)],
        }
    )


@router.get("/{graph_id}/svg", response_class=Response)
async def draw_graph(graph_id: GraphId, server: Server) -> Response:
    """The graph as a picture."""
    return picture((await server.engine.document(graph_id)).spec, server)


def picture(spec: GraphSpec, server: ServerContext) -> Response:
    """A graph as SVG."""
    from pyagent.graph.show import svg

    return Response(svg(spec, GraphChecker(server.engine.registry).catalogue), media_type="image/svg+xml")


def _summary(document: Document) -> dict[str, object]:
    spec = document.spec
    return {
        "id": spec.id,
        "name": spec.name or spec.id,
        "description": spec.description or "",
        "nodes": sum(1 for _ in spec.places()),
        "file": document.file or "",
    }
