"""Sends a request: redirects, waiting for a busy server, limits, and what goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx

from pyagent.sdk import Context
from pyagent.sdk.http_client import http_client, read_within
from pyagent_nodes.io._http_answer import Answer
from pyagent_nodes.io._http_errors import (
    HttpBadAddress,
    HttpBusy,
    HttpError,
    HttpRedirect,
    HttpSlow,
    HttpUnknown,
    never_sent,
    status_error,
    transport_error,
)
from pyagent_nodes.io._http_request import Request, shown
from pyagent_nodes.io.http import HttpParams, must_not_repeat

_EXCERPT = 2048
"""Bytes that are read of an answer that is an error."""
_ANY = 1 << 62
_REPORT = 1.0
"""Seconds between two reports of progress."""


class Sender:
    """Sends the requests of one item over one client."""

    def __init__(self, client: httpx.AsyncClient, params: HttpParams, ctx: Context) -> None:
        self._client = client
        self._params = params
        self._ctx = ctx
        self._once = must_not_repeat(params)
        self._patience = params.retry_after.total_seconds()

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, params: HttpParams, ctx: Context) -> AsyncGenerator[Sender]:
        """A sender, and its client closed after use."""
        timeouts = params.timeouts
        certificates = params.tls.certificates
        async with http_client(
            timeout=httpx.Timeout(timeouts.read.total_seconds(), connect=timeouts.connect.total_seconds(), pool=None),
            certificates=Path(certificates).expanduser() if certificates else None,
            verify=params.tls.verify,
            # A server may close a kept connection just when it is used again, and then nobody knows whether it has
            # read the request: what must not be repeated gets a connection of its own.
            keep_alive=not must_not_repeat(params),
        ) as client:
            yield cls(client, params, ctx)

    async def send(self, request: Request) -> Answer:
        """The answer with its body, if its status is among `success`.

        Raises `HttpError`, `AddressBlocked`, `HostUnknown`, `BodyTooLarge`, `BadCoding`; for a request that must not
        be repeated `HttpUnknown` where it is not known whether it was done.
        """
        least = 0.0
        while True:
            try:
                async with asyncio.timeout(self._params.timeouts.whole.total_seconds()):
                    answer = await self._follow(request)
            except TimeoutError as error:
                raise self._lost(HttpSlow(f"{request.shown} was not done in time (`timeouts.whole`)")) from error
            if self._is_ok(answer.status):
                return answer
            pause = _retry_after(answer) if answer.status in (429, 503) else None
            answer.discard()
            # A server that always says "now" is not asked without end.
            pause = None if pause is None else max(pause, least)
            if pause is None or pause > self._patience:
                raise self._refused(answer, pause)
            self._patience -= pause
            least = least * 2 or 1.0
            self._ctx.log(f"{request.shown} is busy, trying again in {pause:g} s", status=answer.status)
            await self._wait(pause, f"waiting for {request.url.host}")

    async def pause(self, seconds: float) -> None:
        """Wait between two pages."""
        await self._wait(seconds, "pausing")

    async def _wait(self, seconds: float, message: str) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._ctx.progress(None, f"{message}: {left:.0f} s")
            # Cancelling ends this: the node's function cancels the task that waits here.
            await asyncio.sleep(min(left, 5))

    async def _follow(self, request: Request) -> Answer:
        for _ in range(self._params.redirects + 1):
            answer = await self._exchange(request)
            there = answer.headers.get("location")
            if answer.status not in (301, 302, 303, 307, 308) or there is None or not self._params.redirects:
                return answer
            answer.discard()
            request = _redirected(request, answer.status, there)
        raise HttpRedirect(
            f"{request.shown} is one redirect too many: at most {self._params.redirects} are followed",
            details={"redirects": self._params.redirects},
        )

    async def _exchange(self, request: Request) -> Answer:
        again = not self._once
        while True:
            built = request.build(self._client, self._ctx)
            try:
                return await self._stream(request, built)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                # A kept connection that the server closed meanwhile: the request was not answered at all.
                if again and isinstance(error, httpx.RemoteProtocolError) and "without sending" in str(error):
                    again = False
                    continue
                raise self._lost(transport_error(error, request.shown)) from None

    async def _stream(self, request: Request, built: httpx.Request) -> Answer:
        response = await self._client.send(built, stream=True)
        answer = Answer.of(response, request)
        try:
            if built.method != "HEAD":
                if self._is_ok(answer.status):
                    await self._read(response, answer)
                else:
                    async with contextlib.aclosing(read_within(response, _ANY)) as pieces:
                        async for piece in pieces:
                            await answer.add(piece, self._ctx)
                            if answer.size >= _EXCERPT:
                                break
            return answer
        except BaseException:
            answer.discard()
            raise
        finally:
            await response.aclose()

    async def _read(self, response: httpx.Response, answer: Answer) -> None:
        reported = time.monotonic()
        async for piece in read_within(response, int(self._params.max_size)):
            await answer.add(piece, self._ctx)
            if (now := time.monotonic()) - reported > _REPORT:
                reported = now
                self._ctx.progress(answer.fraction, f"{answer.size >> 10} KiB of {answer.shown}")

    def _is_ok(self, status: int) -> bool:
        text = str(status)
        return any(
            all(sign in ("x", digit) for sign, digit in zip(str(one).lower(), text, strict=True))
            for one in self._params.success
        )

    def _refused(self, answer: Answer, pause: float | None) -> HttpError:
        kind = status_error(answer.status)
        said = answer.excerpt(_EXCERPT)
        words = f"{answer.shown} says {answer.status} {answer.reason}".rstrip()
        details: dict[str, Any] = {"status": answer.status, "body": said}
        if kind is HttpBusy and pause is not None:
            details["retry_after"] = pause
            words += f", to come again in {pause:g} s, later than `retry_after` allows"
        line = " ".join(said.split())[:200]
        return kind(words + (f": {line}" if line else ""), details=details)

    def _lost(self, error: HttpError) -> Exception:
        """The error; where the request may have been done and must not be repeated, that it is not known."""
        if not self._once or never_sent(error):
            return error
        return HttpUnknown(f"it is not known whether the {self._params.method} was done: {error.message}")


def _redirected(request: Request, status: int, location: str) -> Request:
    try:
        url = request.url.join(location).copy_with(fragment=None)
    except httpx.InvalidURL as error:
        raise HttpRedirect(f"{request.shown} redirects to an address that is not valid: {error}") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise HttpRedirect(f"{request.shown} redirects to {shown(url)}, which is no web address")
    if url.userinfo:
        raise HttpBadAddress(f"{request.shown} redirects to an address with a login")
    method = request.method
    if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
        method = "GET"
    return request.to(url, method)


def _retry_after(answer: Answer) -> float | None:
    """Seconds that the server asks to wait, or None (RFC 9110, 10.2.3)."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        then = parsedate_to_datetime(text)
    except ValueError:
        return None
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    return max(0.0, (then - datetime.now(UTC)).total_seconds())
