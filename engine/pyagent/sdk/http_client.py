"""HTTP clients that go through the door of `pyagent.sdk.network`; importing this imports httpx.

Connections are made to checked addresses only, on redirects and reused names too. Proxies from the environment are
not used: a proxy would resolve names itself, behind the check.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, cast
from weakref import WeakKeyDictionary

import httpcore
import httpx

from pyagent.errors import NodeError
from pyagent.sdk._http_coding import BadCoding, BodyTooLarge, decoder
from pyagent.sdk.network import NetworkPolicy, resolve

_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=30)


class BadCertificates(NodeError):
    """The file with certificates cannot be used."""

    code = "node.http_certificates"
    hint = "Name a readable PEM file that holds the certificates to trust."


def http_client(
    *,
    timeout: httpx.Timeout | float = 30,
    certificates: Path | None = None,
    verify: bool = True,
    keep_alive: bool = True,
) -> httpx.AsyncClient:
    """A client for public addresses and those that `PYAGENT_ALLOW_PRIVATE` allows; close it after use.

    `certificates` is a PEM file of authorities to trust besides the usual ones; `verify=False` trusts any. Clients
    that are open at the same time in one event loop share their connections, unless `keep_alive` is false: then each
    request has one of its own. Redirects are not followed unless asked for, and each is checked.

    Requests raise httpx's errors, `HostUnknown` and `AddressBlocked`. Raises `BadCertificates` and `SetupError`.
    """
    policy = NetworkPolicy.from_environment()
    stamp = _stamp(certificates) if certificates is not None else 0
    transport: httpx.AsyncBaseTransport
    if keep_alive:
        transport = _Shared((policy, certificates, stamp, verify))
    else:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        transport = _Guarded(policy, _tls(certificates, stamp, verify), limits)
    # Only what `read_within` unpacks in bounded memory; httpx by itself would offer all that is installed.
    headers = {"Accept-Encoding": "gzip, deflate"}
    return httpx.AsyncClient(transport=transport, timeout=timeout, trust_env=False, headers=headers)


class _Backend(httpcore.AsyncNetworkBackend):
    """Resolves, checks, and connects to what was checked."""

    def __init__(self, policy: NetworkPolicy) -> None:
        self._policy = policy
        # The cast: httpcore declares it in two ways, for with and without anyio.
        self._inner = cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        end = None if timeout is None else time.monotonic() + timeout
        try:
            addresses = await asyncio.wait_for(resolve(host, port, policy=self._policy), timeout)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"{host} was not resolved in time") from error
        failed: Exception = httpcore.ConnectError(f"{host} has no address")
        for number, address in enumerate(addresses):
            # The time is shared, so that one address that swallows packets does not use up the others' turn.
            share = None if end is None else max(0.01, (end - time.monotonic()) / (len(addresses) - number))
            try:
                return await self._inner.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.AsyncNetworkStream:
        raise httpcore.UnsupportedProtocol("sockets of this machine are not reached by HTTP")

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


class _Guarded(httpx.AsyncHTTPTransport):
    """httpx's transport with our backend."""

    def __init__(self, policy: NetworkPolicy, context: ssl.SSLContext, limits: httpx.Limits) -> None:
        super().__init__(verify=context, trust_env=False, limits=limits)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=_Backend(policy),
        )


class _Shared(httpx.AsyncBaseTransport):
    """A transport that all clients of an event loop with the same settings use; the last one closes it."""

    _open: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Any, tuple[_Guarded, set[_Shared]]]] = WeakKeyDictionary()

    def __init__(self, key: tuple[NetworkPolicy, Path | None, int, bool]) -> None:
        self._key = key
        self._pools = self._open.setdefault(asyncio.get_running_loop(), {})
        if key not in self._pools:
            policy, certificates, stamp, verify = key
            self._pools[key] = _Guarded(policy, _tls(certificates, stamp, verify), _LIMITS), set()
        self._transport, self._users = self._pools[key]
        self._users.add(self)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._transport.handle_async_request(request)

    async def aclose(self) -> None:
        self._users.discard(self)
        if not self._users and self._pools.get(self._key, (None,))[0] is self._transport:
            del self._pools[self._key]
            await self._transport.aclose()


async def read_within(response: httpx.Response, most: int) -> AsyncGenerator[bytes]:
    """The body of a streamed response, decoded, in pieces of at most 256 KiB.

    Raises `BodyTooLarge` once it is larger than `most` bytes, before or after decoding, `BadCoding`, and httpx's
    errors. Memory stays bounded, also for a body that is small until it is unpacked.
    """
    told = response.headers.get("content-length", "")
    coding = response.headers.get("content-encoding", "").strip().lower()
    if told.isascii() and told.isdigit() and int(told) > most:
        raise BodyTooLarge(most, int(told))
    decode, end = decoder(coding)
    size = raw = 0
    async for chunk in response.aiter_raw():
        raw += len(chunk)
        for piece in decode(chunk):
            size += len(piece)
            if size > most:
                raise BodyTooLarge(most)
            yield piece
        if raw > most:
            raise BodyTooLarge(most)
    if raw:
        end()


@lru_cache(maxsize=16)
def _tls(certificates: Path | None, stamp: int, verify: bool) -> ssl.SSLContext:
    """A context, whose making takes tens of milliseconds; `stamp` makes a changed file a new one."""
    context = httpx.create_ssl_context(verify=verify)
    context.hostname_checks_common_name = False  # RFC 9525: names stand in the certificate's alternative names only
    if certificates is not None:
        try:
            context.load_verify_locations(cafile=certificates)
        except (OSError, ssl.SSLError) as error:
            raise BadCertificates(f"{certificates} holds no certificates: {error}") from error
    return context


def _stamp(certificates: Path) -> int:
    try:
        return certificates.stat().st_mtime_ns
    except OSError as error:
        raise BadCertificates(f"{certificates} cannot be read: {error.strerror}") from error


__all__ = ["BadCertificates", "BadCoding", "BodyTooLarge", "http_client", "read_within"]
