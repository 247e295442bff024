"""Makes an e-mail message whose headers hold what was meant and nothing else."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage

from pyagent.sdk import NodeError

_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_HEADER_NAME = re.compile(r"[!-9;-~]+", re.ASCII)
_OWN_HEADERS = frozenset({"from", "to", "cc", "bcc", "reply-to", "subject", "date", "message-id", "mime-version"})
_WHOLE = frozenset({"multipart", "message"})
"""Media types whose content is no bytes to the e-mail library."""


class MailHeader(NodeError):
    """A header's name or value cannot stand in a message."""

    code = "node.email_header"
    hint = "A header is one line; take control characters and ends of lines out of it."


class MailAddress(NodeError):
    """What stands where an e-mail address goes is none."""

    code = "node.email_address"
    hint = "Write addresses as ann@example.org or Ann Bee <ann@example.org>, several in a list."


@dataclass(frozen=True, kw_only=True, slots=True)
class Mailbox:
    """A person's or a list's address."""

    name: str
    """What is shown; may be empty."""
    local: str
    domain: str
    """In ASCII: names in other scripts are encoded (IDNA)."""

    @property
    def address(self) -> str:
        """`local@domain`, for the envelope."""
        return f"{self.local}@{self.domain}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Attachment:
    """A file that goes with a message."""

    name: str
    media_type: str
    content: bytes


def mailboxes(given: str | Sequence[str], field: str) -> list[Mailbox]:
    """The addresses in a text (with commas between them) or a list. Raises `MailAddress` and `MailHeader`."""
    from email.errors import HeaderParseError, NonASCIILocalPartDefect
    from email.policy import SMTPUTF8

    found: list[Mailbox] = []
    for text in [given] if isinstance(given, str) else given:
        one_line(text, field)
        if not (listed := text.strip(" ,")):
            continue
        try:
            header = SMTPUTF8.header_factory("To", listed)
            addresses = header.addresses
            defects = [found for found in header.defects if not isinstance(found, NonASCIILocalPartDefect)]
            broken = bool(defects) or not addresses
        except (HeaderParseError, IndexError, ValueError, AttributeError):
            addresses, broken = (), True
        for address in addresses:
            broken = broken or not address.username or "." not in f"{address.domain}." or not address.domain
            found.append(
                Mailbox(name=address.display_name, local=address.username, domain=_ascii(address.domain, text))
            )
        if broken:
            raise MailAddress(f"{field}: {text[:100]!r} is no e-mail address")
    return found


def _ascii(domain: str, text: str) -> str:
    if domain.isascii():
        return domain
    import idna

    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise MailAddress(f"{text[:100]!r}: there is no domain {domain!r}: {error}") from error


def one_line(text: str, field: str) -> str:
    """The text, if it can stand in a header. Raises `MailHeader`."""
    if found := _CONTROL.search(text):
        raise MailHeader(f"{field} holds the character U+{ord(found[0]):04X}, which could begin another header")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise MailHeader(f"{field} holds half a character") from error
    return text


def message_id(key: str, domain: str) -> str:
    """The message's identity: the same for every try of the same item, so that a receiver knows a repeat."""
    digest = hashlib.sha256(key.encode()).hexdigest()[:32]
    return f"<{digest}.pyagent@{domain}>"


def build_message(
    *,
    sender: Mailbox,
    to: Sequence[Mailbox],
    cc: Sequence[Mailbox],
    reply_to: Sequence[Mailbox],
    subject: str,
    text: str | None,
    html: str | None,
    attachments: Sequence[Attachment],
    headers: Mapping[str, str],
    identity: str,
    date: datetime,
) -> EmailMessage:
    """The message. Blind copies are the envelope's alone. Raises `MailHeader`."""
    from email.headerregistry import Address
    from email.policy import SMTP

    message = EmailMessage(policy=SMTP.clone(cte_type="7bit"))

    def addresses(boxes: Sequence[Mailbox]) -> list[Address]:
        return [Address(box.name, box.local, box.domain) for box in boxes]

    message["From"] = addresses([sender])
    for name, boxes in (("To", to), ("Cc", cc), ("Reply-To", reply_to)):
        if boxes:
            message[name] = addresses(boxes)
    message["Subject"] = one_line(subject, "subject")
    message["Date"] = date
    message["Message-ID"] = identity
    for name, value in headers.items():
        lower = name.lower()
        if not _HEADER_NAME.fullmatch(name) or lower in _OWN_HEADERS or lower.startswith("content-"):
            raise MailHeader(f"{name!r} is no header of one's own", hint="Use the node's own parameter for it.")
        message[name] = one_line(value, f"headers.{name}")
    if html is None or text is not None:
        message.set_content(text or "")
    if html is not None:
        if text is None:
            message.set_content(html, subtype="html")
        else:
            message.add_alternative(html, subtype="html")
    for attachment in attachments:
        main, _, sub = attachment.media_type.partition("/")
        if not sub or not _HEADER_NAME.fullmatch(main) or not _HEADER_NAME.fullmatch(sub) or main in _WHOLE:
            main, sub = "application", "octet-stream"
        name = one_line(attachment.name, "an attachment's name")
        message.add_attachment(attachment.content, maintype=main, subtype=sub, filename=name)
    return message


def message_bytes(message: EmailMessage, *, utf8: bool) -> bytes:
    """The message as it is sent, in ASCII; with `utf8`, headers may hold any character (RFC 6532)."""
    from email.policy import SMTP

    return message.as_bytes(policy=SMTP.clone(cte_type="7bit", utf8=utf8))
