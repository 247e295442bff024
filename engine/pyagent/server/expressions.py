"""Routes about expressions: what one would give, and what the language has."""

from __future__ import annotations

import asyncio
import json
from functools import cache
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends

from pyagent.errors import InputError, PyAgentError, Where
from pyagent.graph.editing import is_deeper, read_data
from pyagent.graph.yaml_tree import MAX_DEPTH
from pyagent.runtime.expression_language import ENTRIES
from pyagent.runtime.preview import preview
from pyagent.server.capabilities import require_graph
from pyagent.server.context import ServerContext, context_of, require_run
from pyagent.server.openapi import errors
from pyagent.server.run_shapes import Language, LanguageEntry, PreviewedExpression, PreviewError, PreviewExpression

router = APIRouter(prefix="/api/v1/expressions", tags=["expressions"])
Server = Annotated[ServerContext, Depends(context_of)]


@router.post("/preview", responses=errors(404))
async def preview_expression(body: PreviewExpression, server: Server) -> PreviewedExpression:
    """What a template would give for one item of a node, with the data of a run, pinned data, or neither.

    Nothing is run and nothing is kept. An error of the template itself is in the answer.
    """
    if (body.graph is None) == (body.spec is None):
        raise InputError("give `graph` or `spec`, one of them", hint="`spec` is the graph as the editor has it.")
    for name, value in (("template", body.template), ("inputs", body.inputs)):
        await asyncio.to_thread(_require_plain, value, name)
    if body.run is not None:
        await require_run(server, body.run)
    if body.graph is not None:
        require_graph(body.graph)
        spec = (await server.engine.document(body.graph)).spec
    else:
        spec = await asyncio.to_thread(read_data, body.spec)
    found = await preview(
        server.engine,
        spec,
        body.node,
        body.template,
        run_id=body.run,
        step=body.step,
        item=body.item,
        inputs=body.inputs,
    )
    return PreviewedExpression(
        ok=found.error is None,
        value=found.value,
        text=found.text,
        cut=found.cut,
        error=_error(found.error, body.template) if found.error is not None else None,
        reads=list(found.reads),
        items=found.items,
        step=found.step,
    )


@router.get("/language")
async def expression_language() -> Language:
    """The names, properties and methods that expressions have, for completion."""
    return _language()


@cache
def _language() -> Language:
    return Language(entries=[LanguageEntry.model_validate(entry._asdict()) for entry in ENTRIES])


def _require_plain(value: Any, field: str) -> None:
    """Raises `InputError` for what JSON can say and nothing else can hold."""
    problem = ""
    if is_deeper(value, MAX_DEPTH):
        problem = f"is nested deeper than {MAX_DEPTH} levels"
    else:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except ValueError:
            problem = "holds half of a surrogate pair"
    if problem:
        raise InputError(f"{field} {problem}", hint="Take that out.", where=Where(field=field))


def _error(error: PyAgentError, template: Any) -> PreviewError:
    where = error.where
    text = _at(template, where.field or "")
    offset = None
    if text is not None and where.line is not None:
        before = text.split("\n")[: where.line - 1]
        offset = sum(len(line) + 1 for line in before) + (where.column or 1) - 1
    return PreviewError(
        code=error.code,
        message=error.message,
        hint=error.hint,
        field=where.field or None,
        line=where.line,
        column=where.column,
        offset=offset,
        missing=list(error.details.get("missing", ())),
    )


def _at(template: Any, field: str) -> str | None:
    """The string at a dotted path. A key may have dots itself, so the path is matched from the left."""
    if isinstance(template, str):
        return template if not field else None
    pairs: list[tuple[str, Any]] = []
    if isinstance(template, dict):
        pairs = list(cast("dict[str, Any]", template).items())
    elif isinstance(template, list):
        pairs = [(str(index), value) for index, value in enumerate(cast("list[Any]", template))]
    for key, value in pairs:
        if field == key or field.startswith(f"{key}."):
            found = _at(value, field[len(key) + 1 :])
            if found is not None:
                return found
    return None


__all__ = ["router"]
