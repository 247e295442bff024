"""LangGraph channels of ours: the run's log, folded into the steps that are ready, and small views of it.

`ReadySteps` takes the place of LangGraph's channel of pending `Send`s. Tasks write log entries to it; its value is
one `Send` for each step that the rules say may start. So the pure core decides, and LangGraph executes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self, cast

from langgraph.channels import Topic
from langgraph.channels.base import BaseChannel
from langgraph.errors import EmptyChannelError
from langgraph.types import Send

from pyagent.runtime.lanes import Lanes
from pyagent.runtime.live import LiveRun
from pyagent.runtime.log import Entry, StepKey
from pyagent.runtime.override import override

START = "__start__"
FINISH = "__end__"
LANE = "lane"
"""The one node of a graph that the engine drives: looking at a node for each of the graph's costs with its size."""

Mode = Literal["run", "wait", "finish"]


class Superstep:
    """What the tasks of one superstep share."""

    __slots__ = ("lanes",)

    def __init__(self) -> None:
        self.lanes: Lanes | None = None
        """Made by the first task that begins."""


@dataclass(frozen=True, slots=True)
class StepTask:
    """What a LangGraph task of ours is to do; not stored, the log is."""

    live: LiveRun
    superstep: Superstep
    key: StepKey | None
    mode: Mode = "run"

    def __repr__(self) -> str:
        return f"{self.mode} {self.key}" if self.key else self.mode


class ReadySteps(Topic[Send]):
    """The channel of pending `Send`s, whose value follows from the log."""

    __slots__ = ("bound", "live", "log", "make")

    def __init__(self, make: Callable[[], LiveRun], bound: LiveRun | None = None) -> None:
        """`make` builds a run without entries; `bound` is the run that the engine drives through this channel."""
        super().__init__(Send, accumulate=False)
        self.make = make
        self.bound = bound
        self.live: LiveRun | None = bound
        self.log: list[dict[str, Any]] = []

    def from_checkpoint(self, checkpoint: Any) -> Self:
        made = self.__class__(self.make, self.bound)
        made.key = self.key
        if self.bound is None:
            made._replay(cast("list[dict[str, Any]]", checkpoint) if isinstance(checkpoint, list) else [])
        made.values = made._next()
        return made

    def copy(self) -> Self:
        return self.from_checkpoint(list(self.log))

    def checkpoint(self) -> Any:
        return list(self.log)

    def _replay(self, log: Sequence[Mapping[str, Any]]) -> LiveRun:
        self.live = live = self.make()
        for value in log:
            live.state.apply(Entry.from_dict(value))
        self.log = [dict(value) for value in log]
        return live

    def update(self, values: Sequence[Send | list[Send]]) -> bool:
        before = self.values
        if self.bound is None:
            for value in values:
                self._take(cast(Send, value))
        self.values = self._next()
        return bool(values or before or self.values)

    def _take(self, value: Send) -> None:
        live = self.live or self._replay([])
        payload = cast("dict[str, Any]", value.arg)
        if "update" in payload:
            self._replay(override(live.state, self.log, value.node, payload["update"]))
            return
        for encoded in payload["entries"]:
            entry = Entry.from_dict(encoded)
            if entry.kind == "run.started" and live.state.started is not None:
                live = self._replay([])
            # What a task of this process recorded has been applied to the state already; the log has it once.
            live.state.apply(entry)
            self.log.append(encoded)

    def _next(self) -> list[Send]:
        live = self.live
        if live is None or live.state.started is None:
            return []
        state, superstep = live.state, Superstep()
        live.waits_tried, live.answered = 0, False
        if live.unfinished:
            return [Send(FINISH if self.bound is None else LANE, StepTask(live, superstep, None, "finish"))]
        if runnable := state.runnable():
            for key in runnable:
                live.claim(key)
            return [Send(self._name(key), StepTask(live, superstep, key)) for key in runnable]
        if self.bound is not None or state.settled or state.paused:
            return []
        waits = list(state.parked)
        live.waits_open = sum(state.parked[key]["kind"] != "time" for key in waits)
        return [Send(self._name(key), StepTask(live, superstep, key, "wait")) for key in waits]

    def _name(self, key: StepKey) -> str:
        """The LangGraph node of a step: its own, or for a step of a called graph that of the call."""
        if self.bound is not None:
            return LANE
        frames = cast(LiveRun, self.live).state.frames
        frame = frames[key.frame]
        while frame.parent is not None and frame.program is not frames[""].program:
            key = frame.parent
            frame = frames[key.frame]
        return key.node

    def get(self) -> Sequence[Send]:
        if not self.values:
            raise EmptyChannelError
        return self.values

    def is_available(self) -> bool:
        return bool(self.values) or (self.bound is not None and bool(self.bound.state.runnable()))


class Newest(BaseChannel[Any, tuple[int, Any], tuple[int, Any]]):
    """Holds the value that was written with the highest number: snapshots taken by tasks that ran side by side."""

    __slots__ = ("held",)

    def __init__(self, typ: Any = Any) -> None:
        super().__init__(typ)
        self.held: tuple[int, Any] | None = None

    @property
    def ValueType(self) -> Any:
        return self.typ

    @property
    def UpdateType(self) -> Any:
        return tuple[int, self.typ]

    def from_checkpoint(self, checkpoint: Any) -> Self:
        made = self.__class__(self.typ)
        made.key = self.key
        if isinstance(checkpoint, list | tuple):
            made.held = cast("tuple[int, Any]", tuple(cast("list[Any]", checkpoint)))
        return made

    def checkpoint(self) -> Any:
        if self.held is None:
            return super().checkpoint()
        return list(self.held)

    def update(self, values: Sequence[tuple[int, Any]]) -> bool:
        if not values:
            return False
        self.held = max(values, key=lambda value: value[0])
        return True

    def get(self) -> Any:
        if self.held is None:
            raise EmptyChannelError
        return self.held[1]

    def is_available(self) -> bool:
        return self.held is not None
