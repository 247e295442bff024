"""Webhooks: requests from the world that start runs, at `/webhooks/…` those of active graphs, at `/webhooks-test/…`
once what somebody listens for."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from fastapi import FastAPI
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from pyagent.errors import GraphError, InputError, PyAgentError, Where
from pyagent.graph.yaml import Document
from pyagent.runtime.activation import ActiveGraphs, inputs_of, start_occurrence
from pyagent.runtime.checking import GraphChecker
from pyagent.runtime.inputs import needed_consents
from pyagent.runtime.inspect import step_data
from pyagent.runtime.live_triggers import LiveTrigger, live_triggers
from pyagent.runtime.log import decode, encode
from pyagent.runtime.trace import read_labels
from pyagent.sdk.sources import Endpoint, Occurrence
from pyagent.server.context import ServerContext
from pyagent.server.errors import error_response, status_of, unexpected
from pyagent.server.limits import Busy, limited
from pyagent.server.webhook_request import (
    Body,
    WebhookRefused,
    body_inputs,
    check_length,
    check_origin,
    check_sender,
    key_of,
    parsed,
    read_body,
    request_inputs,
)
from pyagent.store.base import ENDED, Run

PRODUCTION = "/webhooks/"
TEST = "/webhooks-test/"
LISTEN_SECONDS = 300.0
"""How long somebody listens at a test address."""
_FIRST_WAIT = 0.1
"""Seconds that a run which begins here is waited for before it is watched what else may come."""
_LOOK_PAUSE = 0.01
"""Seconds between two looks at a run that another worker executes: every commit of any run wakes who waits."""
_FORBIDDEN_HEADERS = frozenset(
    {
        *("content-length", "transfer-encoding", "connection", "set-cookie", "content-security-policy"),
        *("x-frame-options", "x-content-type-options", "cross-origin-resource-policy", "cross-origin-opener-policy"),
        *(
            "access-control-allow-origin",
            "access-control-allow-credentials",
            "service-worker-allowed",
            "server",
            "date",
        ),
    }
)
# What a graph answers is shown on this server's origin: its pages may look as they like and do nothing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
_count = limited(lambda limits: limits.webhooks)
_count_failure = limited(lambda limits: limits.failures)


@dataclass(frozen=True, kw_only=True)
class Listening:
    """Somebody waits for one request to a graph's test addresses."""

    id: str
    """The label `listen` of the run that it starts."""
    document: Document
    triggers: tuple[LiveTrigger, ...]
    expires_at: datetime
    ends: float
    """When it ends by the loop's clock."""


@dataclass(frozen=True, kw_only=True)
class _Match:
    trigger: LiveTrigger
    endpoint: Endpoint
    params: Mapping[str, str]
    listening: Listening | None


class Webhooks:
    """The webhooks of one server."""

    def __init__(self, context: ServerContext) -> None:
        self.context = context
        self.active = ActiveGraphs(context.engine)
        self._listening: dict[str, Listening] = {}

    async def listen(self, graph_id: str) -> Listening:
        """Take one request for the graph, as it is now, at its test addresses.

        Raises `GraphError` if it may not run or takes no requests (`trigger.no_webhook`).
        """
        engine = self.context.engine
        document = await engine.document(graph_id)
        GraphChecker(engine.registry).require(document)
        triggers = tuple(
            trigger for trigger in live_triggers(engine.registry, document.spec) if trigger.endpoint is not None
        )
        if not triggers:
            raise GraphError(
                f"the graph {graph_id} takes no requests",
                code="trigger.no_webhook",
                hint="Give it a `flow.webhook`, or try it with `pyagent run`.",
            )
        made = Listening(
            id=secrets.token_hex(8),
            document=document,
            triggers=triggers,
            expires_at=datetime.now(UTC) + timedelta(seconds=LISTEN_SECONDS),
            ends=asyncio.get_running_loop().time() + LISTEN_SECONDS,
        )
        self._forget_old()
        self._listening[graph_id] = made
        return made

    def _forget_old(self) -> None:
        now = asyncio.get_running_loop().time()
        self._listening = {graph: found for graph, found in self._listening.items() if found.ends > now}

    # -- a request ------------------------------------------------------------------------------------------------

    async def answer(self, request: Request, *, test: bool) -> Response:
        """Start a run for the request, and answer it. Raises `PyAgentError`."""
        await _count(request)
        match = await self._match(request, test)
        endpoint = match.endpoint
        origin = check_origin(endpoint, request)
        if request.method == "OPTIONS":
            return _preflight(endpoint, origin)
        with self.context.limits.bodies.share() as take:
            try:
                await check_sender(endpoint, request.headers, None)
                check_length(endpoint, request.headers)
                raw = await read_body(endpoint, request, take)
                await check_sender(endpoint, request.headers, raw)
            except WebhookRefused as refused:
                if refused.status == 401:
                    await _count_failure(request)
                raise
            key = key_of(endpoint, request.headers)
            run = await self._start(match, request, key, await parsed(request.headers, raw))
            del raw  # the answer may take long to come
        response = await self._answered(endpoint, run, request)
        if origin is not None:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Vary"] = "Origin"
            response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return response

    async def _match(self, request: Request, test: bool) -> _Match:
        """The trigger that takes the request: of several paths that fit, the one that names more. Raises
        `WebhookRefused`."""
        path = str(request.path_params["path"]).split("/")
        best: list[_Match] = []
        rank: tuple[bool, ...] | None = None
        for trigger, endpoint, listening in await self._candidates(test):
            parts = endpoint.path.split("/")
            params = _params(parts, path)
            its_rank = tuple(part.startswith("{") for part in parts)
            if params is None or (rank is not None and rank < its_rank):
                continue
            if its_rank != rank:
                best, rank = [], its_rank
            best.append(_Match(trigger=trigger, endpoint=endpoint, params=params, listening=listening))
        if not best:
            hint = "Activate the graph first: pyagent activate GRAPH"
            if test:
                hint = "A test address works once after `pyagent listen GRAPH`, for five minutes."
            raise WebhookRefused("no webhook is here", status=404, code="webhook.not_found", hint=hint)
        methods = sorted({method for match in best for method in match.endpoint.methods})
        for match in best:
            if request.method in match.endpoint.methods or (request.method == "OPTIONS" and match.endpoint.origins):
                return match
        raise WebhookRefused(
            f"the webhook does not take {request.method[:20]}",
            status=405,
            code="webhook.method",
            hint=f"Send {' or '.join(methods)}.",
            headers={"Allow": ", ".join(methods)},
        )

    async def _candidates(self, test: bool) -> list[tuple[LiveTrigger, Endpoint, Listening | None]]:
        if not test:
            active = await self.active.triggers()
            return [(trigger, trigger.endpoint, None) for trigger in active if trigger.endpoint is not None]
        self._forget_old()
        return [
            (trigger, trigger.endpoint, listening)
            for listening in self._listening.values()
            for trigger in listening.triggers
            if trigger.endpoint is not None
        ]

    async def _start(self, match: _Match, request: Request, key: str | None, body: Body) -> Run:
        endpoint, trigger, graph = match.endpoint, match.trigger, match.trigger.graph
        occurrence = Occurrence(
            key=f"request/{key}" if key is not None else "",
            inputs=body_inputs(body, graph) if endpoint.inputs == "body" else {},
            facts=request_inputs(endpoint, request, match.params, body) if endpoint.inputs == "request" else {},
            at=datetime.now(UTC),
        )
        values = inputs_of(graph, occurrence)
        needed = needed_consents(graph, values)
        if needed:
            name, text = next(iter(needed.items()))
            raise InputError(
                f"{name}: {text}",
                code="input.consent",
                hint="Somebody at this machine must agree to that: it cannot come by a webhook.",
                where=Where(field=f"inputs.{name}"),
            )
        trace = read_labels(request.headers)
        if match.listening is None:
            return await start_occurrence(
                self.context.engine, trigger, occurrence, blobs=body.blobs, keyed=key is not None, labels=trace
            )
        # Once: of two requests that come together, the second finds nobody listening.
        if self._listening.get(graph.id) is not match.listening:
            raise WebhookRefused(
                "nobody listens here any more",
                status=404,
                code="webhook.not_found",
                hint="A test address works once after `pyagent listen GRAPH`, for five minutes.",
            )
        del self._listening[graph.id]
        return await self.context.engine.start(
            match.listening.document,
            values,
            trigger=trigger.node.id,
            production=False,
            actor=trigger.type.name,
            labels={"listen": match.listening.id, **trace},
            blobs=body.blobs,
        )

    # -- its answer -----------------------------------------------------------------------------------------------

    async def _answered(self, endpoint: Endpoint, run: Run, request: Request) -> Response:
        if endpoint.answer == "started":
            return _look(run)
        run = await self._ended(run, endpoint.wait.total_seconds(), request)
        if run.status not in ENDED:
            return _look(run)
        if run.status != "completed":
            raise WebhookRefused(
                f"the run {run.id} {'failed' if run.status == 'failed' else 'was cancelled'}",
                status=500,
                code="webhook.run_failed",
                hint="Whoever runs the server sees why: pyagent show " + run.id,
            )
        if endpoint.answer == "last":
            return _json(await self._last(run))
        outputs = decode(run.outputs) if run.outputs else None
        return _response(outputs, run) if endpoint.answer == "response" else _json(outputs)

    async def _ended(self, run: Run, seconds: float, request: Request) -> Run:
        """The run when it has ended, or as it stands after that time, or when nobody waits for it any more."""
        engine = self.context.engine
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        driving = engine.under_way(run.id)
        if driving is not None:
            # Nearly all such runs are over before their senders could lose patience.
            await asyncio.wait({driving}, timeout=min(_FIRST_WAIT, seconds))
            if (found := _result(driving)) is not None and found.status in ENDED:
                return found

        async def ended() -> None:
            if driving is not None:
                await asyncio.wait({driving})
            while True:
                mark = engine.store.mark()
                if (await engine.store.get_run(run.id)).status in ENDED:
                    return
                await engine.store.changed(1.0, mark)
                await asyncio.sleep(_LOOK_PAUSE)

        async def gone() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass

        tasks = [asyncio.create_task(one) for one in (ended(), gone(), self.context.stopping.wait())]
        try:
            await asyncio.wait(tasks, timeout=until - loop.time(), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return await engine.store.get_run(run.id)

    async def _last(self, run: Run) -> Any:
        """The JSON of the first item of the step that ended last."""
        steps = [step for step in await self.context.engine.store.steps(run.id) if step.ended_at is not None]
        steps = [step for step in steps if step.status == "completed"]
        if not steps:
            return None
        newest = max(enumerate(steps), key=lambda one: (str(one[1].ended_at), one[0]))[1]
        found = await step_data(self.context.engine, run.id, newest.step)
        return next((items[0].json for items in found.outputs.values() if len(items)), None)


class Door:
    """An ASGI application that answers at the addresses of webhooks, and hands everything else on: the way through all
    of the server's routes would cost a request more than its own answer."""

    def __init__(self, app: FastAPI, context: ServerContext) -> None:
        """`app.state.webhooks` finds the webhooks."""
        self.app = app
        self.webhooks = app.state.webhooks = Webhooks(context)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope.get("path", "")
        prefix = PRODUCTION if path.startswith(PRODUCTION) else TEST if path.startswith(TEST) else None
        if prefix is None or scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope = {**scope, "app": self.app, "path_params": {"path": path[len(prefix) :]}}
        request = Request(scope, receive)
        try:
            response = await self.webhooks.answer(request, test=prefix == TEST)
        except ClientDisconnect:
            return
        except WebhookRefused as error:
            response = error_response(error, error.headers)
            response.status_code = error.status
        except PyAgentError as error:
            response = error_response(error)
            if error.code == "input.consent":
                response.status_code = 422
            if status_of(error) >= 500 and not isinstance(error, Busy):
                unexpected(error)
        await response(scope, receive, send)


def _params(parts: list[str], path: list[str]) -> dict[str, str] | None:
    if len(parts) != len(path):
        return None
    found: dict[str, str] = {}
    for part, given in zip(parts, path, strict=True):
        if part.startswith("{") and given:
            found[part[1:-1]] = given
        elif part != given:
            return None
    return found


def _preflight(endpoint: Endpoint, origin: str | None) -> Response:
    """The answer to a browser that asks whether its page may send a request."""
    headers = {
        "Access-Control-Allow-Methods": ", ".join(endpoint.methods),
        "Access-Control-Allow-Headers": ", ".join(
            dict.fromkeys(("Content-Type", "Authorization", endpoint.key_header, endpoint.header))
        ).rstrip(", "),
        "Access-Control-Max-Age": "600",
        "Vary": "Origin",
    }
    if origin is not None:
        headers["Access-Control-Allow-Origin"] = origin
    return Response(None, 204, headers)


def _result(driving: asyncio.Task[Run | None]) -> Run | None:
    """How a run stands after it was driven; None where that is not over, or did not go well."""
    return driving.result() if driving.done() and not driving.cancelled() and driving.exception() is None else None


def _look(run: Run) -> Response:
    """The run has been started; where to look for it."""
    address = f"/api/v1/runs/{run.id}"
    return JSONResponse({"run": run.id, "status": run.status, "url": address}, 202, {"Location": address})


def _json(value: Any) -> Response:
    return Response(encode(value), 200, media_type="application/json")


def _response(outputs: Any, run: Run) -> Response:
    """The response that a graph's outputs `status`, `headers` and `body` make. Raises `WebhookRefused`."""
    given: dict[str, Any] = cast("dict[str, Any]", outputs) if isinstance(outputs, dict) else {}
    status, headers, body = given.get("status"), given.get("headers"), given.get("body")
    status = 200 if status is None else status
    if not isinstance(status, int) or isinstance(status, bool) or not 200 <= status <= 599:
        raise _no_response(run, f"`status` is {str(status)[:80]!r}, not a number from 200 to 599")
    if headers is not None and not isinstance(headers, dict):
        raise _no_response(run, "`headers` is no object")
    made = {str(name): str(value) for name, value in cast("dict[Any, Any]", headers or {}).items()}
    if wrong := _wrong_header(made.items()):
        raise _no_response(run, f"the header {wrong[:80]!r} may not be set")
    if body is None or status in (204, 304):
        content, kind = b"", None
    elif isinstance(body, str):
        content, kind = body.encode("utf-8", "replace"), "text/plain; charset=utf-8"
    else:
        content, kind = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"), "application/json"
    names = {name.lower() for name in made}
    if kind is not None and "content-type" not in names:
        made["Content-Type"] = kind
    return Response(content, status, {**made, "Content-Security-Policy": _POLICY})


def _wrong_header(headers: Iterable[tuple[str, str]]) -> str | None:
    for name, value in headers:
        token = name.replace("-", "").replace("_", "")
        if not (token.isascii() and token.isalnum()) or name.lower() in _FORBIDDEN_HEADERS:
            return name
        if any(ord(letter) < 32 or ord(letter) > 255 or ord(letter) == 127 for letter in value):
            return name
    return None


def _no_response(run: Run, why: str) -> WebhookRefused:
    return WebhookRefused(
        f"the outputs of the run {run.id} make no response: {why}",
        status=500,
        code="webhook.response",
        hint="Correct the graph's outputs `status`, `headers` and `body`.",
    )


def webhooks_of(request: Request) -> Webhooks:
    """The webhooks of the server that a request came to."""
    return request.app.state.webhooks


__all__ = ["LISTEN_SECONDS", "PRODUCTION", "TEST", "Door", "Listening", "Webhooks", "webhooks_of"]
