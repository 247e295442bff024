"""Routes about graphs: the library's files, their forms, their pictures and their versions."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response

from pyagent.errors import NotFound
from pyagent.graph.migration import migration_problems
from pyagent.graph.problems import Problem
from pyagent.graph.spec import GraphSpec
from pyagent.graph.yaml import Document, shown
from pyagent.runtime.checking import GraphChecker
from pyagent.runtime.graph_files import read_text
from pyagent.runtime.kept import kept_data
from pyagent.runtime.library import BrokenFile, GraphFile, is_ready_made
from pyagent.server.capabilities import actor
from pyagent.server.context import ServerContext, context_of
from pyagent.server.graph_shapes import (
    HASH,
    ChangeView,
    CheckedGraph,
    CheckGraph,
    GraphDetails,
    GraphDiff,
    GraphOutline,
    GraphPage,
    GraphSummary,
    ListedGraph,
    OutlinedNode,
    ProblemView,
    VersionList,
    VersionView,
)
from pyagent.server.openapi import content, errors
from pyagent.server.run_shapes import KeptDataView, KeptNodeView
from pyagent.server.shapes import GRAPH_ID, RunSummary

router = APIRouter(prefix="/api/v1/graphs", tags=["graphs"])
_OUTLINED = 120
"""Nodes in a small picture: more would be no picture any more."""
Server = Annotated[ServerContext, Depends(context_of)]
GraphId = Annotated[str, Path(pattern=GRAPH_ID, max_length=200)]
Version = Annotated[str, Path(pattern=HASH)]


@router.get("", response_model=GraphPage)
async def list_graphs(
    server: Server,
    search: Annotated[str, Query(max_length=200, description="Part of the id, name or description")] = "",
    after: Annotated[str, Query(max_length=500, description="`next` of the page before")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> Response:
    """The graphs there are, by id, with the files that should be graphs and are none."""
    wanted = search.casefold()

    def listed() -> str:
        entries = list(server.engine.library.entries())
        found: dict[str, GraphFile | BrokenFile] = {one.id: one for one in entries if isinstance(one, BrokenFile)}
        found |= {one.spec.id: one for one in entries if isinstance(one, GraphFile)}
        chosen = [(id, found[id]) for id in sorted(found) if id > after and wanted in _words(found[id])]
        page = GraphPage(
            graphs=[_listed(one) if isinstance(one, GraphFile) else _broken(one) for _, one in chosen[:limit]],
            next=chosen[limit - 1][0] if len(chosen) > limit else None,
        )
        return page.model_dump_json()

    # There may be thousands, and others are waiting.
    return Response(await asyncio.to_thread(listed), media_type="application/json")


@router.post("/check")
async def check_graph(body: CheckGraph, server: Server) -> CheckedGraph:
    """What is wrong with a text, each problem with its line. Nothing is kept."""
    checker = GraphChecker(server.engine.registry)
    problems = await server.workers.run(actor(), lambda: checker.check_text(body.text))
    return CheckedGraph(
        ok=all(problem.severity != "error" for problem in problems), problems=[_problem(one) for one in problems]
    )


@router.get("/{graph_id}", response_model=GraphDetails, responses=errors(404))
async def show_graph(graph_id: GraphId, server: Server) -> Response:
    """One graph. `ETag` is what a save must be based on."""
    return await details_of(await server.engine.document(graph_id), server)


@router.get("/{graph_id}/text", response_class=Response, responses=errors(404) | content("text/yaml", "The file"))
async def read_graph_text(graph_id: GraphId, server: Server) -> Response:
    """The graph's file as it is, also where it is broken. `ETag` is what a save must be based on."""
    found = await asyncio.to_thread(read_text, server.engine.library, graph_id)
    etag = f'"{server.texts.keep(graph_id, found.text)}"'
    return Response(found.text.encode(), headers={"ETag": etag}, media_type="text/yaml")


@router.get("/{graph_id}/svg", response_class=Response, responses=errors(404) | content("image/svg+xml", "A picture"))
async def draw_graph(graph_id: GraphId, server: Server) -> Response:
    """The graph as a picture."""
    return await picture(await server.engine.document(graph_id), server)


@router.get("/{graph_id}/kept", responses=errors(404))
async def kept_run_data(
    graph_id: GraphId,
    server: Server,
    node: Annotated[str, Query(max_length=200, description="The node that is to be run, alone or with what follows")],
) -> KeptDataView:
    """Which earlier run has the data that a node needs, and what of them no longer fits the graph."""
    found = await kept_data(server.engine, (await server.engine.document(graph_id)).spec, node)
    return KeptDataView(
        node=found.node,
        run=None if found.run is None else RunSummary.of(found.run),
        reached=found.reached,
        complete=found.complete,
        ancestors=[KeptNodeView(node=one.node, state=one.state, step=one.step) for one in found.ancestors],
    )


@router.get("/{graph_id}/versions")
async def list_graph_versions(
    graph_id: GraphId, server: Server, limit: Annotated[int, Query(ge=1, le=500)] = 50
) -> VersionList:
    """The versions that the store keeps: those that were saved here, and those that runs have used."""
    found = await server.engine.store.graph_versions(graph_id, limit)
    return VersionList(
        versions=[VersionView(graph=one.graph_id, hash=one.hash, created_at=one.created_at) for one in found]
    )


@router.get("/{graph_id}/versions/{version}", responses=errors(404))
async def show_graph_version(graph_id: GraphId, version: Version, server: Server) -> VersionView:
    """A version with its text."""
    found = await server.engine.store.get_graph(version)
    if found.graph_id != graph_id:
        raise NotFound(
            f"the version is none of the graph {graph_id!r}",
            code="graph.not_found",
            hint=f"It is one of {found.graph_id}.",
        )
    return VersionView(graph=found.graph_id, hash=found.hash, created_at=found.created_at, text=found.text)


@router.get("/{graph_id}/diff", responses=errors(404))
async def diff_graph(
    graph_id: GraphId,
    server: Server,
    old: Annotated[str, Query(pattern=HASH, description="Hash of a version")],
    new: Annotated[str | None, Query(pattern=HASH, description="Hash of a version; left out: the file")] = None,
) -> GraphDiff:
    """What has changed from one version to another, by node, edge and field."""
    from pyagent.graph.diff import diff, render_text

    before = (await show_graph_version(graph_id, old, server)).text or ""
    if new is None:
        after = (await server.engine.document(graph_id)).text
    else:
        after = (await show_graph_version(graph_id, new, server)).text or ""

    def compared() -> GraphDiff:
        changes = diff(server.read.load(before), server.read.load(after))
        return GraphDiff(changes=[ChangeView(**change.as_dict()) for change in changes], text=render_text(changes))

    return await server.apart(len(before) + len(after), compared)


async def picture(document: Document, server: ServerContext) -> Response:
    """A graph as SVG."""
    from pyagent.graph.show import svg

    catalogue = GraphChecker(server.engine.registry).catalogue
    drawn = await server.apart(len(document.text), lambda: svg(document.spec, catalogue))
    return Response(drawn, media_type="image/svg+xml")


async def details_of(
    document: Document,
    server: ServerContext,
    *,
    status: int = 200,
    merged: bool = False,
    instead_of: GraphSpec | None = None,
) -> Response:
    """`GraphDetails`, what an editor needs; the text is remembered, so that what is saved over it can be merged.

    `instead_of`: the version whose place it takes.
    """
    spec = document.spec
    checker = GraphChecker(server.engine.registry)
    hash = server.texts.keep(spec.id, document.text)

    def looked_at() -> str:
        types = {node.id: checker.catalogue.get(str(node.use)) for node in spec.nodes}
        replaced = migration_problems(instead_of, document) if instead_of is not None else []
        found = GraphDetails(
            **summary_of(document).model_dump(),
            hash=spec.hash(),
            text_hash=hash,
            inputs_schema=spec.inputs_schema(),
            triggers=[name for name, found in types.items() if found is not None and found.kind == "trigger"],
            spec=spec.to_data(),
            text=document.text,
            problems=[_problem(problem) for problem in [*checker.check(document), *replaced]],
            merged=merged,
        )
        # Written here, too: of thousands of nodes that takes its time, and others are waiting.
        return found.model_dump_json()

    found = await server.apart(len(document.text), looked_at)
    return Response(found, status, {"ETag": f'"{hash}"'}, media_type="application/json")


def summary_of(document: Document) -> GraphSummary:
    """A graph in a list."""
    spec = document.spec
    return GraphSummary(
        id=spec.id,
        name=spec.name or spec.id,
        description=spec.description or "",
        nodes=sum(1 for _ in spec.places()),
        file=document.file or "",
        ready_made=document.file is not None and is_ready_made(document.file),
    )


def _words(found: GraphFile | BrokenFile) -> str:
    """What a graph is searched by."""
    if isinstance(found, BrokenFile):
        return f"{found.id}\n{shown(found.path.name)}".casefold()
    spec = found.spec
    return f"{spec.id}\n{spec.name or ''}\n{spec.description or ''}".casefold()


def _listed(found: GraphFile) -> ListedGraph:
    return ListedGraph(**summary_of(found.document).model_dump(), outline=_outline(found.spec))


def _outline(spec: GraphSpec) -> GraphOutline:
    nodes = spec.nodes[:_OUTLINED]
    index = {node.id: place for place, node in enumerate(nodes)}
    edges = {(edge.source, edge.target): None for edge in spec.edges}
    return GraphOutline(
        nodes=[OutlinedNode(domain=str(node.use).partition(".")[0], at=spec.layout.get(node.id)) for node in nodes],
        edges=[(index[source], index[target]) for source, target in edges if source in index and target in index],
    )


def _broken(found: BrokenFile) -> ListedGraph:
    problem = _problem(Problem.of(found.error))
    return ListedGraph(
        id=found.id, name=shown(found.path.name), description="", nodes=0, file=shown(found.path), problem=problem
    )


def _problem(problem: Problem) -> ProblemView:
    return ProblemView.model_validate(problem.as_dict())
