"""The reference interpreter over a whole run: the run's own graph, maps, calls; fed with the engine's log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from chaos.cases import Case
from pyagent.runtime.log import Entry as LogEntry
from pyagent.runtime.log import StepKey
from reference.generator import Play
from reference.interpreter import Decided, Entry, History, Step


@dataclass
class Opened:
    """A map's or call's step whose frames are run."""

    kind: str
    elements: int
    parallel: int
    started: int = 0
    ended: int = 0
    items: int = 0


@dataclass
class Shadow:
    """What the reference says of a run; `ends` how."""

    case: Case
    frames: dict[str, History] = field(default_factory=dict[str, History])
    plays: dict[str, Play] = field(default_factory=dict[str, Play])
    opened: dict[StepKey, Opened] = field(default_factory=dict[StepKey, Opened])
    started: set[str] = field(default_factory=set[str])
    skipped: set[str] = field(default_factory=set[str])
    items_in: dict[str, int] = field(default_factory=dict[str, int])
    ended: str = ""
    """`completed`, `failed`, `cancelled`, `restarted`, or a set of codes that fail it; empty while it goes on."""
    failures: set[str] = field(default_factory=set[str])
    counted: int = 0
    """Steps that count themselves and ended."""
    leaves: dict[str, int] = field(default_factory=dict[str, int])
    """Items that the leaves of an open frame put out."""

    def read(self, log: Sequence[LogEntry]) -> None:
        """Take the whole log. Raises `AssertionError` where the engine did what the rules do not allow."""
        for entry in log:
            if self.failures:
                return
            self._take(entry)

    def _take(self, entry: LogEntry) -> None:
        key = entry.step
        match entry.kind:
            case "run.started":
                self.counted = int(entry.data.get("state", {}).get("total", 0))
                self._open("", self.case.play)
            case "run.cancel":
                self.ended = self.ended or "cancelled"
            case "run.resume":
                if entry.data.get("retry"):
                    self.ended = ""
            case "step.expanded":
                assert key is not None
                self._expand(key, entry)
            case "frame.ended":
                assert key is not None
                self._element_ended(key, 1)
            case "step.ended":
                assert key is not None
                self._end(key, entry)
            case _:
                return

    def _open(self, name: str, play: Play) -> None:
        self.plays[name] = play
        self.frames[name] = History(play.graph, play.max_steps)
        self.leaves[name] = 0
        self._decided(name, self.frames[name].begin())

    def _end(self, key: StepKey, entry: LogEntry) -> None:
        assert str(key) in self.started, f"{key} ended and the rules had not started it"
        status = entry.data["status"]
        if status == "failed":
            self.ended = self.ended or "failed"
            return
        history, play, step = self.frames[key.frame], self.plays[key.frame], (key.node, key.scope)
        if status == "cancelled":
            if entry.data["reason"] != "loser":
                # The run is ending; should it be resumed, the step begins again.
                return
            self._decided(key.frame, history.end(Entry(step)))
            return
        if "stop" in entry.data:
            self.ended = self.ended or "restarted"
            return
        counts, more = self.case.counts(play, step, inner=bool(key.frame))
        if "given" in entry.data:  # the trigger of a run that goes on for another: on its first port
            ports = sorted({edge.port for edge in play.graph.edges if edge.source == key.node}) or ["out"]
            counts = {ports[0]: self.given[""]} if self.given[""] else {}
        put = {port: len(items) for port, items in (entry.outputs or {}).items() if len(items)}
        assert put == counts, f"{key} put out {put}, not {counts}"
        if key.node in history.shape.headers:
            assert bool(entry.data.get("more")) == more, f"{key} says more={not more}"
        for items in (entry.outputs or {}).values():
            for item in items:
                for source in item.sources:
                    assert source.item < self.items_in[str(key)], f"an item of {key} comes from nothing"
        self.counted += self.case.parts[key.node].count
        if not any(edge.source == key.node for edge in play.graph.edges):
            self.leaves[key.frame] += sum(put.values())
        self._decided(key.frame, history.end(Entry(step, counts, more)))

    def _decided(self, name: str, now: Decided) -> None:
        prefix = f"{name}/" if name else ""
        for step in now.ready:
            text = prefix + str(StepKey("", *step))
            assert text not in self.started, f"{text} starts twice"
            self.started.add(text)
            self.items_in[text] = self._items(name, step)
        self.skipped |= {prefix + str(StepKey("", *step)) for step in now.skipped}
        if now.failures:
            self.failures = {code for code, _ in now.failures}
            self.ended = self.ended or "failed"
        elif now.ended:
            self._closed(name)

    def _items(self, name: str, step: Step) -> int:
        history, play = self.frames[name], self.plays[name]
        deliveries = history.started[step]
        if not deliveries:
            return self.given.get(name, 1) if step[0] in play.graph.triggers else 0
        return sum(history.entries[sender].counts[play.graph.edges[place].port] for place, sender in deliveries)

    given: dict[str, int] = field(default_factory=dict[str, int])
    """Items that an open frame begins with, where it is not one."""

    def _closed(self, name: str) -> None:
        if not name:
            self.ended = self.ended or "completed"
        elif not name.endswith("()"):
            self._element_ended(StepKey.owner_of(name), self.leaves[name])

    def _expand(self, key: StepKey, entry: LogEntry) -> None:
        assert str(key) in self.started
        sizes = [len(items) for items in (entry.outputs or {}).values()]
        found = self.opened[key] = Opened(entry.data["kind"], len(sizes), entry.data.get("parallel", 1))
        for number, size in enumerate(sizes):
            if found.kind == "map":
                self.given[key.element_frame(number)] = size
        self._spawn(key)

    def _spawn(self, key: StepKey) -> None:
        found = self.opened[key]
        while found.started < found.elements and found.started - found.ended < found.parallel and not self.failures:
            number, found.started = found.started, found.started + 1
            name = key.called_frame if found.kind == "call" else key.element_frame(number)
            self._open(name, self.case.play_of(key.frame, key.node, found.kind))
        if found.ended == found.elements and self.opened.pop(key, None) is not None:
            play, history = self.plays[key.frame], self.frames[key.frame]
            ports = sorted({edge.port for edge in play.graph.edges if edge.source == key.node}) or ["out"]
            counts = {ports[0]: found.items} if found.items else {}
            self._decided(key.frame, history.end(Entry((key.node, key.scope), counts)))

    def _element_ended(self, key: StepKey, items: int) -> None:
        found = self.opened[key]
        found.ended += 1
        found.items += items
        self._spawn(key)
