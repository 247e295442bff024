"""Run one node without an engine: `run_node` and the in-memory context it gives the node."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

from pyagent.errors import NodeCancelled, NodeError, NotFound
from pyagent.native import blake3_hex
from pyagent.sdk.commands import Answer, Command, LoopView
from pyagent.sdk.context import Level
from pyagent.sdk.each import run_each
from pyagent.sdk.items import BlobRef, Item, Items, JsonObject, Outputs, Result
from pyagent.sdk.node import NodeType
from pyagent.sdk.outcome import ItemOutcome, OnError, join_outcomes, loop_view, mark, normalise
from pyagent.sdk.params import NodeParams
from pyagent.sdk.script import ScriptLimits, ScriptMode

P = TypeVar("P", bound=NodeParams)
Given: TypeAlias = Item | Mapping[str, Any]
"""An item, or its JSON."""
ParamsByItem: TypeAlias = Callable[[JsonObject, int], Mapping[str, Any]]
"""Parameters by item, standing in for expressions: called with the item's JSON and index."""


class TestCancelToken:
    """A cancel token that the test triggers."""

    __test__ = False

    def __init__(self) -> None:
        self._asked = asyncio.Event()
        self._reason = ""

    @property
    def cancelled(self) -> bool:
        """Whether `trigger` was called."""
        return self._asked.is_set()

    @property
    def reason(self) -> str:
        """The reason given to `trigger`."""
        return self._reason

    def trigger(self, reason: str = "cancel") -> None:
        """Ask the node to stop."""
        self._reason = reason
        self._asked.set()

    async def wait(self) -> None:
        """Return when a stop is asked for."""
        await self._asked.wait()

    def check(self) -> None:
        """Raise `NodeCancelled` if a stop was asked for."""
        if self.cancelled:
            raise NodeCancelled(f"stopped ({self._reason})")


class TestBlobs:
    """Blobs in memory."""

    __test__ = False

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}
        """Content by digest."""

    async def put(self, data: bytes | Path, *, name: str = "", media_type: str = "") -> BlobRef:
        """Keep the bytes, or the file's content."""
        content = data if isinstance(data, bytes) else await asyncio.to_thread(data.read_bytes)
        digest = blake3_hex(content)
        self.contents[digest] = content
        label = name or (data.name if isinstance(data, Path) else "")
        return BlobRef(digest, len(content), label, media_type or "application/octet-stream")

    async def get(self, ref: BlobRef) -> bytes:
        """The content. Raises `NotFound`."""
        if ref.digest not in self.contents:
            raise NotFound(f"no blob {ref.digest}", code="blob.not_found", hint="Put it into TestBlobs first.")
        return self.contents[ref.digest]

    async def read(self, ref: BlobRef, start: int, end: int) -> bytes:
        """A range of the content. Raises `NotFound`."""
        return (await self.get(ref))[start:end]

    async def iter(self, ref: BlobRef, size: int = 1 << 20) -> AsyncIterator[bytes]:
        """The content in pieces. Raises `NotFound`."""
        content = await self.get(ref)
        for start in range(0, len(content), size):
            yield content[start : start + size]

    async def save(self, ref: BlobRef, path: Path) -> None:
        """Write the content into a file. Raises `NotFound`, `OSError`."""
        content = await self.get(ref)
        await asyncio.to_thread(path.write_bytes, content)


class TestContext:
    """A `Context` in memory; what the node said is in `logs`, `messages`, `tokens` and `started`."""

    __test__ = False

    def __init__(
        self,
        *,
        ports: Mapping[str, Items] | None = None,
        ports_out: Sequence[str] = ("out",),
        inputs: Mapping[str, Any] | None = None,
        state: Mapping[str, Any] | None = None,
        answer: Answer | None = None,
        loop: LoopView | None = None,
        credentials: Mapping[str, Mapping[str, str]] | None = None,
        attempt: int = 1,
        deadline: datetime | None = None,
        now: datetime | None = None,
        cancel: TestCancelToken | None = None,
        blobs: TestBlobs | None = None,
        work_dir: Path | None = None,
        params_for: Callable[[int], NodeParams] | None = None,
        node_id: str = "node",
        trace: Mapping[str, str] | None = None,
        timezone: str = "UTC",
    ) -> None:
        self.run_id = "run"
        self.graph_id = "graph"
        self.node_id = node_id
        self.step = node_id
        self.attempt = attempt
        self.idempotency_key = f"run/{node_id}"
        self.deadline = deadline
        self.now = now or datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        self.cancel = cancel or TestCancelToken()
        self.blobs = blobs or TestBlobs()
        self.timezone = timezone
        self.trace: Mapping[str, str] = trace or {}
        self.inputs: Mapping[str, Any] = inputs or {}
        self.state: Mapping[str, Any] = state or {}
        self.ports: Mapping[str, Items] = ports or {}
        self.ports_out = list(ports_out)
        self.answer = answer
        self.logs: list[JsonObject] = []
        """`{message, level, …fields}` of each line."""
        self.messages: list[tuple[float | None, str]] = []
        """What `progress` was told."""
        self.tokens: list[str] = []
        self.signals: list[JsonObject] = []
        """`{name, value, key, run}` of each signal sent."""
        self.started: list[tuple[str, Mapping[str, Any]]] = []
        """Graphs that `run_graph` was asked for."""
        self._loop = loop
        self._credentials = credentials or {}
        self._params_for = params_for
        self._work_dir = work_dir
        self._temporary: tempfile.TemporaryDirectory[str] | None = None

    @property
    def loop(self) -> LoopView:
        """The loop given. Raises `NodeError` without one."""
        if self._loop is None:
            raise NodeError("this step is no loop's header", hint="Give `loop=(entry, returned)` to run_node.")
        return self._loop

    @property
    def work_dir(self) -> Path:
        """The directory given, or a temporary one made at first use; it goes with this context."""
        if self._work_dir is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="pyagent-test-", ignore_cleanup_errors=True)
            self._work_dir = Path(self._temporary.name)
        return self._work_dir

    async def params_for(self, params: P, index: int) -> P:
        """The parameters by item that `run_node` was given, else `params`."""
        return params if self._params_for is None else cast("P", self._params_for(index))

    async def gather(self, pieces: AsyncIterator[tuple[str, Sequence[Item]]]) -> Outputs:
        """The pieces by port, all in memory."""
        found: dict[str, list[Item]] = {}
        async for port, items in pieces:
            found.setdefault(port, []).extend(items)
        return {port: items for port, items in found.items() if items}

    def log(self, message: str, *, level: Level = "info", **fields: Any) -> None:
        """Add to `logs`."""
        self.logs.append({"message": message, "level": level, **fields})

    def progress(self, fraction: float | None = None, message: str = "") -> None:
        """Add to `messages`."""
        self.messages.append((fraction, message))

    def token(self, text: str) -> None:
        """Add to `tokens`."""
        self.tokens.append(text)

    async def credential(self, name: str) -> Mapping[str, str]:
        """The credential given. Raises `NotFound`."""
        if name not in self._credentials:
            raise NotFound(
                f"no credential {name!r}",
                code="credential.not_found",
                hint="Give `credentials={name: fields}` to run_node.",
            )
        return self._credentials[name]

    async def javascript(
        self, code: str, items: Items, *, mode: ScriptMode = "all", limits: ScriptLimits | None = None
    ) -> list[Any]:
        """Run the code as the engine does, in UTC and with the same random numbers each time; there are no nodes."""
        from pyagent.runtime.expressions import EvaluationContext
        from pyagent.runtime.script import run_script
        from pyagent.runtime.values import ItemViews, view

        def context(index: int, item: Item | None) -> EvaluationContext:
            return EvaluationContext(
                now=self.now,
                json=item.json if item is not None else {},
                items={port: ItemViews(given) for port, given in self.ports.items()},
                item_index=index,
                inputs=dict(self.inputs),
                state=dict(self.state),
                run={"id": self.run_id, "step": self.step},
                execution={"id": self.run_id, "mode": "test"},
                workflow={"id": self.graph_id, "name": self.graph_id, "active": True},
                vars={},
                scope=[],
                seed=index,
                node_id=self.node_id,
            )

        if mode == "each":
            given = ((view(item), context(index, item)) for index, item in enumerate(items))
        else:
            given = iter([([view(item) for item in items], context(0, next(iter(items), None)))])
        return await run_script(
            code,
            given,
            mode=mode,
            timezone=self.timezone,
            limits=limits or ScriptLimits(),
            cancel=self.cancel,
            log=self.log,
        )

    async def signal(
        self, name: str, value: Any = None, *, key: str = "", run: str | None = None, once: str = ""
    ) -> None:
        """Add to `signals`."""
        self.signals.append({"name": name, "value": value, "key": key, "run": run})

    async def run_graph(self, graph: str, inputs: Mapping[str, Any]) -> str:
        """Add to `started` and return a made-up run id."""
        self.started.append((graph, inputs))
        return f"run-{len(self.started)}"


@dataclass(frozen=True, kw_only=True)
class NodeRun:
    """What came of `run_node`."""

    outputs: Mapping[str, Sequence[Item]]
    """Items by port; ports without items are left out."""
    more: bool
    """A loop header's word that it has more."""
    command: Command | None
    """The wait, map, call or stop that the node returned instead of items."""
    context: TestContext
    outcomes: Sequence[ItemOutcome] = field(default_factory=list[ItemOutcome])
    """For an item-wise node: the outcome of each item."""

    def json(self, port: str | None = None) -> list[JsonObject]:
        """The JSON of the items on `port`; without it, of those on the only port that has any."""
        if port is None:
            if len(self.outputs) > 1:
                raise ValueError(f"items on several ports: {', '.join(self.outputs)}; name one")
            port = next(iter(self.outputs), "")
        return [item.json for item in self.outputs.get(port, ())]

    def sources(self, port: str = "out") -> list[list[int]]:
        """The lineage of the items on `port`: for each, the indexes of the input items it came from."""
        return [[source.item for source in item.sources] for item in self.outputs.get(port, ())]

    @property
    def logs(self) -> list[JsonObject]:
        """The node's log lines."""
        return self.context.logs

    @property
    def progress(self) -> list[tuple[float | None, str]]:
        """The node's progress reports."""
        return self.context.messages


def as_items(given: Sequence[Given]) -> Items:
    """Items from plain JSON objects."""
    return Items.of(item if isinstance(item, Item) else Item(dict(item)) for item in given)


async def run_node(
    node_type: NodeType,
    items: Sequence[Given] = (),
    params: Mapping[str, Any] | ParamsByItem | None = None,
    *,
    ports: Mapping[str, Sequence[Given]] | None = None,
    loop: tuple[Sequence[Given], Sequence[Sequence[Given]]] | None = None,
    on_error: OnError = "stop",
    context: Callable[..., TestContext] = TestContext,
    **options: Any,
) -> NodeRun:
    """Run a node once, as the engine would, and return what came of it.

    `items` arrive at its first input port; or give them by port with `ports`. `params` is what `with:` says, or, in
    place of expressions, a function from an item's JSON and index to it. A loop's header gets `loop`: its entry items
    and what came back after each iteration so far. Other `options` (`state`, `answer`, `inputs`, `credentials`,
    `cancel`, `now`, `blobs`, `work_dir`, …) go to `TestContext`.

    Raises what the node raises, and pydantic's `ValidationError` for parameters that do not fit.
    """
    first_port = next(iter(node_type.ports_in), "in")
    first_port = "in" if first_port == "*" else first_port
    by_port = {port: mark(as_items(given), port=port) for port, given in (ports or {first_port: items}).items()}
    joined = Items.concat(list(by_port.values()))

    def params_for(index: int) -> NodeParams:
        json = joined[index].json if len(joined) else {}
        return node_type.validate_params(params(json, index) if callable(params) else params or {})

    model = params_for(0)
    ctx = context(
        ports=by_port,
        ports_out=node_type.ports_out_for(model),
        loop=loop_view(as_items(loop[0]), [as_items(given) for given in loop[1]]) if loop is not None else None,
        params_for=params_for if callable(params) else None,
        **options,
    )
    if node_type.each_item:
        outcomes = await run_each(node_type, joined, params_for if callable(params) else lambda _: model, ctx)
        result = join_outcomes(
            outcomes,
            joined,
            ports_out=ctx.ports_out,
            on_error=on_error,
            node_id=ctx.node_id,
            attempt=ctx.attempt,
        )
        return NodeRun(outputs=result.outputs, more=False, command=None, context=ctx, outcomes=outcomes)
    returned = normalise(await node_type.function(joined, model, ctx), node_type, ctx.ports_out, joined)
    if isinstance(returned, Result):
        return NodeRun(outputs=returned.outputs, more=returned.more, command=None, context=ctx)
    return NodeRun(outputs={}, more=False, command=returned, context=ctx)
