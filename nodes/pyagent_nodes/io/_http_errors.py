"""What can go wrong with an HTTP request, in words and codes."""

from __future__ import annotations

import ssl

import httpx

from pyagent.sdk import NodeError, NodeTimeout


class HttpError(NodeError):
    """The request could not be made or answered."""

    code = "node.http"
    hint = "The server or the way to it fails; try again later."


class HttpBadAddress(HttpError):
    """The address is none that can be asked."""

    code = "node.http_url"
    hint = "Give a whole address, such as https://api.example.org/v1/items; logins belong into `auth`."


class HttpBadRequest(HttpError):
    """The request cannot be sent as it is."""

    code = "node.http_request"
    hint = "Correct the parameter that the message names."


class HttpCredential(HttpError):
    """The credential does not fit, or is not for this host."""

    code = "node.http_credential"
    hint = "See the fields that `auth` asks for, and the credential's `hosts`."


class HttpNoConnection(HttpError):
    """There is no connection to the server; nothing was sent."""

    code = "node.http_connect"
    hint = "Check host and port, and whether the server runs; a proxy of the environment is not used."


class HttpNotTrusted(HttpError):
    """The server's certificate is not trusted; nothing was sent."""

    code = "node.http_tls"
    hint = "Check the host's name; for an authority of your own, give its certificate in `tls.certificates`."


class HttpSlow(HttpError):
    """The server did not answer in time."""

    code = "node.http_timeout"
    hint = "Try again (`retry`), or raise the limit in `timeouts` that the message names."


class HttpNotReached(HttpSlow):
    """There was no connection in time; nothing was sent."""


class HttpBroken(HttpError):
    """The answer broke off or breaks the protocol."""

    code = "node.http_broken"
    hint = "Try again (`retry`); if it stays, the server is at fault."


class HttpUnknown(NodeTimeout):
    """The request may or may not have been done: it was sent, and its answer was lost."""

    code = "node.http_unknown"
    hint = (
        "Look at the service, then settle the step: `pyagent resolve`. If the service knows keys against doing it "
        "twice, set `idempotency_header`."
    )


class HttpBusy(HttpError):
    """The server is busy (429, 503), for longer than `retry_after` allows to wait."""

    code = "node.http_busy"
    hint = "Give the node a `retry` with pauses, `on: [node.http_busy]`, or raise `retry_after`."


class HttpDenied(HttpError):
    """The server does not let this caller in (401, 403, 407)."""

    code = "node.http_denied"
    hint = "Check the credential and its rights."


class HttpMissing(HttpError):
    """There is nothing at this address (404, 410)."""

    code = "node.http_missing"
    hint = "Check the address; if it may be missing, take the status into `success` and look at `full`."


class HttpServerFailed(HttpError):
    """The server failed (5xx)."""

    code = "node.http_server"
    hint = "Try again later (`retry`); the server is at fault."


class HttpStatus(HttpError):
    """The answer has a status that is not among `success`."""

    code = "node.http_status"
    hint = "The details hold what the server said; statuses that are no error stand in `success`."


class HttpRedirect(HttpError):
    """The server redirects too often, in a circle, or to nowhere."""

    code = "node.http_redirect"
    hint = "Ask the address that it leads to, or raise `redirects`."


class HttpContent(HttpError):
    """The answer is not what was expected."""

    code = "node.http_content"
    hint = "Look at the answer with `as: text` and `full: true`."


class HttpEncoding(HttpError):
    """The answer's text does not fit its encoding."""

    code = "node.http_encoding"
    hint = "Name the right `encoding`, or take it as binary."


class HttpPages(HttpError):
    """The pages do not come to an end within the limits, or cannot be told."""

    code = "node.http_pages"
    hint = "Raise `paging.max_pages`, or set `paging.beyond: stop`."


def status_error(status: int) -> type[HttpError]:
    """The kind of error that a status is."""
    if status in (429, 503):
        return HttpBusy
    if status in (401, 403, 407):
        return HttpDenied
    if status in (404, 410):
        return HttpMissing
    return HttpServerFailed if status >= 500 else HttpStatus


def transport_error(error: httpx.HTTPError | httpx.InvalidURL, where: str) -> HttpError:
    """httpx's error as one of ours; `where` is the address as it may be shown."""
    words = str(error) or type(error).__name__
    match error:
        case httpx.ConnectTimeout():
            return HttpNotReached(f"no connection to {where} in time (`timeouts.connect`)")
        case httpx.ReadTimeout() | httpx.WriteTimeout() | httpx.PoolTimeout():
            return HttpSlow(f"{where} fell silent for longer than `timeouts.read`")
        case httpx.ConnectError():
            if (cause := _tls_cause(error)) is not None:
                return HttpNotTrusted(f"no secure connection to {where}: {cause}")
            return HttpNoConnection(f"no connection to {where}: {words}")
        case httpx.UnsupportedProtocol() | httpx.InvalidURL():
            return HttpBadAddress(f"{where} cannot be asked: {words}")
        case httpx.RemoteProtocolError() if "location header" in words:
            # httpx looks at the address of a redirect, also when it is not to follow it.
            return HttpRedirect(f"{where} redirects to an address that is not valid")
        case httpx.LocalProtocolError():
            return HttpBadRequest(f"the request to {where} cannot be sent: {words}")
        case _:
            return HttpBroken(f"the answer of {where} broke off: {words}")


def never_sent(error: HttpError) -> bool:
    """Whether the error says that the request did not reach the server."""
    return isinstance(error, HttpNoConnection | HttpNotReached | HttpNotTrusted | HttpBadAddress | HttpBadRequest)


def _tls_cause(error: BaseException) -> str | None:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return seen.verify_message
        if isinstance(seen, ssl.SSLError):
            return seen.reason or str(seen)
        seen = seen.__cause__ or seen.__context__
    return None
