"""State channels: how writes meet (SEMANTICS 16)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from pyagent.errors import RunError
from pyagent.graph.json_types import fits
from pyagent.graph.spec import Reducer, StateChannel
from pyagent.runtime.log import StepKey

_EMPTY: dict[str, Any] = {"array": [], "object": {}, "number": 0, "integer": 0, "string": "", "boolean": False}


def initial(channel: StateChannel) -> Any:
    """A channel's value before any write: its default, else the empty value that its reducer can start from."""
    if channel.default is not None:
        return channel.default
    if channel.reduce in ("append", "add", "merge", "union"):
        return _EMPTY.get(channel.type)
    return None


def reduce(reducer: Reducer, old: Any, new: Any) -> Any:
    """The value of a channel after `new` is written to `old`; neither is changed.

    Raises `TypeError` where the two cannot meet, as a number added to a list.
    """
    match reducer:
        case "replace":
            return new
        case "first":
            return new if old is None else old
        case "append":
            kept = cast(list[Any], old or [])
            return [*kept, *cast(list[Any], new)] if isinstance(new, list) else [*kept, new]
        case "union":
            found = list(cast(list[Any], old or []))
            for value in cast(list[Any], new) if isinstance(new, list) else [new]:
                if value not in found:
                    found.append(value)
            return found
        case "merge":
            return {**cast(dict[str, Any], old or {}), **cast(dict[str, Any], new)}
        case "add":
            return new if old is None else old + new
        case "max":
            return new if old is None else max(old, new)
        case "min":
            return new if old is None else min(old, new)


class Channels(Mapping[str, Any]):
    """The state as one frame sees it. A map's element sees its parent's values under its own writes."""

    def __init__(
        self,
        spec: Mapping[str, StateChannel],
        parent: Channels | None = None,
        begin: Mapping[str, Any] | None = None,
    ) -> None:
        """`begin`: values that channels begin with instead of their own; those that do not fit are left out."""
        self._spec = spec
        self._parent = parent
        self._values: dict[str, Any] = {} if parent else {name: initial(channel) for name, channel in spec.items()}
        self._begun = begin
        for name, value in (begin or {}).items():
            if name in spec and fits(spec[name].type, value):
                self._values[name] = value
        self._writers: dict[str, StepKey] = {}
        self.writes: list[tuple[str, Any]] = []
        """What was written here, in the order of the log."""

    def __getitem__(self, name: str) -> Any:
        if name in self._values:
            return self._values[name]
        if self._parent is not None:
            return self._parent[name]
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._spec)

    def __len__(self) -> int:
        return len(self._spec)

    def given(self) -> dict[str, Any]:
        """The values of the frame's channels that began with one, or were written, in the order of the file."""
        names = {*(self._begun or ()), *(name for name, _ in self.writes)}
        return {name: self[name] for name in self if name in names}

    def after(self, writes: int) -> dict[str, Any]:
        """The values as they were after the first so many writes; for channels without a parent."""
        then = Channels(self._spec, begin=self._begun)
        for name, value in self.writes[:writes]:
            then._values[name] = reduce(self._spec[name].reduce, then._values[name], value)
        return dict(then)

    def write(self, name: str, value: Any, writer: StepKey) -> StepKey | None:
        """Write one value; returns the step that wrote a `replace` channel last, if another did.

        Raises `RunError` (`run.state_write`) when the value cannot meet the one that is there.
        """
        channel = self._spec[name]
        try:
            made = reduce(channel.reduce, self[name], value)
            if not fits(channel.type, made):
                raise TypeError(f"it would become {type(made).__name__}, the channel is declared {channel.type}")
            self._values[name] = made
        except (TypeError, ValueError) as error:
            raise RunError(
                f"cannot write to the state channel {name!r} ({channel.reduce}): {error}",
                code="run.state_write",
                hint=f"The channel holds {type(self[name]).__name__}, the write is {type(value).__name__}.",
            ) from error
        self.writes.append((name, value))
        if channel.reduce != "replace":
            return None
        last, self._writers[name] = self._writers.get(name), writer
        return last if last != writer else None
