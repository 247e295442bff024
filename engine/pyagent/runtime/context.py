"""What a node sees of its run: the engine's implementation of `pyagent.sdk.Context`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

from pyagent.errors import NodeError
from pyagent.native import blake3_hex
from pyagent.runtime.expressions import EvaluationContext
from pyagent.runtime.frames import FrameState
from pyagent.runtime.lineage import loop_inputs
from pyagent.runtime.live import LiveRun, Token
from pyagent.runtime.log import Outputs, StepKey, encode, plain
from pyagent.runtime.paging import PageWriter, gathered
from pyagent.runtime.program import NodeProgram
from pyagent.runtime.redact import redact
from pyagent.runtime.speech import Speech
from pyagent.runtime.values import view
from pyagent.sdk.commands import Answer, LoopView
from pyagent.sdk.context import Level
from pyagent.sdk.credentials import SHORTEST
from pyagent.sdk.items import BlobRef, Item, Items
from pyagent.sdk.later import in_time
from pyagent.sdk.outcome import loop_view
from pyagent.sdk.params import NodeParams
from pyagent.sdk.script import ScriptFailed, ScriptLimits, ScriptMode
from pyagent.store.blobs import CHUNK

P = TypeVar("P", bound=NodeParams)
_SMALLEST = 100
"""Bytes that an item takes in a script at least."""


class RunBlobs:
    """`pyagent.sdk.Blobs` over the run's journal."""

    def __init__(self, live: LiveRun) -> None:
        self._journal = live.journal

    async def put(self, data: bytes | Path, *, name: str = "", media_type: str = "") -> BlobRef:
        if isinstance(data, Path):
            digest, size = await self._journal.keep_file(data)
        else:
            digest, size = blake3_hex(data), len(data)
            await self._journal.keep(digest, data)
        label = name or (data.name if isinstance(data, Path) else "")
        return BlobRef(digest, size, label, media_type or "application/octet-stream")

    async def get(self, ref: BlobRef) -> bytes:
        return await self.read(ref, 0, ref.size)

    async def read(self, ref: BlobRef, start: int, end: int) -> bytes:
        return await self._journal.fetch(ref.digest, start, end)

    async def iter(self, ref: BlobRef, size: int = CHUNK) -> AsyncIterator[bytes]:
        start = 0
        while piece := await self.read(ref, start, start + size):
            yield piece
            start += len(piece)

    async def save(self, ref: BlobRef, path: Path) -> None:
        with path.open("wb") as file:
            async for piece in self.iter(ref):
                await asyncio.to_thread(file.write, piece)


class StepContext:
    """One try of one step."""

    __slots__ = ("_key", "_live", "_params_for", "_speech", "attempt", "cancel", "deadline", "heard", "now", "ports")

    def __init__(
        self,
        live: LiveRun,
        key: StepKey,
        *,
        attempt: int,
        now: datetime,
        token: Token,
        ports: Mapping[str, Items],
        params_for: Callable[[int], NodeParams],
        deadline: datetime | None,
    ) -> None:
        """`params_for` may raise `Later`."""
        self._live = live
        self._key = key
        self._params_for = params_for
        self.attempt = attempt
        self.now = now
        self.cancel = token
        self.ports = ports
        self.deadline = deadline
        self.heard = now
        """When the step last showed progress."""
        self._speech: Speech | None = None

    @property
    def _frame(self) -> FrameState:
        return self._live.state.frames[self._key.frame]

    @property
    def _node(self) -> NodeProgram:
        return self._frame.program.nodes[self._key.node]

    @property
    def run_id(self) -> str:
        return self._live.run_id

    @property
    def graph_id(self) -> str:
        return self._frame.program.graph.id

    @property
    def node_id(self) -> str:
        return self._key.node

    @property
    def step(self) -> str:
        return str(self._key)

    @property
    def idempotency_key(self) -> str:
        text = f"{self._live.state.program.hash}/{self._live.run_id}/{self._key}"
        return blake3_hex(text.encode())[:32]

    @property
    def blobs(self) -> RunBlobs:
        return RunBlobs(self._live)

    @property
    def timezone(self) -> str:
        return self._frame.program.graph.settings.timezone or "UTC"

    @property
    def inputs(self) -> Mapping[str, Any]:
        return self._frame.inputs

    @property
    def state(self) -> Mapping[str, Any]:
        return self._frame.channels

    @property
    def ports_out(self) -> list[str]:
        return list(self._node.ports_out)

    @property
    def answer(self) -> Answer | None:
        found = self._live.state.answers.get(self._key)
        if found is None or "resolve" in found:
            return None
        at = datetime.fromisoformat(found["at"]) if found.get("at") else None
        return Answer(kind=found["kind"], value=found.get("value"), actor=found.get("actor", ""), at=at)

    @property
    def loop(self) -> LoopView:
        if not self._key.scope or self._node.type.kind != "loop":
            raise NodeError(
                f"{self._key} heads no loop",
                code="node.no_loop",
                hint="Only a node of the kind `loop` may read ctx.loop.",
            )
        return loop_view(*loop_inputs(self._live.state, self._key))

    @property
    def work_dir(self) -> Path:
        return self._live.work_dir

    async def params_for(self, params: P, index: int) -> P:
        if self._node.params is not None:
            return params
        return cast("P", await in_time(partial(self._params_for, index)))

    @property
    def trace(self) -> Mapping[str, str]:
        return self._live.trace.headers(str(self._key), self.attempt, answered=self.answer is not None)

    @property
    def secrets(self) -> Sequence[str]:
        """Values that must not be said."""
        return self._live.secrets

    def page_writer(self) -> PageWriter | None:
        """Where items go that are too many for memory; None: they stay there."""
        journal = self._live.journal
        return PageWriter(journal.pages, journal.keep) if journal.pages is not None else None

    async def gather(self, pieces: AsyncIterator[tuple[str, Sequence[Item]]]) -> Outputs:
        return await gathered(pieces, self.page_writer())

    def log(self, message: str, *, level: Level = "info", **fields: Any) -> None:
        self.heard = datetime.now(UTC)
        if not self._refused("step.log"):
            self._say("step.log", {"message": message, "level": level, **plain(fields)})

    def progress(self, fraction: float | None = None, message: str = "") -> None:
        self.heard = datetime.now(UTC)
        if self._refused("step.progress"):
            return
        data: dict[str, Any] = {"message": message}
        if fraction is not None:
            data["fraction"] = min(1.0, max(0.0, fraction))
        self._say("step.progress", data)

    def token(self, text: str) -> None:
        self.heard = datetime.now(UTC)
        if not self._refused("step.token"):
            self._say("step.token", {"text": text})

    def _refused(self, kind: str) -> bool:
        """Whether the try has said so much that this is only counted."""
        speech = self._speech
        if speech is None:
            speech = self._speech = Speech(self._key, self.attempt)
        if not speech.refuses(kind):
            return False
        if speech not in self._live.cut_short:
            self._live.cut_short.append(speech)
        return True

    def _say(self, kind: str, data: dict[str, Any]) -> None:
        if self._speech is not None:
            self._live.tell(self._speech.take(kind, redact(data, self._live.secrets)))

    async def credential(self, name: str) -> Mapping[str, str]:
        found = await self._live.credentials(name)
        known = self._live.secrets
        if new := {value for value in found.values() if len(value) >= SHORTEST} - set(known):
            # The longest first: one that begins another would leave the rest of that to be read.
            known[:] = sorted({*known, *new}, key=len, reverse=True)
        return found

    async def javascript(
        self, code: str, items: Items, *, mode: ScriptMode = "all", limits: ScriptLimits | None = None
    ) -> list[Any]:
        from pyagent.runtime.script import run_script

        values = self._live.values
        limits = limits or ScriptLimits()
        if mode == "all" and len(items) * _SMALLEST > limits.memory:
            raise ScriptFailed(
                f"{len(items):,} items do not fit into the script's memory",
                code="node.code_memory",
                hint="Raise `memory`, or work on fewer items (mode `each`).",
            )

        def context(index: int, item: Item | None) -> EvaluationContext:
            return values.script_context(self._key, index, self.ports, item, self.now)

        if mode == "each":
            given = ((view(item), context(index, item)) for index, item in enumerate(items))
        else:
            first = next(iter(items), None)
            given = iter([([view(item) for item in items], context(0, first))])
        return await run_script(
            code,
            given,
            mode=mode,
            timezone=self.timezone,
            limits=limits,
            cancel=self.cancel,
            log=self.log,
        )

    async def signal(
        self, name: str, value: Any = None, *, key: str = "", run: str | None = None, once: str = ""
    ) -> None:
        sent = encode([self.idempotency_key, once or [name, value, key, run]])
        await self._live.send_signal(name, value, key, run, blake3_hex(sent)[:32])

    async def run_graph(self, graph: str, inputs: Mapping[str, Any]) -> str:
        options = {"parent_run": self._live.run_id, "parent_step": str(self._key)}
        return await self._live.start_graph(graph, dict(inputs), options)
