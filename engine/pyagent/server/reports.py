"""The files that a run has written for people: those of a report in its output folder, and no other file there."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends
from fastapi.responses import FileResponse, Response

from pyagent.errors import NotFound
from pyagent.runtime.log import decode
from pyagent.server.context import ServerContext, context_of
from pyagent.server.openapi import content, errors
from pyagent.server.security import Keys
from pyagent.store.base import Run

router = APIRouter(tags=["reports"])
Server = Annotated[ServerContext, Depends(context_of)]
_FILES = frozenset({"report.html", "report.json", "changes.patch", "tests-before.json", "tests-after.json"})
_FOLDER = "docs"
# A report quotes texts of repositories that nobody vouches for: no scripts, no requests, an origin of its own.
_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox allow-downloads; default-src 'none'; "
    "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def report_page(run: Run) -> Path | None:
    """The page that a run has written: an output with `html`, a file inside of its folder `output`."""
    outputs: Any = decode(run.outputs) if run.outputs else None
    if not isinstance(outputs, dict):
        return None
    for value in cast("dict[str, Any]", outputs).values():
        if not isinstance(value, dict):
            continue
        named = cast("dict[str, Any]", value)
        html, folder = named.get("html"), named.get("output")
        if isinstance(html, str) and isinstance(folder, str):
            page = Path(html)
            if page.is_absolute() and page.suffix == ".html" and page.parent == Path(folder):
                return page
    return None


def report_address(run: Run, keys: Keys) -> str | None:
    """The address of the run's page, if it has written one."""
    page = report_page(run)
    return None if page is None else f"/reports/{run.id}/{keys.report_key(run.id)}/{page.name}"


@router.get(
    "/reports/{run_id}/{key}/{path:path}",
    response_class=Response,
    responses=errors(404) | content("text/html", "A page or file of the report"),
)
async def read_report(run_id: str, key: str, path: str, server: Server) -> Response:
    """A file of a run's report. The key is in the address, so that its pages need no cookie."""
    missing = NotFound("there is no such file in the report", code="report.not_found", hint="It may have been deleted.")
    if not server.keys.is_report_key(run_id, key):
        raise missing
    page = report_page(await server.engine.store.get_run(run_id))
    if page is None:
        raise missing
    folder = page.parent.resolve()
    try:
        file = (folder / path).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        raise missing from None
    # Resolved first: what counts is where a link leads.
    if not file.is_relative_to(folder) or not _is_of_report(file.relative_to(folder), page.name) or not file.is_file():
        raise missing
    kind = mimetypes.guess_type(file.name)[0] or "text/plain"
    if kind in ("text/x-diff", "text/x-patch"):
        kind = "text/plain"
    return FileResponse(file, media_type=kind, headers={"Content-Security-Policy": _POLICY})


def _is_of_report(path: Path, page: str) -> bool:
    """Whether a path in the folder is one that a report has. The folder may be anybody's: `output: ~` is a home."""
    if len(path.parts) == 1:
        return path.name in _FILES or path.name == page
    return bool(path.parts) and path.parts[0] == _FOLDER and not any(part.startswith(".") for part in path.parts)
