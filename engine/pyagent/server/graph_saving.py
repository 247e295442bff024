"""Routes that write graph files: make, copy, save over what the editor has seen, rename, delete."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import Response

from pyagent.errors import GraphError
from pyagent.graph.editing import read_data
from pyagent.graph.spec import GraphSpec
from pyagent.graph.yaml import Document, dump, load_text
from pyagent.runtime.graph_files import (
    GraphConflict,
    create_graph,
    delete_graph,
    rename_graph,
    save_graph,
    text_hash,
)
from pyagent.server.capabilities import require_graph
from pyagent.server.context import ServerContext, context_of
from pyagent.server.graph_shapes import DuplicateGraph, GraphDetails, NewGraph, RenameFile, SaveGraph
from pyagent.server.graphs import GraphId, details_of
from pyagent.server.openapi import errors

router = APIRouter(prefix="/api/v1/graphs", tags=["graphs"])
Server = Annotated[ServerContext, Depends(context_of)]


async def _size(request: Request) -> int:
    """Bytes of the body: what is made of a graph's data takes as long as of its text."""
    return len(await request.body())


Size = Annotated[int, Depends(_size)]
IfMatch = Annotated[
    str | None, Header(alias="If-Match", description="`ETag` of the text that the editor started from", max_length=200)
]


@router.post("", status_code=201, response_model=GraphDetails, responses=errors(409))
async def make_graph(body: NewGraph, size: Size, server: Server) -> Response:
    """Write a new graph file into the library's first folder that can be written."""

    def made() -> Document:
        text = body.text if body.text is not None else dump(read_data(body.spec))
        return create_graph(server.engine.library, text)

    document = await server.apart(size, made)
    await _keep(server, document.spec, document.text)
    return await details_of(document, server, status=201)


@router.post("/{graph_id}/duplicate", status_code=201, response_model=GraphDetails, responses=errors(404, 409))
async def duplicate_graph(graph_id: GraphId, body: DuplicateGraph, server: Server) -> Response:
    """Write a copy of a graph under another id, comments too."""
    require_graph(body.id)
    found = await server.engine.document(graph_id)

    def copied() -> Document:
        copy = found.spec.model_copy(update={"id": body.id} | ({"name": body.name} if body.name is not None else {}))
        return create_graph(server.engine.library, found.update(copy).text)

    document = await server.apart(len(found.text), copied)
    await _keep(server, document.spec, document.text)
    return await details_of(document, server, status=201)


@router.post("/{graph_id}/rename-file", response_model=GraphDetails, responses=errors(404, 409, 428))
async def rename_graph_file(graph_id: GraphId, body: RenameFile, server: Server, if_match: IfMatch = None) -> Response:
    """Give a graph's file another name in its folder. The graph's id stays: activations and runs know it by that."""
    async with server.saving(graph_id):
        document = await asyncio.to_thread(
            rename_graph, server.engine.library, graph_id, body.file, base=_base(None, if_match)
        )
    return await details_of(document, server)


@router.put("/{graph_id}", response_model=GraphDetails, responses=errors(404, 409, 428))
async def write_graph(
    graph_id: GraphId, body: SaveGraph, size: Size, server: Server, if_match: IfMatch = None
) -> Response:
    """Save a graph's file.

    `base` says what the editor started from. Where the file has changed since, both changes are merged, and the
    answer has the merged text; where they do not go together, nothing is written, and the error `graph.conflict` has
    in `details` the texts `base`, `ours` and `theirs`, the same as data in `specs`, and each of the `conflicts`.
    """
    base = _base(body.base, if_match)

    async def base_text(hash: str) -> str | None:
        if body.base_text is not None and text_hash(body.base_text) == hash:
            return body.base_text
        if (given := server.texts.find(graph_id, hash)) is not None:
            return given
        kept = await server.engine.store.graph_versions(graph_id, 200)
        return next((version.text for version in kept if text_hash(version.text) == hash), None)

    text = body.text
    if text is None:
        common = await base_text(base)
        text = await server.apart(size + len(common or ""), lambda: _written(graph_id, body.spec, base, common))
    async with server.saving(graph_id):
        saved = await save_graph(
            server.engine.library, graph_id, text, base=base, base_text=base_text, apart=server.apart
        )
    if saved.replaced is not None:
        await _keep(server, saved.replaced, saved.before.text)
    await _keep(server, saved.document.spec, saved.document.text)
    return await details_of(saved.document, server, merged=saved.merged, instead_of=saved.replaced)


def _written(graph_id: str, spec: dict[str, Any] | None, base: str, base_text: str | None) -> str:
    """The text that it is based on, changed so that it says `spec`."""
    graph = read_data(spec)
    if base_text is None:
        raise GraphConflict(
            f"the text of {graph_id} that you started from is not known here",
            code="graph.base_unknown",
            hint="Send it as `base_text`, or send the graph as `text`.",
            details={"hash": base, "conflicts": []},
        )
    try:
        return load_text(base_text).update(graph).text
    except GraphError:
        # What was broken is mended by being written anew.
        return dump(graph)


@router.delete("/{graph_id}", status_code=204, responses=errors(404, 409, 428))
async def remove_graph(graph_id: GraphId, server: Server, if_match: IfMatch = None) -> None:
    """Delete a graph's file. What it held stays among the versions, and its runs stay."""
    found = await asyncio.to_thread(delete_graph, server.engine.library, graph_id, base=_base(None, if_match))
    with suppress(GraphError):
        document = await server.apart(len(found.text), lambda: load_text(found.text))
        await _keep(server, document.spec, found.text)


def _base(base: str | None, if_match: str | None) -> str:
    """What the writer has seen. Raises `GraphError` (`graph.base_missing`)."""
    found = base or (if_match or "").strip().removeprefix("W/").strip('"')
    if not found or found == "*":
        raise GraphError(
            "the request does not say which text it is based on",
            code="graph.base_missing",
            hint="Send the `ETag` that the graph came with as `If-Match`, or its `text_hash` as `base`.",
        )
    return found


async def _keep(server: ServerContext, spec: GraphSpec, text: str) -> None:
    """Keep a text among the versions."""
    hash = await server.apart(len(text), spec.hash)
    await server.engine.store.put_graph(spec.id, hash, text)


__all__ = ["router"]
