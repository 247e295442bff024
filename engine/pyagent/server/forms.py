"""Forms for people without the token: a page for one question, by an address that works once. No JavaScript."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Annotated, Any, cast
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import HTMLResponse, Response

from pyagent.errors import InputError, NotFound
from pyagent.runtime.answers import checked_answer
from pyagent.server.context import ServerContext, context_of
from pyagent.server.form_address import KINDS, form_key
from pyagent.server.form_fields import fields_of, is_object, read, render
from pyagent.server.limits import client_of
from pyagent.store.base import ENDED, Run, StepRecord

ACTOR = "form"
"""Who answered, as the run's log has it: whoever had the address."""
_MOST_FIELDS = 1000
_SHOWN = 20_000
"""Characters of a prompt's data that are shown."""
router = APIRouter(tags=["forms"])
Server = Annotated[ServerContext, Depends(context_of)]
# No patterns: an address that was cut off on its way gets a page for people, too.
RunId = Annotated[str, Path()]
FormKey = Annotated[str, Path()]
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    # Without a referrer a browser would send the form from nowhere (`Origin: null`).
    "Referrer-Policy": "same-origin",
    "X-Robots-Tag": "noindex",
}
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>{title}</title><link rel="icon" href="/static/icon.svg"><link rel="stylesheet" href="/static/form.css"></head>
<body><main>
{body}
</main></body></html>
"""
_HTML = {"content": {"text/html": {"schema": {"type": "string"}}}}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "A page", **_HTML},
    404: {"description": "A page: there is no such form", **_HTML},
    410: {"description": "A page: the question has been answered, or nobody asks it any more", **_HTML},
    422: {"description": "The form again, with what does not fit beside each field", **_HTML},
}
_BODY = {
    "requestBody": {
        "content": {"application/x-www-form-urlencoded": {"schema": {"type": "object", "additionalProperties": True}}}
    }
}


@router.get("/forms/{run_id}/{key}", response_class=HTMLResponse, responses=_ANSWERS)
async def show_form(run_id: RunId, key: FormKey, request: Request, server: Server) -> Response:
    """The form."""
    found = await _find(server, request, run_id, key)
    if isinstance(found, Response):
        return found
    return _form(found[1], {}, {})


@router.post("/forms/{run_id}/{key}", response_class=HTMLResponse, responses=_ANSWERS, openapi_extra=_BODY)
async def send_form(run_id: RunId, key: FormKey, request: Request, server: Server) -> Response:
    """Answer by the form; it then is closed."""
    body = await request.body()
    async with server.forms:
        found = await _find(server, request, run_id, key)
        if isinstance(found, Response):
            return found
        run, record = found
        try:
            sent = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
        except ValueError:
            return _form(record, {}, {"": "The form has more fields than it can have."})
        wait = record.wait or {}
        value, wrong = _answer(wait, sent)
        if not wrong:
            try:
                checked_answer(record.step, wait, value)
            except InputError as error:
                problems = cast("list[dict[str, str]]", error.details.get("problems") or [])
                wrong = {problem["field"].partition(".")[0]: problem["message"] for problem in problems}
                wrong = wrong or {"": error.message}
        if wrong:
            return _form(record, sent, wrong)
        try:
            await server.engine.answer(run.id, record.step, value, actor=ACTOR)
        except NotFound:
            return _closed()
    return _page("Thank you", "<h1>Thank you</h1><p>Your answer has been sent. You can close this page.</p>")


def _answer(wait: Mapping[str, Any], sent: Mapping[str, Sequence[str]]) -> tuple[Any, dict[str, str]]:
    """The answer that was sent, and what cannot be read of it, by field."""
    if wait.get("kind") == "approval":
        verdict = (list(sent.get("verdict", ())) or [""])[0]
        if verdict not in ("approve", "reject"):
            return None, {"": "Choose one of the two buttons."}
        return {"approved": verdict == "approve", "comment": (list(sent.get("comment", ())) or [""])[0]}, {}
    schema = cast("Mapping[str, Any] | None", wait.get("response_schema"))
    values, wrong = read(fields_of(schema), sent)
    return (values if is_object(schema) else values.get("value")), wrong


async def _find(server: ServerContext, request: Request, run_id: str, key: str) -> tuple[Run, StepRecord] | Response:
    """The step that the address is about; a page that says why there is none."""
    try:
        run = await server.engine.store.get_run(run_id if run_id.isalnum() else "")
        records = await server.engine.store.steps(run.id)
    except NotFound:
        run, records = None, []
    keys = {form_key(run_id, record, server.keys): record for record in records}
    record = next((record for good, record in keys.items() if good[:32] == key[:32]), None)
    if run is None or record is None or run.id != run_id:
        server.limits.failures.take(f"client {client_of(request)}")
        return _page(
            "No such form",
            "<h1>There is no such form</h1><p>The address is not complete, or the question has been withdrawn. "
            "Ask whoever sent it to you for a new one.</p>",
            404,
        )
    waits = record.status == "waiting" and (record.wait or {}).get("kind") in KINDS
    if not waits or key not in keys or run.status in ENDED or await _is_answered(server, run, record):
        return _closed()
    return run, record


async def _is_answered(server: ServerContext, run: Run, record: StepRecord) -> bool:
    """Whether an answer is on its way to the step."""
    messages = await server.engine.store.messages(run.id)
    return any(message.kind == "answer" and message.step == record.step for message in messages)


def _closed() -> Response:
    return _page(
        "Closed",
        "<h1>This form is closed</h1><p>It has been answered already, or the time for an answer is over. "
        "There is nothing more to do.</p>",
        410,
    )


def _form(record: StepRecord, sent: Mapping[str, Sequence[str]], wrong: Mapping[str, str]) -> Response:
    wait = record.wait or {}
    title = str(wait.get("title") or "A question")
    parts = [f"<h1>{escape(title)}</h1>", *_prompt(wait.get("prompt"))]
    if wait.get("until"):
        parts.append(
            f'<p class="soft">It can be answered until {escape(str(wait["until"])[:16].replace("T", " "))}.</p>'
        )
    if wrong:
        said = wrong.get("", "Some of it does not fit yet; see below.")
        parts.append(f'<p class="error" role="alert">{escape(said)}</p>')
    if wait.get("kind") == "approval":
        comment = escape((list(sent.get("comment", ())) or [""])[0])
        fields = (
            '<div class="field"><label for="comment">Comment <span class="soft">(may be left out)</span></label>'
            f'<textarea id="comment" name="comment" rows="3">\n{comment}</textarea></div>'
        )
        buttons = (
            '<button name="verdict" value="approve" class="good">Approve</button> '
            '<button name="verdict" value="reject" class="bad">Reject</button>'
        )
    else:
        fields = render(fields_of(wait.get("response_schema")), sent, wrong)
        buttons = "<button>Send</button>"
    parts.append(f'<form method="post">\n{fields}\n<div class="buttons">{buttons}</div>\n</form>')
    return _page(title, "\n".join(parts), 422 if wrong else 200)


def _prompt(prompt: Any) -> list[str]:
    """What the person is shown before answering: the message as text, everything else as data."""
    if not isinstance(prompt, Mapping):
        return []
    found = dict(cast("Mapping[str, Any]", prompt))
    parts: list[str] = []
    for name in ("message", "text", "description"):
        if isinstance(text := found.get(name), str) and text.strip():
            del found[name]
            parts.extend(f"<p>{escape(block)}</p>" for block in text.strip().split("\n\n"))
    count = found.pop("count", None)
    items = found.get("items")
    if isinstance(items, list) and not items:
        del found["items"]
    if found:
        summary = "What this is about" + (f" ({count} items)" if isinstance(count, int) and count > 1 else "")
        shown = json.dumps(
            found.get("items", found) if set(found) == {"items"} else found, indent=2, ensure_ascii=False
        )
        shown = shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "\n…"
        parts.append(f"<details><summary>{summary}</summary><pre>{escape(shown)}</pre></details>")
    return parts


def _page(title: str, body: str, status: int = 200) -> Response:
    text = _PAGE.format(title=escape(title), body=body)
    return HTMLResponse(text.encode("utf-8", "replace"), status, _HEADERS)


__all__ = ["ACTOR", "router"]
