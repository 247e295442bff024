"""The API's description: who may call it, the one shape of every error, and names that generated clients can use."""

from __future__ import annotations

from typing import Any, cast

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field

_TITLES = {
    400: "The request cannot be read",
    401: "No token, or a wrong one (`server.unauthorized`, `vault.token…`)",
    403: "The request comes from elsewhere (`server.origin`), or the token does not allow it (`server.capability`)",
    404: "There is no such thing (`*.not_found`)",
    405: "The address does not take that method (`server.method`)",
    408: "The request did not come in time (`server.slow`)",
    409: "What is there does not go with it, or nobody agreed to it",
    410: "It has been there, and is no more",
    413: "The request is too large (`server.too_large`)",
    416: "The range is not inside of the content (`server.range`)",
    421: "The server does not go by that name (`server.host`)",
    422: "What was given does not fit",
    428: "The request must say what it is based on (`graph.base_missing`)",
    429: "Too many requests (`server.too_many`); `Retry-After` says when to come back",
    500: "Something unexpected happened (`internal`)",
    503: "The store cannot be reached (`store.unavailable`), or too much waits already (`server.busy`)",
    504: "A disk of the server does not answer (`files.no_answer`)",
    507: "The disk is full (`store.full`)",
}
_EVERYWHERE = (401, 403, 421, 422, 429, 500, 503)
"""Statuses that any address of the API may answer with."""
_WRITING = (408, 413, 507)
TAGS: tuple[dict[str, str], ...] = (
    {"name": "graphs", "description": "Graph files: list, read, check, save, and their versions."},
    {"name": "runs", "description": "Runs: start, list, look at them and their steps, and delete them."},
    {"name": "requests", "description": "What a run can be asked to do: stop, pause, go on, fork, take an answer."},
    {"name": "events", "description": "Everything that happens, in one order with a cursor."},
    {"name": "triggers", "description": "What starts graphs by itself: activate them, see when, try a webhook."},
    {"name": "credentials", "description": "What nodes log in with: set, try and delete it; values never come back."},
    {"name": "expressions", "description": "What a template would give, and what the language has."},
    {"name": "nodes", "description": "The node types that are installed here."},
    {"name": "files", "description": "Names of files on the machine, to choose a path from; never what is in them."},
    {"name": "blobs", "description": "Large payloads, by their digest."},
    {"name": "forms", "description": "Pages for people without the token, each for one question."},
    {"name": "server", "description": "The server itself."},
)


class ErrorPlace(BaseModel):
    """The place that an error is about; what is not known is left out."""

    file: str | None = None
    line: int | None = None
    column: int | None = None
    node: str | None = None
    field: str | None = None
    step: str | None = None


class ErrorView(BaseModel):
    """Every error of the API."""

    code: str = Field(description="Stable, for programs: `docs/reference/errors.md` lists them")
    message: str = Field(description="What happened, for people")
    hint: str | None = Field(None, description="What to do")
    where: ErrorPlace | None = None
    details: dict[str, Any] | None = Field(None, description="More for programs; for `problems` all that does not fit")


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer with these errors, beside those of every route."""
    return {status: {"model": ErrorView, "description": _TITLES[status]} for status in statuses}


def content(media_type: str, description: str = "The content", *, binary: bool = False) -> dict[int | str, Any]:
    """The `responses` of a route whose answer is no JSON."""
    schema: dict[str, Any] = {"type": "string", "format": "binary"} if binary else {"type": "string"}
    if media_type.endswith("yaml"):
        # Who reads the description would read the YAML, too: what it says may be anything.
        schema = {}
    return {200: {"description": description, "content": {media_type: {"schema": schema}}}}


def streams(media_type: str) -> dict[int | str, Any]:
    """The `responses` of a route that also gives a stream, for who asks for it by `Accept`."""
    return {200: {"content": {media_type: {"schema": {"type": "string"}}}}}


def operation_id(route: APIRoute) -> str:
    """The route's name: `start_run`, not a path in words."""
    return route.name


def describe(app: FastAPI) -> dict[str, Any]:
    """The application's OpenAPI document."""
    if app.openapi_schema:
        return app.openapi_schema
    found = get_openapi(
        title=app.title,
        version=app.version,
        description="Runs, graphs and events of one PyAgent server. "
        "Errors have one shape, with a stable `code` and a `hint`.",
        routes=app.routes,
        tags=[dict(tag) for tag in TAGS],
        separate_input_output_schemas=False,
    )
    components = cast("dict[str, Any]", found.setdefault("components", {}))
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "The token beside the store: `server-token`"},
    }
    found["security"] = [{"token": []}]
    schemas = cast("dict[str, Any]", components.setdefault("schemas", {}))
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for path, methods in cast("dict[str, dict[str, Any]]", found["paths"]).items():
        for method, operation in methods.items():
            _complete(path, method, operation)
    app.openapi_schema = found
    return found


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    """Add what every operation has in common."""
    is_open = not path.startswith("/api/")
    responses = cast("dict[str, Any]", operation.setdefault("responses", {}))
    if is_open:
        operation["security"] = []
    common = [status for status in _EVERYWHERE if not (is_open and status == 401)]
    common += _WRITING if method not in ("get", "head") else ()
    for status in common:
        known = cast("dict[str, Any]", responses.get(str(status), {}))
        if status == 422 and "HTTPValidationError" not in str(known) and known:
            continue
        if known and status != 422:
            continue
        responses[str(status)] = {
            "description": _TITLES[status],
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorView"}}},
        }
    if "429" in responses:
        responses["429"]["headers"] = {
            "Retry-After": {"description": "Seconds", "schema": {"type": "integer", "minimum": 1}}
        }


__all__ = ["ErrorView", "content", "describe", "errors", "operation_id", "streams"]
