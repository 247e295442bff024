"""What an expression would give now: evaluated by the engine's own means with the data of a run, before anything runs.

Where there is no outcome of a node, that is told if the expression reads it (`preview_data` has what there is).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import orjson

from pyagent.errors import NotFound, PyAgentError, RunError, Where
from pyagent.graph.editing import is_deeper
from pyagent.graph.spec import GraphSpec
from pyagent.runtime.expressions import (
    EvaluationContext,
    Expressions,
    NodeView,
    is_template,
    references,
)
from pyagent.runtime.log import Entry
from pyagent.runtime.preview_data import Found, exact_step, folded, put_through
from pyagent.runtime.state import RunState
from pyagent.sdk.items import Items

if TYPE_CHECKING:
    from pyagent.runtime.engine import Engine

SHOWN_BYTES = 64 * 1024
"""Of a value's JSON; a longer one is cut."""
SHOWN_DEPTH = 64
"""Levels of a value that are shown; what is deeper is left out."""
_SECONDS = 5.0
"""How long all expressions of a template may take together: each may take a second."""
_OWN = frozenset({"$json", "$binary", "$input", "$itemIndex", "$prevNode"})
"""Names that read what the node itself is given."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """What an expression gave."""

    value: Any = None
    text: str = ""
    """The value as it is shown: a text as it is, anything else as JSON."""
    cut: bool = False
    """The text is the beginning only, and `value` is left out."""
    error: PyAgentError | None = None
    reads: tuple[str, ...] = ()
    """Names that the template reads: `$json`, `$('decide')`."""
    items: int = 0
    """How many items the node is given: which of them the expression is evaluated for can be chosen."""
    step: str | None = None
    """The run's step whose data they are."""


async def preview(
    engine: Engine,
    spec: GraphSpec,
    node: str,
    template: Any,
    *,
    run_id: str | None = None,
    step: str | None = None,
    item: int = 0,
    inputs: Mapping[str, Any] | None = None,
) -> Preview:
    """Evaluate a template as the engine would for item `item` of the node. What it raises is in the answer.

    Raises `NotFound` (`run.not_found`).
    """
    state: RunState | None = None
    entries: Sequence[Entry] = ()
    expressions = engine.draft_expressions(spec)
    run = await engine.store.get_run(run_id) if run_id is not None else None
    seen = engine.seen_steps.get(run, node, step) if run is not None else None
    if run is not None and seen is None:
        state, entries = await engine.replay(run.id)

    def look() -> Found:
        """What the node is given: raises `PyAgentError`."""
        if seen is not None:
            return seen
        name = run.id if run is not None else "preview"
        exact = exact_step(state, entries, expressions, node, step, name) if state is not None else None
        if run is not None and exact is not None:
            engine.seen_steps.keep(run, node, step, exact)
            return exact
        whole = folded(state, entries) if state is not None else None
        return put_through(engine.draft(spec), expressions, node, whole, inputs, name)

    def work() -> Preview:
        return _previewed(spec, expressions, node, template, item, look)

    return await asyncio.get_running_loop().run_in_executor(_workers(), work)


@cache
def _workers() -> ThreadPoolExecutor:
    """Threads of their own: what waits here for wild expressions keeps nobody else waiting."""
    return ThreadPoolExecutor(max_workers=3, thread_name_prefix="preview")


def _previewed(
    spec: GraphSpec, expressions: Expressions, node: str, template: Any, item: int, look: Callable[[], Found]
) -> Preview:
    try:
        reads, nodes, computed = _reads(template)
    except PyAgentError as error:
        return Preview(error=error)
    try:
        found = look()
        names = _names(spec)
        missing = {names.get(name, name) for name in nodes} & found.missing
        # A computed name may be that of any.
        if computed:
            missing |= found.missing
        if missing or (found.starved and not _OWN.isdisjoint(reads)):
            raise _no_data(node, sorted(missing or found.missing))
        items = Items.concat(list(found.ports.values())) if found.ports else Items.of(())
        given = items[item] if 0 <= item < len(items) else None
        if given is None and (item or len(items)):
            raise NotFound(
                f"{node} has no item {item}", code="preview.no_item", hint=f"It is given {len(items)} items, from 0."
            )
        context = found.values.script_context(found.key, item, found.ports, given, datetime.now(UTC))
        context = replace(_renamed(context, names), deadline=time.monotonic() + _SECONDS)
        value = expressions.evaluate(template, context)
        return replace(_shown(value), reads=reads, items=len(items), step=found.step)
    except PyAgentError as error:
        return Preview(error=error, reads=reads)


def _reads(template: Any) -> tuple[tuple[str, ...], frozenset[str], bool]:
    """The names that a template reads, the nodes among them, and whether one works the name of a node out."""
    roots: set[str] = set()
    nodes: set[str] = set()
    computed = False
    open_: list[Any] = [template]
    while open_:
        value = open_.pop()
        if isinstance(value, Mapping):
            open_.extend(cast("Mapping[str, Any]", value).values())
        elif isinstance(value, list):
            open_.extend(cast("list[Any]", value))
        elif is_template(value):
            named = references(value)
            roots |= named.roots
            nodes |= named.nodes
            computed |= named.computed_node
    shown = sorted(root for root in roots if root not in ("$", "$node") or computed)
    return (*shown, *(f"$('{name}')" for name in sorted(nodes))), frozenset(nodes), computed


def _names(spec: GraphSpec) -> dict[str, str]:
    """Ids of nodes by their names; an id goes before a name, the first name before others."""
    found = {node.name: node.id for node in reversed(spec.by_id.values()) if node.name}
    return {name: id for name, id in found.items() if name not in spec.by_id}


def _renamed(context: EvaluationContext, names: Mapping[str, str]) -> EvaluationContext:
    """The context in which nodes go by the names that the editor has for them; ids do not change."""
    look = context.node

    def node(name: str) -> NodeView | None:
        return look(names.get(name, name)) if look is not None else None

    return replace(context, node=node)


def _no_data(node: str, missing: Sequence[str]) -> RunError:
    return RunError(
        f"there are no data yet of {', '.join(missing)}" if missing else f"there are no data yet for {node}",
        code="preview.no_data",
        where=Where(node=node),
        hint="Run the graph to here, or pin data to the nodes before.",
        details={"missing": list(missing)},
    )


def _shown(value: Any) -> Preview:
    text = value if isinstance(value, str) else _json(value)
    seen = text.encode("utf-8", "replace")
    if len(seen) > SHOWN_BYTES or is_deeper(value, SHOWN_DEPTH):
        return Preview(text=seen[:SHOWN_BYTES].decode("utf-8", "ignore"), cut=True)
    clear = _clear(value, SHOWN_DEPTH)
    return Preview(value=clear, text=clear if isinstance(clear, str) else text)


def _clear(value: Any, levels: int) -> Any:
    """The value without what an answer cannot hold: halves of surrogate pairs, and what is nested deeper."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, Mapping):
        if not levels:
            return "…"
        return {_clear(key, 0): _clear(one, levels - 1) for key, one in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, Sequence):
        return [_clear(one, levels - 1) for one in cast("Sequence[Any]", value)] if levels else "…"
    return value


def _json(value: Any) -> str:
    try:
        return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    except TypeError:
        # Nested deeper than it goes, a number beyond 64 bits, or half of a surrogate pair.
        return json.dumps(_clear(value, SHOWN_DEPTH), indent=2, ensure_ascii=False)


__all__ = ["Preview", "preview"]
