"""`flow.loop`: the header of a loop over batches of items."""

from __future__ import annotations

from pydantic import Field

from pyagent.sdk import Context, Items, NodeParams, Result, node


class LoopParams(NodeParams):
    """Parameters of `flow.loop`."""

    batch: int = Field(1, ge=1, description="Items in each iteration")


@node("flow.loop", title="Loop", icon="repeat", kind="loop", ports_out=("loop", "done"), effects="none")
async def loop(items: Items, params: LoopParams, ctx: Context) -> Result:
    """Put one batch of the items that entered on `loop` in each iteration; an edge leads back from the body's end.

    When no batch is left, all that came back, in the order of iterations, is put on `done`.
    """
    view = ctx.loop
    start = (view.iteration - 1) * params.batch
    if start < len(view.entry):
        # `more` with the last batch too: the next iteration puts out what came back, even if nothing came back now.
        return Result({"loop": view.entry[start : start + params.batch]}, more=True)
    return Result({"done": Items.concat(list(view.returned))})
