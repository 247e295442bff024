"""Routes for editors that keep nothing: a text follows its graph, two versions are merged, or compared."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from pyagent.errors import GraphError
from pyagent.graph.editing import edit_text, read_data
from pyagent.graph.yaml import dump, load_text
from pyagent.runtime.checking import GraphChecker
from pyagent.runtime.graph_files import text_hash
from pyagent.server.capabilities import actor
from pyagent.server.context import ServerContext, context_of
from pyagent.server.graph_shapes import (
    ChangeView,
    ConflictView,
    DiffGraphs,
    EditedGraph,
    EditGraph,
    GraphDiff,
    MergedGraph,
    MergeGraphs,
    NodeView,
    ProblemView,
)

router = APIRouter(prefix="/api/v1/graphs", tags=["graphs"])
Server = Annotated[ServerContext, Depends(context_of)]


@router.post("/edit", response_model=EditedGraph)
async def edit_graph(body: EditGraph, server: Server) -> Response:
    """The text that says `spec`: `text`, changed where the graph differs, comments and style of the rest kept.

    With it comes all that an editor shows: problems with their fixes, and what each node's type and the edges say of
    it. Nothing is kept.
    """
    checker = GraphChecker(server.engine.registry)

    def edited() -> str:
        found = edit_text(body.text, body.spec, checker.catalogue, checker.expressions, load=server.read.load)
        spec = found.document.spec if found.document else None
        if found.document is not None:
            server.read.keep(found.document)
        answer = EditedGraph(
            ok=spec is not None,
            text=found.text,
            text_hash=text_hash(found.text),
            hash=spec.hash() if spec else None,
            spec=spec.to_data() if spec else None,
            problems=[ProblemView.model_validate(problem.as_dict()) for problem in found.problems],
            nodes={name: NodeView.model_validate(facts, from_attributes=True) for name, facts in found.nodes.items()},
        )
        # Written here: of a large graph that takes long enough for others to feel it.
        return answer.model_dump_json()

    return Response(await server.workers.run(actor(), edited), media_type="application/json")


@router.post("/merge", response_model=MergedGraph)
async def merge_graphs(body: MergeGraphs, server: Server) -> Response:
    """What two descendants of one version say together: by node, edge and field. Nothing is kept.

    Where they do not go together, the result has their side, and `conflicts` tells what ours has there: whoever
    settles it edits the result. `GraphError` where one of the three is not YAML.
    """
    from pyagent.graph.merge import merge

    def merged() -> str:
        found = merge(*(_text(content) for content in (body.base, body.ours, body.theirs)))
        answer = MergedGraph(
            clean=found.clean,
            text=found.with_theirs,
            spec=spec_of(found.with_theirs),
            with_ours=found.with_ours,
            with_ours_spec=spec_of(found.with_ours),
            marked=found.text,
            conflicts=[ConflictView.model_validate(conflict.as_dict()) for conflict in found.conflicts],
        )
        return answer.model_dump_json()

    return Response(await server.workers.run(actor(), merged), media_type="application/json")


@router.post("/diff", response_model=GraphDiff)
async def diff_texts(body: DiffGraphs, server: Server) -> Response:
    """What has changed from one text to another, by node, edge and field; what only moved is told as `moved`."""
    from pyagent.graph.diff import diff, render_text

    def compared() -> str:
        changes = diff(load_text(body.old, "old"), load_text(body.new, "new"), layout=True)
        told = [ChangeView(**change.as_dict()) for change in changes]
        return GraphDiff(changes=told, text=render_text(changes)).model_dump_json()

    return Response(await server.workers.run(actor(), compared), media_type="application/json")


def spec_of(text: str) -> dict[str, Any] | None:
    """What the text says as data; None if it is no graph."""
    try:
        return load_text(text).spec.to_data()
    except GraphError:
        return None


def _text(content: str | dict[str, Any]) -> str:
    return content if isinstance(content, str) else dump(read_data(content))


__all__ = ["router", "spec_of"]
