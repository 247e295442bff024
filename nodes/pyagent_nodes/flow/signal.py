"""`flow.signal`: tell a run that waits."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from pyagent.sdk import Context, Item, NodeParams, node


class SignalParams(NodeParams):
    """Parameters of `flow.signal`."""

    name: str = Field(min_length=1, description="The signal's name")
    key: str = Field("", coerce_numbers_to_str=True, description="The key that waits correlate it by")
    value: Any = Field(None, description="What comes with it")
    run: str | None = Field(None, min_length=1, description="Id of the run; left out: whichever waits for name and key")


@node("flow.signal", title="Send a signal", icon="radio", effects="idempotent", each_item=True)
async def signal(item: Item, params: SignalParams, ctx: Context) -> Item:
    """Send a signal for each item, and pass the items on.

    A signal that comes before its wait is kept. However often the step is tried, it is sent once.
    """
    await ctx.signal(params.name, params.value, key=params.key, run=params.run, once=ctx.idempotency_key)
    return item
