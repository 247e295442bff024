"""`io.email`: send a mail for each item."""

from __future__ import annotations

from typing import Self

from pydantic import ByteSize, Field, model_validator

from pyagent.sdk import Context, InputError, Item, NodeError, NodeParams, node
from pyagent.sdk.fields import Duration, FieldPath, with_field
from pyagent_nodes.io._files import binary_of
from pyagent_nodes.io._message import Attachment, MailAddress, build_message, mailboxes, message_bytes, message_id
from pyagent_nodes.io._smtp import MailServer, send


class EmailParams(NodeParams):
    """Parameters of `io.email`."""

    credential: str = Field(
        min_length=1,
        description="The mail server: `host`, `port`, `security` (tls, starttls, or none on this machine), `user`, "
        "`password`, `from`, `ca_file`",
    )
    from_: str = Field("", alias="from", description="Sender; left out: the credential's `from`")
    to: str | list[str] = Field("", description="Recipients, in a list or with commas", examples=["ann@example.org"])
    cc: str | list[str] = Field("", description="Copies, seen by all")
    bcc: str | list[str] = Field("", description="Blind copies: no recipient sees them")
    reply_to: str | list[str] = Field("", description="Where answers go, if not to the sender")
    subject: str = Field("", description="One line")
    text: str | None = Field(None, description="The mail as plain text")
    html: str | None = Field(None, description="The mail as HTML; with `text` too, readers choose")
    attachments: list[str] = Field(
        default_factory=list, description="Binaries of the item to attach; `*`: all of them", examples=[["report"]]
    )
    headers: dict[str, str] = Field(default_factory=dict, description="More headers", examples=[{"X-Priority": "1"}])
    into: FieldPath = Field("email", description="The field that gets `{message_id, recipients, answer}`")
    timeout: Duration = Field("60s", validate_default=True, description="For each step of the conversation")
    max_size: ByteSize = Field(ByteSize(25 * 1024 * 1024), description="Attachments together")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not (self.to or self.cc or self.bcc):
            raise ValueError("say who gets it: `to`, `cc` or `bcc`")
        if self.text is None and self.html is None:
            raise ValueError("say what it says: `text` or `html`")
        return self


@node("io.email", title="Send a mail", icon="mail", effects="once", each_item=True)
async def email(item: Item, params: EmailParams, ctx: Context) -> Item:
    """Send a mail by SMTP for each item, and pass the item on with the server's answer.

    A recipient that the server refuses is an error, and then nobody gets the mail. If the connection breaks before
    the mail was sent whole, that is an error which may be tried again; if it breaks after, nobody knows whether it
    was delivered, and the step asks (`on_unknown`). The Message-ID is the same for every try of an item.
    """
    credential = await ctx.credential(params.credential)
    server = MailServer.of(credential, params.credential)
    senders = mailboxes(params.from_ or credential.get("from", ""), "from")
    if len(senders) != 1:
        raise MailAddress("the mail needs one sender", hint="Say it in `from`, or in the credential's `from`.")
    [sender] = senders
    to, cc, bcc = (mailboxes(getattr(params, field), field) for field in ("to", "cc", "bcc"))
    recipients = list(dict.fromkeys(box.address for box in [*to, *cc, *bcc]))
    if not recipients:
        raise MailAddress("the mail has no recipient", hint="Say it in `to`, `cc` or `bcc`.")
    identity = message_id(ctx.idempotency_key, sender.domain)
    message = build_message(
        sender=sender,
        to=to,
        cc=cc,
        reply_to=mailboxes(params.reply_to, "reply_to"),
        subject=params.subject,
        text=params.text,
        html=params.html,
        attachments=await _attachments(item, params, ctx),
        headers=params.headers,
        identity=identity,
        date=ctx.now,
    )
    utf8 = not all(address.isascii() for address in [sender.address, *recipients])
    try:
        content = message_bytes(message, utf8=utf8)
    except (ValueError, UnicodeError) as error:
        raise InputError(
            f"the mail cannot be written: {error}",
            code="input.email",
            hint="Correct the field that the message names: subject, text, headers or a name of an attachment.",
        ) from error
    answer = await send(
        server,
        sender=sender.address,
        recipients=recipients,
        message=content,
        utf8=utf8,
        timeout=params.timeout.total_seconds(),
        cancel=ctx.cancel,
    )
    said = {"message_id": identity, "recipients": recipients, "answer": answer}
    return Item(with_field(item.json, params.into, said), item.binary, item.sources)


async def _attachments(item: Item, params: EmailParams, ctx: Context) -> list[Attachment]:
    names = list(item.binary or {}) if params.attachments == ["*"] else params.attachments
    found: list[Attachment] = []
    total = 0
    for name in names:
        ref = binary_of(item, name)
        total += ref.size
        if total > params.max_size:
            raise NodeError(
                f"the attachments are larger than {params.max_size.human_readable()} together",
                code="node.email_size",
                hint="Attach less, or raise `max_size` if the server takes more.",
            )
        content = await ctx.blobs.get(ref)
        found.append(Attachment(name=ref.name or name, media_type=ref.media_type, content=content))
    return found
