"""What steps read of one another: where an item came from, what `$('node')` means, what came back to a loop. Pure."""

from __future__ import annotations

from pyagent.native import blake3_hex
from pyagent.runtime.frames import FrameState, leaf_item
from pyagent.runtime.log import Outputs, StepKey, encode
from pyagent.runtime.paging import binaries_of, pages_of, table
from pyagent.runtime.state import RunState
from pyagent.sdk.items import Item, Items, ItemSource
from pyagent.sdk.pages import PagedItems
from pyagent.store.base import StepLineage


def origin_of(state: RunState, key: StepKey, source: ItemSource) -> tuple[StepKey, Item, int] | None:
    """The step that put out one input item of a step, the item, and its place among all on that port; None for what
    a frame began with."""
    port, index = source.port, source.item
    if port == "entry" or port.startswith("returned."):
        # A loop's header may speak of what came to its earlier iterations (`sdk.outcome.loop_view`).
        iteration = 1 if port == "entry" else int(port.partition(".")[2]) + 1
        key, port = key._replace(scope=(*key.scope[:-1], iteration)), ""
    frame = state.frames[key.frame]
    for edge, sender in state.deliveries.get(key, ()):
        if edge < 0:
            continue
        rule = frame.nodes.edges[edge]
        if port and rule.target_port != port:
            continue
        step = StepKey(key.frame, sender.node, sender.scope)
        items = state.outcomes[step].outputs[rule.source_port]
        if index < len(items):
            return step, items[index], index
        index -= len(items)
    return None


def inside_call(state: RunState, call: StepKey, index: int) -> tuple[StepKey, Item] | None:
    """The step inside a graph called with items that put out what is at that place of the call's output; None for
    every other step."""
    frame = state.frames.get(call.called_frame)
    return leaf_item(frame, state.outcomes, index) if frame is not None and frame.passes else None


def loop_inputs(state: RunState, key: StepKey) -> tuple[Items, list[Items]]:
    """For a loop's header: what started the loop, and what came back after each ended iteration."""
    *outer, iteration = key.scope
    parts = [_all_inputs(state, key._replace(scope=(*outer, number))) for number in range(1, iteration + 1)]
    return parts[0], parts[1:]


def _all_inputs(state: RunState, key: StepKey) -> Items:
    return Items.concat(list(state.inputs_of(key).values())) if key in state.deliveries else Items.of(())


def resolve(state: RunState, reader: StepKey, node: str) -> tuple[StepKey, Items] | None:
    """The step that `$('node')` means for this reader and the items it reads; None if it is not upstream."""
    while True:
        frame = state.frames[reader.frame]
        if node in frame.nodes.plan.index:
            found = frame.rules.resolve(reader.id, node)
            if found is not None:
                key = StepKey(reader.frame, found.node, found.scope)
                return key, _read(state, frame, key, reader.node)
        if frame.parent is None:
            return None
        reader = frame.parent


def _read(state: RunState, frame: FrameState, key: StepKey, reader: str) -> Items:
    outputs = state.outcomes[key].outputs
    ports = frame.program.nodes[key.node].ports_out
    # Of several ports it is one that leads to the reader; which those are takes a look at all that is in between.
    for port in frame.nodes.ports_towards(key.node, reader) if len(ports) > 1 else ():
        if port in outputs:
            return outputs[port]
    return outputs.get(ports[0], Items.of(())) if ports else Items.of(())


def latest(frame: FrameState, node: str) -> StepKey | None:
    """The step of `node` in the frame that ended last, as `outputs` read it."""
    steps = frame.steps.get(node)
    return steps[-1] if steps else None


def told_lineage(state: RunState, key: StepKey, outputs: Outputs, body: bytes) -> StepLineage:
    """What a store is told of an ending step; `body` is the entry that ends it, as it is kept."""
    used: dict[str, None] = {}
    read: dict[str, str] = {}
    if key in state.deliveries:
        for edge, source in state.deliveries[key]:
            if edge >= 0:
                used[str(StepKey(key.frame, source.node, source.scope))] = None
            elif (parent := state.frames[key.frame].parent) is not None:
                used[str(parent)] = None
        for items in state.inputs_of(key).values():
            read |= _blobs(items)
    produced: dict[str, str] = {}
    for items in outputs.values():
        produced |= {digest: name for digest, name in _blobs(items).items() if digest not in read}
    made = {
        port: table(items.pieces)
        if isinstance(items, PagedItems) and items.kept
        else [item.as_dict() for item in items]
        for port, items in outputs.items()
    }
    outcome = blake3_hex(encode(made))
    if outcome.encode() in body:  # they are in a blob: no other way for its digest to get there
        produced[outcome] = ""
    return StepLineage(used=list(used), read=read, produced=produced, outcome=outcome)


def _blobs(items: Items) -> dict[str, str]:
    """The pages and the binaries of items, with their names."""
    return dict.fromkeys(pages_of(items), "") | {digest: ref.name for digest, ref in binaries_of(items).items()}
