"""`flow.wait`: until a time, or until somebody sends a signal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Self

from pydantic import Field, model_validator

from pyagent.sdk import Context, Item, Items, NodeParams, Outputs, Wait, node
from pyagent.sdk.fields import Duration, FieldPath, with_field


class WaitParams(NodeParams):
    """Parameters of `flow.wait`: exactly one of `for`, `until` and `signal`."""

    for_: Duration | None = Field(None, alias="for", description="How long", examples=["10m", "1d"])
    until: datetime | None = Field(None, description="Until when; without a zone: UTC")
    signal: str | None = Field(None, min_length=1, description="Name of the signal to wait for")
    key: str = Field("", coerce_numbers_to_str=True, description="Only a signal sent with this key counts")
    timeout: Duration | None = Field(None, description="For a signal: how long at most; then `timeout` delivers")
    into: FieldPath = Field("signal", description="For a signal: the field that gets what was sent")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum(way is not None for way in (self.for_, self.until, self.signal)) != 1:
            raise ValueError("say exactly one of `for`, `until` and `signal`")
        if self.signal is None and (self.key or self.timeout is not None):
            raise ValueError("`key` and `timeout` belong to `signal`")
        return self


def ports(params: WaitParams) -> Sequence[str]:
    """`out`, and `timeout` where waiting for a signal can end without it."""
    return ("out", "timeout") if params.timeout is not None else ("out",)


# Waiting only parks the step, which may be repeated without harm: no effects.
@node("flow.wait", title="Wait", icon="clock", ports_out=ports, effects="none")
async def wait(items: Items, params: WaitParams, ctx: Context) -> Items | Wait | Outputs:
    """Wait for a time or a signal, then pass the items on.

    A waiting run holds no process and survives restarts. What a signal carries is put into the field `into` of each
    item as `{name, key, value, actor}`.
    """
    if ctx.answer is None:
        if params.signal is not None:
            until = ctx.now + params.timeout if params.timeout is not None else None
            return Wait(kind="signal", signal=params.signal, key=params.key, until=until)
        return Wait(kind="time", until=_zoned(params.until) or ctx.now + (params.for_ or timedelta()))
    if ctx.answer.kind == "timeout":
        return {"timeout": items}
    if params.signal is None:
        return items
    said = {"name": params.signal, "key": params.key, "value": ctx.answer.value, "actor": ctx.answer.actor}
    return {"out": [Item(with_field(item.json, params.into, said), item.binary, item.sources) for item in items]}


def _zoned(time: datetime | None) -> datetime | None:
    return time.replace(tzinfo=UTC) if time is not None and time.tzinfo is None else time
