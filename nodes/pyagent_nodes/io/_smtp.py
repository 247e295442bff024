"""Hands a message to a mail server, and tells what is known where that breaks off."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyagent.sdk import CancelToken, InputError, NodeCancelled, NodeError, NodeTimeout

if TYPE_CHECKING:
    from aiosmtplib import SMTP

_CHUNK = 64 * 1024
_LAST_WORDS = 0.5
"""Seconds that a stop leaves for the answer to a message that is sent already."""
_DOT = re.compile(rb"(?m)^\.")
_PORTS = {"tls": 465, "starttls": 587, "none": 25}


class MailError(NodeError):
    """The mail was not sent."""

    code = "node.email"
    hint = "Nothing was sent; it may be tried again."


class MailConnect(MailError):
    """The server cannot be reached, or does not speak SMTP as asked."""

    code = "node.email_connect"
    hint = "Check `host`, `port` and `security` of the credential. Nothing was sent; it may be tried again."


class MailLogin(MailError):
    """The server does not accept user and password."""

    code = "node.email_login"
    hint = "Check `user` and `password` of the credential. Nothing was sent."


class MailBroken(MailError):
    """The connection broke off before the message was whole."""

    code = "node.email_broken"


class MailLater(MailError):
    """The server refuses for now (4xx)."""

    code = "node.email_later"
    hint = "Nothing was sent; try again later, as with `retry: {attempts: 5, initial: 5m}`."


class MailRefused(MailError):
    """The server refuses sender, recipient or message for good (5xx)."""

    code = "node.email_refused"
    hint = "The server's words say why. Nothing was sent."


class MailUnsupported(MailError):
    """The server cannot do what is needed."""

    code = "node.email_unsupported"
    hint = "Nothing was sent. Change `security` of the credential, or the addresses."


class MailUnknown(NodeTimeout):
    """The message was sent whole, and the server's answer never came."""

    code = "node.email_unknown"
    hint = "It may have been delivered: ask the receiver, who knows a repeat by its Message-ID."


@dataclass(frozen=True, kw_only=True, slots=True)
class MailServer:
    """Where mail is handed in, from a credential."""

    host: str
    port: int
    security: str
    """`tls`, `starttls` or `none`."""
    user: str
    password: str
    ca_file: str
    """PEM file of the authorities to trust, besides the system's; empty: those alone."""

    @classmethod
    def of(cls, credential: Mapping[str, str], name: str) -> MailServer:
        """From the credential's fields. Raises `InputError`."""
        host, port = credential.get("host", ""), credential.get("port", "")
        security = credential.get("security") or ("tls" if port == "465" else "starttls")
        if not host or security not in _PORTS or (port and not (port.isdecimal() and 0 < int(port) < 65536)):
            raise InputError(
                f"the credential {name!r} is no mail server",
                code="input.credential",
                hint="It needs `host`, and may have `port`, `security` (tls, starttls, none), `user`, `password`, "
                "`from`, `ca_file`.",
            )
        if security == "none" and not _is_loopback(host):
            raise InputError(
                f"the credential {name!r} says `security: none` for {host}",
                code="input.credential",
                hint="Only a server on this machine (localhost) may be spoken to in the clear.",
            )
        return cls(
            host=host,
            port=int(port) if port else _PORTS[security],
            security=security,
            user=credential.get("user", ""),
            password=credential.get("password", ""),
            ca_file=credential.get("ca_file", ""),
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _client(server: MailServer, timeout: float) -> SMTP:
    import aiosmtplib

    try:
        context = ssl.create_default_context()
        if server.ca_file:
            context.load_verify_locations(server.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise MailConnect(f"{server.ca_file}: {error}") from error
    return aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        username=server.user or None,
        password=server.password or None,
        timeout=timeout,
        use_tls=server.security == "tls",
        start_tls=server.security == "starttls",
        tls_context=context if server.security != "none" else None,
    )


async def log_in(server: MailServer, *, timeout: float) -> None:
    """Connect and log in, and send nothing. Raises `MailError`."""
    client = _client(server, timeout)
    try:
        await _enter(client, server)
    finally:
        client.close()


async def send(
    server: MailServer,
    *,
    sender: str,
    recipients: Sequence[str],
    message: bytes,
    utf8: bool,
    timeout: float,
    cancel: CancelToken,
) -> str:
    """Send the message and return the server's words.

    `timeout` is in seconds, for each step of the protocol. Raises `MailError` and `NodeCancelled` where nothing was
    sent, and `MailUnknown` where the message was sent whole and no answer came.
    """
    client = _client(server, timeout)
    try:
        await _until_stopped(_greet(client, server, sender, recipients, utf8), cancel)
        return await _data(client, message, timeout, cancel)
    finally:
        client.close()


async def _until_stopped(call: Any, cancel: CancelToken) -> Any:
    """Await the call; a stop that is asked for ends it at once. Raises `NodeCancelled`."""
    cancel.check()
    working = asyncio.ensure_future(call)
    asked = asyncio.ensure_future(cancel.wait())
    try:
        await asyncio.wait({working, asked}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise NodeCancelled(f"stopped before the mail was sent ({cancel.reason})")
    finally:
        asked.cancel()
        working.cancel()
        await asyncio.gather(working, asked, return_exceptions=True)


async def _enter(client: SMTP, server: MailServer) -> None:
    """Connect and log in."""
    import aiosmtplib

    where = f"{server.host}:{server.port}"
    try:
        await client.connect()
    except aiosmtplib.SMTPAuthenticationError as error:
        raise MailLogin(f"{where} does not accept the user {server.user!r}: {error.code} {error.message}") from error
    except aiosmtplib.SMTPNotSupported as error:
        raise MailUnsupported(f"{where}: {error}") from error
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        if "STARTTLS" in str(error) and "not support" in str(error):
            raise MailUnsupported(f"{where}: {error}") from error
        raise MailConnect(f"{where}: {error}".rstrip(": ")) from error


async def _greet(client: SMTP, server: MailServer, sender: str, recipients: Sequence[str], utf8: bool) -> None:
    """All that comes before the message itself."""
    import aiosmtplib

    where = f"{server.host}:{server.port}"
    await _enter(client, server)
    try:
        options = ["SMTPUTF8"] if utf8 else []
        if utf8 and client.is_ehlo_or_helo_needed:
            await client.ehlo()
        if utf8 and not client.supports_extension("smtputf8"):
            raise MailUnsupported(f"{where} takes no addresses beyond ASCII (SMTPUTF8)")
        await client.mail(sender, options=options, encoding="utf-8" if utf8 else "ascii")
        await _recipients(client, recipients, utf8)
    except aiosmtplib.SMTPSenderRefused as error:
        raise _refused(error.code, f"{where} refuses the sender {sender}: {error.code} {error.message}", {}) from error
    except aiosmtplib.SMTPResponseException as error:
        raise _refused(error.code, f"{where}: {error.code} {error.message}", {}) from error
    except (aiosmtplib.SMTPException, OSError) as error:
        raise MailBroken(f"{where} broke off before the message: {error}".rstrip(": ")) from error


async def _recipients(client: SMTP, recipients: Sequence[str], utf8: bool) -> None:
    """Name all recipients; one that is refused is an error, before anything is sent to the others."""
    import aiosmtplib

    refused: dict[str, Any] = {}
    codes: list[int] = []
    for recipient in recipients:
        try:
            await client.rcpt(recipient, encoding="utf-8" if utf8 else "ascii")
        except aiosmtplib.SMTPRecipientRefused as error:
            refused[recipient] = {"code": error.code, "message": error.message}
            codes.append(error.code)
    if refused:
        said = "; ".join(f"{recipient}: {word['code']} {word['message']}" for recipient, word in refused.items())
        raise _refused(max(codes), f"the server refuses {said}", {"recipients": refused})


def _refused(code: int, words: str, details: dict[str, Any]) -> MailError:
    return (MailLater if 400 <= code < 500 else MailRefused)(words, details={"smtp": code, **details})


async def _data(client: SMTP, message: bytes, timeout: float, cancel: CancelToken) -> str:
    """The message and the server's answer to it.

    Until the end mark of DATA is given to the connection, the server has nothing that it may deliver (RFC 5321,
    4.1.1.4). From then on, only its answer tells.
    """
    import aiosmtplib

    body = _DOT.sub(b"..", message if message.endswith(b"\r\n") else message + b"\r\n")
    answer: asyncio.Task[Any] | None = None
    try:
        reply = await _until_stopped(client.execute_command(b"DATA", timeout=timeout), cancel)
        if reply.code != 354:
            raise _refused(reply.code, f"the server refuses the message: {reply.code} {reply.message}", {})
        protocol, transport = client.protocol, client.transport
        if protocol is None or transport is None:
            raise aiosmtplib.SMTPServerDisconnected("Connection lost")
        writer = asyncio.StreamWriter(transport, protocol, None, asyncio.get_running_loop())  # type: ignore[arg-type]
        # An answer that comes early, as "too large", is heard too.
        answer = asyncio.create_task(protocol.read_response(timeout=None))
        for start in range(0, len(body), _CHUNK):
            await asyncio.sleep(0)
            if answer.done():
                early = answer.result()
                raise _refused(early.code, f"the server refuses the message: {early.code} {early.message}", {})
            cancel.check()
            writer.write(body[start : start + _CHUNK])
            await _until_stopped(asyncio.wait_for(writer.drain(), timeout), cancel)
        await asyncio.sleep(0)
        if answer.done():
            answer.result()
        if transport.is_closing():
            raise aiosmtplib.SMTPServerDisconnected("Connection lost")
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        await _drop(answer)
        raise MailBroken(f"the connection broke off before the message was whole: {error}".rstrip(": ")) from error
    except BaseException:
        await _drop(answer)
        raise
    try:
        writer.write(b".\r\n")
        reply = await _answered(answer, timeout, cancel)
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        raise MailUnknown(f"the message was sent, and no answer came: {error}".rstrip(": ")) from error
    finally:
        await _drop(answer)
    if not 200 <= reply.code < 300:
        raise _refused(reply.code, f"the server refuses the message: {reply.code} {reply.message}", {})
    return f"{reply.code} {reply.message}"


async def _answered(answer: asyncio.Task[Any], timeout: float, cancel: CancelToken) -> Any:
    asked = asyncio.ensure_future(cancel.wait())
    try:
        await asyncio.wait({answer, asked}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done() and asked.done():
            await asyncio.wait({answer}, timeout=_LAST_WORDS)
            if not answer.done():
                raise NodeCancelled(f"stopped while the server had not yet answered ({cancel.reason})")
        if not answer.done():
            raise TimeoutError(f"within {timeout:g} s")
        return answer.result()
    finally:
        asked.cancel()


async def _drop(answer: asyncio.Task[Any] | None) -> None:
    if answer is not None:
        answer.cancel()
        await asyncio.gather(answer, return_exceptions=True)
