"""`flow.approve`: a person decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

from pydantic import Field

from pyagent.sdk import Context, Item, Items, NodeError, NodeParams, Outputs, Wait, node
from pyagent.sdk.fields import Duration, FieldPath, with_field

ANSWER = {
    "type": "object",
    "properties": {"approved": {"type": "boolean"}, "comment": {"type": "string", "default": ""}},
    "required": ["approved"],
    "additionalProperties": False,
}


class ApproveParams(NodeParams):
    """Parameters of `flow.approve`."""

    title: str = Field("Go on?", min_length=1, description="The question, one line")
    message: str = Field("", description="More about it; Markdown")
    show: int = Field(20, ge=0, description="How many items the person is shown; what was shown is recorded")
    into: FieldPath = Field("approval", description="The field that gets the answer")
    enabled: bool = Field(True, description="Off: nobody is asked and everything is approved")
    timeout: Duration | None = Field(None, description="How long to wait at most")
    on_timeout: Literal["reject", "approve", "fail"] = Field("reject", description="What then")


# Asking only parks the step, which may be repeated without harm: no effects.
@node("flow.approve", title="Approve", icon="user-check", ports_out=("approved", "rejected"), effects="none")
async def approve(items: Items, params: ApproveParams, ctx: Context) -> Wait | Outputs:
    """Ask a person, and send the items to `approved` or `rejected`.

    Who answered, when and with which comment is in the field `into` of each item:
    `{approved, comment, actor, at, by}`, `by` being `person` or `timeout`; switched off, items pass unchanged.
    """
    if not params.enabled:
        return {"approved": items}
    answer = ctx.answer
    if answer is None:
        shown = [item.json for item in items[: params.show]]
        return Wait(
            kind="approval",
            title=params.title,
            prompt={"message": params.message, "items": shown, "count": len(items)},
            until=ctx.now + params.timeout if params.timeout is not None else None,
            response_schema=ANSWER,
        )
    comment = ""
    if answer.kind == "timeout":
        if params.on_timeout == "fail":
            raise NodeError("nobody answered in time", code="node.approval_timeout", hint="Raise `timeout`.")
        approved = params.on_timeout == "approve"
    else:
        approved, comment = _read(answer.value)
    said = {
        "approved": approved,
        "comment": comment,
        "actor": answer.actor,
        "at": answer.at.isoformat() if answer.at else None,
        "by": "timeout" if answer.kind == "timeout" else "person",
    }
    answered = [Item(with_field(item.json, params.into, said), item.binary, item.sources) for item in items]
    return {"approved" if approved else "rejected": answered}


def _read(value: Any) -> tuple[bool, str]:
    if isinstance(value, bool):
        return value, ""
    fields = cast("Mapping[str, Any]", value if isinstance(value, Mapping) else {})
    approved = fields.get("approved")
    if not isinstance(approved, bool):
        # Anything unclear must never pass for a yes.
        raise NodeError(
            "the answer does not say whether it is approved",
            code="node.approval_unclear",
            hint='Answer with {"approved": true} or {"approved": false}.',
        )
    return approved, str(fields.get("comment") or "")
