"""Mail servers on loopback: a real one that keeps what it gets, and one that follows a script to break off."""

from __future__ import annotations

import asyncio
import ssl
import threading
import warnings
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any


@dataclass
class Mail:
    """One message that the server took."""

    sender: str
    recipients: list[str]
    content: bytes

    @property
    def message(self) -> EmailMessage:
        found = message_from_bytes(self.content, policy=policy.default)
        assert isinstance(found, EmailMessage)
        return found


@dataclass
class MailBoxServer:
    """A server that keeps all mail, but refuses recipients that begin with `nobody` (550) or `later` (451)."""

    port: int = 0
    mails: list[Mail] = field(default_factory=list)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address.startswith("nobody"):
            return "550 5.1.1 There is nobody of that name"
        if address.startswith("later"):
            return "451 4.7.1 Greylisted"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if b"X-Refuse: yes" in envelope.original_content:
            return "554 5.7.1 This looks like spam"
        self.mails.append(Mail(envelope.mail_from, envelope.rcpt_tos, envelope.original_content))
        return "250 2.0.0 Taken"


@asynccontextmanager
async def mail_server(
    *,
    tls: ssl.SSLContext | None = None,
    starttls: ssl.SSLContext | None = None,
    login: tuple[str, str] | None = None,
    utf8: bool = True,
) -> AsyncIterator[MailBoxServer]:
    """aiosmtpd on a free port of loopback; `login` is the user and the password that it wants."""
    from aiosmtpd.smtp import SMTP, AuthResult

    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        wanted = login is not None and (data.login, data.password) == (login[0].encode(), login[1].encode())
        return AuthResult(success=wanted, handled=False)

    box = MailBoxServer()

    def protocol() -> SMTP:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it is loopback
            return made()

    def made() -> SMTP:
        return SMTP(
            box,
            hostname="mail.example.org",
            enable_SMTPUTF8=utf8,
            tls_context=starttls,
            require_starttls=starttls is not None,
            auth_required=login is not None,
            auth_require_tls=False,
            authenticator=authenticate if login else None,
        )

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, ssl=tls)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()


@dataclass
class ScriptedServer:
    """What a scripted server has heard so far."""

    port: int = 0
    heard: list[str] = field(default_factory=list)
    hangs: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it closed a connection."""


@asynccontextmanager
async def scripted_server(script: Sequence[str | None]) -> AsyncIterator[ScriptedServer]:
    """A server that answers line by line: a text is sent, `hang` waits for the client to go, None closes.

    The first answer is the greeting. After an answer 354, it reads until the end mark, or closes if `cut` follows.
    """
    told = ScriptedServer()
    open_writers: list[asyncio.StreamWriter] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_writers.append(writer)
        in_data = False
        for number, answer in enumerate(script):
            if number:
                line = await (reader.readuntil(b"\r\n.\r\n") if in_data else reader.readline())
                told.heard.append(line.decode(errors="replace"))
                in_data = False
            if answer == "hang":
                told.hangs.set()
                await reader.read()
                break
            if answer is None:
                break
            writer.write(f"{answer}\r\n".encode())
            await writer.drain()
            in_data = answer.startswith("354")
            if in_data and script[number + 1 : number + 2] == ["cut"]:
                break
        writer.transport.abort()
        told.left.set()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, limit=64 * 1024 * 1024)
    try:
        told.port = server.sockets[0].getsockname()[1]
        yield told
    finally:
        server.close()
        for writer in open_writers:
            writer.close()


@contextmanager
def mail_server_aside() -> Iterator[MailBoxServer]:
    """`mail_server` in a thread of its own, for fixtures that are not async."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = mail_server()
    try:
        yield asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(10)
    finally:
        asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
