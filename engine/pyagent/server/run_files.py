"""Routes that give a run as one file, and take one in."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel, Field
from starlette.background import BackgroundTask

from pyagent.runtime.run_export import export_run
from pyagent.runtime.run_file import MEDIA_TYPE, file_name, remove
from pyagent.runtime.run_import import import_run
from pyagent.server.context import ServerContext, context_of
from pyagent.server.openapi import content, errors
from pyagent.server.runs import RunId
from pyagent.store.base import RunStatus

LIMIT = 256 * 1024 * 1024
"""Bytes that a file may unpack to; `pyagent import` takes larger ones."""
router = APIRouter(prefix="/api/v1", tags=["runs"])
Server = Annotated[ServerContext, Depends(context_of)]
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        "description": "The file, as `GET /api/v1/runs/{run_id}/file` or `pyagent export` gave it",
    }
}


class ImportedView(BaseModel):
    """What an import came to."""

    runs: list[str] = Field(description="Ids that the runs have here, the exported one first, then its children")
    status: RunStatus = Field(description="How the first one stood when it was exported; it is not executed here")
    graphs: int = Field(description="Versions of graphs that were not here before")
    replayed: bool = Field(description="Whether its log was replayed, and decides here what it decided there")
    notes: list[str] = Field(description="What the exporter said, and why a log was not replayed")


@router.get(
    "/runs/{run_id}/file",
    response_class=Response,
    responses=errors(404) | content(MEDIA_TYPE, "The run as one file", binary=True),
)
async def export_file(
    run_id: RunId,
    server: Server,
    children: Annotated[
        bool, Query(description="With the runs that it has started, and those that these have")
    ] = False,
    data: Annotated[bool, Query(description="False: of items and messages only types and lengths")] = True,
) -> Response:
    """A run as one file, without secrets: graphs, log, events, steps and payloads."""
    run = await server.engine.store.get_run(run_id)
    path = _new_file()
    path.unlink()
    done = await export_run(server.engine, run.id, path, with_children=children, without_data=not data)
    return FileResponse(
        done.path, media_type=MEDIA_TYPE, filename=file_name(run.id), background=BackgroundTask(remove, done.path)
    )


@router.post("/run-files", status_code=201, responses=errors(409), openapi_extra=_BODY)
async def import_file(
    request: Request,
    server: Server,
    as_new: Annotated[bool, Query(description="Under a new id, also where the run is here already")] = False,
    unchecked: Annotated[bool, Query(description="Also if its log decides here something else than there")] = False,
) -> ImportedView:
    """Take in an exported run, to be looked at and forked. It is checked before anything is written, and never
    executed: one that had not ended comes in as cancelled, with the error `run.imported`."""
    body = await request.body()
    path = _new_file()
    try:
        await asyncio.to_thread(path.write_bytes, body)
        done = await import_run(server.engine, path, as_new=as_new, unchecked=unchecked, limit=LIMIT)
    finally:
        remove(path)
    return ImportedView(
        runs=done.runs, status=done.status, graphs=done.graphs, replayed=done.replayed, notes=done.notes
    )


def _new_file() -> Path:
    """An empty file that only this user can read."""
    with tempfile.NamedTemporaryFile(prefix="pyagent-run-", suffix=".zip", delete=False) as file:
        return Path(file.name)


__all__ = ["router"]
