"""Random cases: a graph, what its steps do, and what befalls the workers that run it. A seed gives the same case."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

from pyagent.graph.spec import GraphSpec
from reference.generator import Play, composed, dressed, mended, reducible
from reference.interpreter import Step
from reference.shape import Shape

Role = Literal["act", "timer", "signal", "approval", "map", "call", "restart"]
CALLED = "called"


@dataclass
class Part:
    """What one node does, besides what its play says."""

    role: Role = "act"
    effects: str = "none"
    failing: int = 0
    """Tries that fail before one succeeds."""
    takes: tuple[float, float] = (0.0, 0.0)
    """Seconds before and after it acts."""
    large: bool = False
    """Puts out items that go into a blob."""
    count: bool = False
    """Counts itself in the state."""


@dataclass
class Case:
    """One case."""

    seed: int
    play: Play
    parts: dict[str, Part]
    bodies: dict[str, Play]
    """Of map nodes; every node of a body is in `parts`, too."""
    called: Play
    runs: int
    workers: int
    faults: dict[str, int]
    """How many of each fault of `FaultyStore` befall the workers, and `kill`s at any moment."""
    requests: list[tuple[float, str]] = field(default_factory=list[tuple[float, str]])
    """What is asked of the first run, and after how many seconds."""
    steps_of_clock: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    """When the store's clock is set, and by how many seconds it is ahead from then on."""
    skews: list[float] = field(default_factory=list[float])
    """How many seconds the workers' clocks are ahead."""
    pace: float = 1.0
    """What all durations are multiplied by: less than 1 for real time."""

    def play_of(self, step_frame: str, owner: str, kind: str) -> Play:
        """The play of the graph inside a map's or call's step of the node `owner`."""
        return self.bodies[owner] if kind == "map" else self.called

    def counts(self, play: Play, step: Step, *, inner: bool) -> tuple[dict[str, int], bool]:
        """Items by port that a step puts out, and whether it says that it has more."""
        entry = play.entry(step)
        if inner and not any(edge.source == step[0] for edge in play.graph.edges):
            return {"out": 1}, False
        return {port: count for port, count in entry.counts.items() if count}, bool(entry.more)

    @property
    def spec(self) -> GraphSpec:
        """The graph file's content."""
        total = {"total": "{{ $state.total }}"}
        return GraphSpec.model_validate(
            {
                "pyagent": 1,
                "id": f"chaos{self.seed}",
                "nodes": self._nodes(self.play),
                "edges": _edges(self.play),
                "state": {"total": {"type": "number", "reduce": "add"}},
                "settings": {"max_steps": self.play.max_steps},
                "outputs": total,
            }
        )

    @property
    def called_spec(self) -> GraphSpec:
        """The content of the file of the graph that calls call."""
        return GraphSpec.model_validate(
            {
                "pyagent": 1,
                "id": f"{CALLED}{self.seed}",
                "nodes": self._nodes(self.called, inner=True),
                "edges": _edges(self.called),
                "outputs": {"done": True},
            }
        )

    def _nodes(self, play: Play, *, inner: bool = False) -> list[dict[str, Any]]:
        back = Shape(play.graph).back
        found: list[dict[str, Any]] = []
        for node in play.graph.nodes:
            coming = [i for i, edge in enumerate(play.graph.edges) if edge.target == node.id and i not in back]
            ports = sorted({edge.port for edge in play.graph.edges if edge.source == node.id}) or ["out"]
            part = self.parts[node.id]
            trigger = not inner and node.id in play.graph.triggers
            use = "trigger" if trigger else part.role if part.role in ("map", "call") else "act"
            spec: dict[str, Any] = {"id": node.id, "use": f"chaos.{use}@1", "with": {"ports": ports, "seed": self.seed}}
            if use == "act":
                spec["with"]["effects"] = part.effects
            spec["join"] = f"{node.join} of {len(coming)}" if str(node.join).isdigit() else node.join
            if node.losers:
                spec["losers"] = "cancel"
            if node.max is not None:
                spec["loop"] = {"max": node.max}
            if part.failing and use == "act":
                spec["retry"] = {
                    "attempts": part.failing + 1,
                    "initial": f"{round(500 * self.pace)}ms",
                    "jitter": False,
                }
            if part.count:
                spec["write"] = {"total": "{{ 1 }}"}
            if part.role == "map":
                body = self.bodies[node.id]
                spec["body"] = {"nodes": self._nodes(body, inner=True), "edges": _edges(body)}
            found.append(spec)
        return found


def _edges(play: Play) -> list[str]:
    return [f"{edge.source}.{edge.port} -> {edge.target}" for edge in play.graph.edges]


def make_case(seed: int, *, calm: bool = False, pace: float = 1.0) -> Case:
    """The case of a seed; `calm`: without faults."""
    chance = random.Random(seed)
    play = _play(chance)
    headers = Shape(play.graph).headers
    racing = any(node.losers for node in play.graph.nodes)
    parts: dict[str, Part] = {}
    bodies: dict[str, Play] = {}
    for node in play.graph.nodes:
        role: Role = "act"
        leaf = not any(edge.source == node.id for edge in play.graph.edges)
        if node.id not in play.graph.triggers:
            role = chance.choices(["act", "timer", "signal", "approval", "map", "call"], [14, 1, 1, 1, 2, 1])[0]  # type: ignore[assignment]
            bounded = play.max_steps < 100_000  # the engine counts the steps of maps, too
            if role in ("map", "call") and (node.id in headers or racing or bounded):
                role = "act"
            if leaf and chance.random() < 0.08:
                role = "restart"
        parts[node.id] = _part(chance, role, once=node.id not in play.says_more)
        if node.id in play.graph.triggers:
            parts[node.id].failing, parts[node.id].effects = 0, "none"
        if role == "map":
            body = bodies[node.id] = _chain(chance, f"{node.id}_b")
            for inner in body.graph.nodes:
                parts[inner.id] = _part(chance, chance.choice(["act", "act", "act", "timer", "signal"]))
    called = _chain(chance, "c")
    for inner in called.graph.nodes:
        parts[inner.id] = _part(chance, chance.choice(["act", "act", "approval"]))
        parts[inner.id].count = False
    case = Case(
        seed=seed,
        play=play,
        parts=parts,
        bodies=bodies,
        called=called,
        runs=chance.choice([1, 1, 2]),
        workers=chance.choice([2, 2, 3, 4]),
        faults={},
        pace=pace,
    )
    for part in parts.values():
        part.takes = (part.takes[0] * pace, part.takes[1] * pace)
    if not calm:
        _befall(chance, case)
    return case


def _befall(chance: random.Random, case: Case) -> None:
    """Faults: no more of those that a worker may die of than a run survives without getting anywhere."""
    case.faults = {name: chance.choice([0, 0, 1, 2]) for name in ("refused", "answer_lost")}
    for _ in range(chance.choice([0, 1, 2, 3, 4])):
        name = chance.choice(["cut_before", "cut_after", "late", "answer_late", "kill"])
        case.faults[name] = case.faults.get(name, 0) + 1
    if chance.random() < 0.35:
        at = chance.uniform(0, 4)
        case.requests += [(at, "pause"), (at + chance.uniform(0, 20), "resume")]
    if chance.random() < 0.1:
        case.requests.append((chance.uniform(0, 6), "cancel"))
    if chance.random() < 0.4:
        case.steps_of_clock = [(chance.uniform(0, 10), chance.choice([-5.0, 5.0, 0.0])) for _ in range(3)]
    if chance.random() < 0.3:
        case.skews = [chance.choice([-5.0, 0.0, 5.0]) for _ in range(8)]


def _part(chance: random.Random, role: Role, *, once: bool = True) -> Part:
    effects = chance.choice(["none", "idempotent", "once" if once else "idempotent"])
    if role in ("timer", "signal", "approval", "restart") or role in ("map", "call"):
        effects = "none"
    slow = chance.random() < 0.4
    return Part(
        role=role,
        effects=effects,
        failing=chance.choice([0, 0, 0, 1, 2]) if role == "act" else 0,
        takes=(chance.choice([0.0, 0.3, 2.0]), chance.choice([0.0, 0.3, 2.0])) if slow else (0.0, 0.0),
        large=chance.random() < 0.15,
        count=chance.random() < 0.5 and role not in ("restart", "map", "call"),
    )


def _play(chance: random.Random) -> Play:
    def whole(below: int) -> int:
        return chance.randrange(below) if below > 1 else 0

    while True:
        nodes, edges, triggers = (reducible if whole(2) else composed)(whole)
        play = dressed(whole, mended(nodes, edges, triggers), stray=whole(6) == 5)
        if len(play.graph.triggers) == 1:
            return play


def _chain(chance: random.Random, prefix: str) -> Play:
    """A body: one to three nodes, one after the other."""
    from reference.shape import Edge, Graph, Node

    names = [f"{prefix}{number}" for number in range(chance.choice([1, 1, 2, 3]))]
    edges = tuple(Edge(one, "out", two) for one, two in pairwise(names))
    emits = {(edge.source, "out"): int(chance.random() < 0.9) for edge in edges}
    return Play(Graph(tuple(Node(name) for name in names), edges, (names[0],)), emits, {}, frozenset(), 100_000, 0)
