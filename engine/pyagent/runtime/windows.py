"""Item-wise nodes over more items than memory holds: a window of them at a time, what comes of it into pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from pyagent.runtime.log import Outputs
from pyagent.runtime.paging import PageWriter
from pyagent.runtime.program import NodeProgram
from pyagent.runtime.redact import masked
from pyagent.sdk.each import run_each
from pyagent.sdk.items import Items
from pyagent.sdk.outcome import ItemOutcome, join_outcomes
from pyagent.sdk.pages import PAGE_ITEMS
from pyagent.sdk.params import NodeParams

if TYPE_CHECKING:
    from pyagent.runtime.context import StepContext


async def run_windows(
    node: NodeProgram,
    items: Items,
    params_for: Callable[[int], NodeParams],
    context: StepContext,
    writer: PageWriter,
    *,
    ports_out: Sequence[str],
) -> tuple[Outputs, ItemOutcome | None]:
    """What an item-wise node makes of the items in one try, failed ones as its `on_error` has them, and the first
    failure. As everywhere, one item's failure does not end the others. Outcomes of single items are not kept, so this
    is not for steps that are tried again or must not be."""
    policy = node.spec.on_error
    failure: ItemOutcome | None = None
    first = 0
    async for page in items.batches():
        for start in range(0, len(page), PAGE_ITEMS):
            window = page[start : start + PAGE_ITEMS]
            outcomes = await run_each(node.type, Items.of(window), params_for, cast(Any, context), first=first)
            for outcome in outcomes:
                if outcome.error is not None:
                    masked(outcome.error, context.secrets)
                    failure = failure or replace(outcome, index=first + outcome.index)
            if failure is None or policy != "stop":
                made = join_outcomes(
                    outcomes,
                    window,
                    ports_out=ports_out,
                    on_error=policy,
                    node_id=node.id,
                    attempt=context.attempt,
                )
                for port, found in made.outputs.items():
                    await writer.add(port, found)
            first += len(window)
            context.cancel.check()
    return await writer.close(), failure
