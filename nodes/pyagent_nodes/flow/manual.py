"""`flow.manual`: a run starts here when a person or a program starts it."""

from __future__ import annotations

from pyagent.sdk import Context, Item, Items, NoParams, node


@node("flow.manual", title="Start", icon="play", kind="trigger", ports_in=(), effects="none")
async def manual(items: Items, params: NoParams, ctx: Context) -> list[Item]:
    """Start the run with one item that holds the run's inputs."""
    return [Item(dict(ctx.inputs))]
