"""Errors as the API tells them: JSON `{code, message, hint, where, details}` with a fitting status, no traceback."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from pyagent.errors import (
    ExpressionError,
    GraphError,
    InputError,
    LeaseHeld,
    NodeError,
    NotFound,
    PyAgentError,
    RunError,
    StoreError,
    Where,
)

logger = logging.getLogger("pyagent.server")

_BY_CODE = {
    "store.key_taken": 409,
    "store.key_spent": 410,
    "store.events_forgotten": 410,
    "store.full": 507,
    "input.consent": 409,
    "run.not_waiting": 409,
    "server.unauthorized": 401,
    "server.origin": 403,
    "server.capability": 403,
    "vault.token": 401,
    "vault.token_expired": 401,
    "vault.token_revoked": 401,
    "server.host": 421,
    "server.slow": 408,
    "server.too_large": 413,
    "server.method": 405,
    "server.too_many": 429,
    "server.busy": 503,
    "files.no_answer": 504,
    "server.range": 416,
    "graph.conflict": 409,
    "graph.base_unknown": 409,
    "graph.base_missing": 428,
    "graph.exists": 409,
    "graph.read_only": 409,
    "form.closed": 410,
    "vault.absent": 409,
    "vault.exists": 409,
    "vault.locked": 409,
    "vault.invalid": 422,
    "vault.busy": 503,
}
_BY_CLASS: tuple[tuple[type[PyAgentError], int], ...] = (
    (NotFound, 404),
    (GraphError, 422),
    (InputError, 422),
    (ExpressionError, 422),
    (NodeError, 422),
    (LeaseHeld, 409),
    (RunError, 409),
    (StoreError, 503),
)


class Refused(PyAgentError):
    """The server does not let the request in (`server.*`)."""

    code = "server.refused"


def status_of(error: PyAgentError) -> int:
    """The HTTP status for an error."""
    if error.code in _BY_CODE:
        return _BY_CODE[error.code]
    return next((status for kind, status in _BY_CLASS if isinstance(error, kind)), 500)


def error_response(error: PyAgentError, headers: dict[str, str] | None = None) -> Response:
    """The error as a response."""
    body = json.dumps(error.as_dict(), ensure_ascii=False, default=str)
    more = dict(headers or {})
    if "size" in error.details and error.code == "server.range":
        more["Content-Range"] = f"bytes */{error.details['size']}"
    if retry_after := error.details.get("retry_after"):
        more["Retry-After"] = str(retry_after)
    return Response(body.encode("utf-8", "replace"), status_of(error), more, media_type="application/json")


def unexpected(error: Exception) -> PyAgentError:
    """An error that nobody meant to raise; what it says stays in the server's log."""
    logger.error("unexpected %s: %s", type(error).__name__, error, exc_info=logger.isEnabledFor(logging.DEBUG))
    return PyAgentError(
        "something unexpected happened",
        code="internal",
        hint="The server's output says more; PYAGENT_DEBUG=1 all of it.",
    )


def _is_text_body(problem: Mapping[str, Any]) -> bool:
    """Whether the whole body came as text or bytes where an object is wanted, as where its media type is another."""
    return tuple(problem["loc"]) == ("body",) and isinstance(problem.get("input"), str | bytes)


def add_handlers(app: FastAPI) -> None:
    """Make the application answer every error in the one shape."""

    def known(_: Request, error: Exception) -> Response:
        assert isinstance(error, PyAgentError)
        return error_response(error)

    def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        if (first := error.errors()[0])["type"] == "json_invalid" or _is_text_body(first):
            return error_response(
                InputError(
                    "the body is no JSON" if first["type"] == "json_invalid" else "the body is no JSON object",
                    hint="Send a JSON object with `Content-Type: application/json`, as `curl --json` does.",
                )
            )
        problems: list[dict[str, Any]] = [
            {"field": ".".join(str(part) for part in found["loc"][1:]), "message": found["msg"]}
            for found in error.errors()
        ]
        first = problems[0]
        return error_response(
            InputError(
                f"{first['field'] or 'the body'}: {first['message']}",
                hint="/api/v1/openapi.json describes what fits.",
                where=Where(field=first["field"] or None),
                details={"problems": [f"{found['field']}: {found['message']}" for found in problems]},
            )
        )

    def http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 405:
            return error_response(
                Refused(
                    "this address does not take that method",
                    code="server.method",
                    hint="/api/v1/openapi.json lists what there is.",
                )
            )
        if error.status_code == 404:
            return error_response(
                NotFound(
                    "there is nothing at this address",
                    code="server.not_found",
                    hint="/api/v1/openapi.json lists what there is.",
                )
            )
        return error_response(InputError(str(error.detail), hint="/api/v1/openapi.json describes what fits."))

    def other(_: Request, error: Exception) -> Response:
        return error_response(unexpected(error))

    app.add_exception_handler(PyAgentError, known)
    app.add_exception_handler(Exception, other)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
