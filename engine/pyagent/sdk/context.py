"""What a node sees of the run it is in. The engine implements it; `pyagent.testing` has one for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from pyagent.sdk.commands import Answer, LoopView
from pyagent.sdk.items import BlobRef, Item, Items, Outputs
from pyagent.sdk.params import NodeParams
from pyagent.sdk.script import ScriptLimits, ScriptMode

P = TypeVar("P", bound=NodeParams)
Level = Literal["debug", "info", "warning", "error"]


class CancelToken(Protocol):
    """Tells a step that it is to stop; the engine also cancels its asyncio task after the grace time."""

    @property
    def cancelled(self) -> bool:
        """Whether a stop was asked for."""
        ...

    @property
    def reason(self) -> str:
        """Why: `cancel`, `timeout`, `idle_timeout`, `loser`, `failed`, `lease_lost`, or empty."""
        ...

    async def wait(self) -> None:
        """Return when a stop is asked for."""
        ...

    def check(self) -> None:
        """Raise `NodeCancelled` if a stop was asked for."""
        ...


class Blobs(Protocol):
    """Content-addressed payloads, stored once and committed with the step."""

    async def put(self, data: bytes | Path, *, name: str = "", media_type: str = "") -> BlobRef:
        """Keep the bytes, or the file's content, and return its reference. Of a file only a piece at a time is in
        memory, whatever its size. Raises `OSError` if the file cannot be read."""
        ...

    async def get(self, ref: BlobRef) -> bytes:
        """The whole content. Raises `NotFound` if it was deleted."""
        ...

    async def read(self, ref: BlobRef, start: int, end: int) -> bytes:
        """The content from byte `start` up to, without, byte `end`, less where it ends before that. Raises
        `NotFound`."""
        ...

    def iter(self, ref: BlobRef, size: int = 1 << 20) -> AsyncIterator[bytes]:
        """The content in pieces of `size` bytes, one at a time in memory. Raises `NotFound`."""
        ...

    async def save(self, ref: BlobRef, path: Path) -> None:
        """Write the content into a file, a piece at a time: for libraries that want a file to seek in. Raises
        `NotFound`, `OSError`."""
        ...


class Context(Protocol):
    """One try of one step."""

    @property
    def run_id(self) -> str: ...
    @property
    def graph_id(self) -> str: ...
    @property
    def node_id(self) -> str: ...
    @property
    def step(self) -> str:
        """The step as text, `node@scope`."""
        ...

    @property
    def attempt(self) -> int:
        """This try's number, from 1."""
        ...

    @property
    def idempotency_key(self) -> str:
        """The same for every try of this step; send it with requests that accept one (SEMANTICS 9)."""
        ...

    @property
    def deadline(self) -> datetime | None:
        """When this try will be cut off."""
        ...

    @property
    def now(self) -> datetime:
        """The recorded time at which the step began: the same in a replay."""
        ...

    @property
    def timezone(self) -> str:
        """The graph's time zone (`settings.timezone`), an IANA name; UTC where it says none."""
        ...

    @property
    def cancel(self) -> CancelToken: ...
    @property
    def blobs(self) -> Blobs: ...
    @property
    def inputs(self) -> Mapping[str, Any]:
        """The run's inputs."""
        ...

    @property
    def state(self) -> Mapping[str, Any]:
        """The state channels as the step sees them; written by the node's `write:` only."""
        ...

    @property
    def ports(self) -> Mapping[str, Items]:
        """The step's items by input port; `items` of the function are those of all ports joined."""
        ...

    @property
    def ports_out(self) -> list[str]:
        """The output ports that this node has in the graph, in order."""
        ...

    @property
    def answer(self) -> Answer | None:
        """What ended this step's wait; None at its first execution."""
        ...

    @property
    def loop(self) -> LoopView:
        """For a loop's header. Raises `NodeError` elsewhere."""
        ...

    @property
    def work_dir(self) -> Path:
        """A directory of this run's own, the same for all its steps, removed when the run has ended."""
        ...

    @property
    def trace(self) -> Mapping[str, str]:
        """The W3C trace context of this try, as headers (`traceparent`, perhaps `tracestate`), to be sent to whomever
        the node calls; empty where the run is part of no trace."""
        ...

    async def params_for(self, params: P, index: int) -> P:
        """`params` as evaluated for input item `index`; those the function got are for item 0. An expression that
        takes long is waited for."""
        ...

    async def gather(self, pieces: AsyncIterator[tuple[str, Sequence[Item]]]) -> Outputs:
        """The items, given by port and piece by piece, as a step's outputs, of which only the last page is in memory.
        What a node's function yields goes there by itself."""
        ...

    def log(self, message: str, *, level: Level = "info", **fields: Any) -> None:
        """Add a line to the run's event stream; secrets are redacted."""
        ...

    def progress(self, fraction: float | None = None, message: str = "") -> None:
        """Say how far the step is (0 to 1, or unknown); this also feeds the idle timeout."""
        ...

    def token(self, text: str) -> None:
        """Stream a piece of output, as a model's token."""
        ...

    async def credential(self, name: str) -> Mapping[str, str]:
        """The credential's fields. Raises `NotFound`."""
        ...

    async def javascript(
        self, code: str, items: Items, *, mode: ScriptMode = "all", limits: ScriptLimits | None = None
    ) -> list[Any]:
        """Run the body of a JavaScript function in the expression engine; what it returned, as JSON, for all or each.

        It sees `items` (or `item`), `console`, and what expressions of the step see; it can only compute, and its
        clock and random numbers are the step's. Raises `ScriptFailed`, `NodeCancelled`.
        """
        ...

    async def signal(
        self, name: str, value: Any = None, *, key: str = "", run: str | None = None, once: str = ""
    ) -> None:
        """Send a signal to a run, or to whichever waits for its name and key; kept if it comes before the wait.

        It is sent once, however often the step is tried. `once` tells it from the step's other signals; left out, what
        is sent does. Raises `NotFound` for an unknown run, `RunError` (`run.completed`) for one that has ended well.
        """
        ...

    async def run_graph(self, graph: str, inputs: Mapping[str, Any]) -> str:
        """Start another graph as a run of its own and return its run id."""
        ...
