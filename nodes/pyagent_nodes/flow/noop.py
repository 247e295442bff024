"""`flow.noop`: nothing happens."""

from __future__ import annotations

from pyagent.sdk import Context, Items, NoParams, node


@node("flow.noop", title="Do nothing", icon="arrow-right", effects="none")
async def noop(items: Items, params: NoParams, ctx: Context) -> Items:
    """Pass the items on as they are: a place where branches meet, or one to pin data to."""
    return items
