"""Runs a graph by the rules in virtual time: a discrete-event loop, without nodes, clocks or chance.

It speaks the language of `conformance/semantics_cases.yaml`: edges as text, what each node emits and takes.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyagent.errors import GraphError
from pyagent.runtime.rules import INPUT, Decisions, EdgeRule, Frame, Join, NodeRule, Plan, StepId


@dataclass(kw_only=True)
class Outcome:
    """What a run in virtual time gave."""

    end: str
    """`completed`, `failed` or the code of an error."""
    steps: dict[str, int] = field(default_factory=dict)
    """Items that each step got, by `node@scope`, in the order of start."""
    skipped: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    """Deliveries that came too late, as `edge from step > target`."""
    losers: list[str] = field(default_factory=list)
    frame: Frame | None = None
    log: list[tuple[StepId, dict[str, int], bool]] = field(default_factory=list)
    """The entries, in their order: the arguments of `end_step`."""

    def written(self) -> list[str]:
        """The steps as the cases write them, sorted: `node@scope(items in)`."""
        return sorted(f"{step}({items})" for step, items in self.steps.items())


def edge_rules(edges: Sequence[str]) -> list[EdgeRule]:
    """`a.port -> b` as rules; a port left out is `out`."""
    rules: list[EdgeRule] = []
    for edge in edges:
        start, target = (part.strip() for part in edge.split("->"))
        source, _, port = start.partition(".")
        rules.append(EdgeRule(source, port or "out", target))
    return rules


def join_rule(text: str) -> Join:
    """`all`, `any` or `2 of 3`."""
    if text in ("all", "any"):
        return Join(text)
    return Join("count", int(text.split()[0]))


def plan_of(case: Mapping[str, Any]) -> Plan:
    """The plan of a case; `losers` names nodes with `losers: cancel`, `start` may be a list of roots."""
    edges = edge_rules(case["edges"])
    start = case["start"]
    triggers = [start] if isinstance(start, str) else list(start)
    ids = dict.fromkeys([*triggers, *(end for edge in edges for end in (edge.source, edge.target))])
    joins, bounds, losers = case.get("join", {}), case.get("max", {}), case.get("losers", [])
    nodes = [
        NodeRule(
            id=node,
            join=join_rule(joins.get(node, "all")),
            loop_max=bounds.get(node, 1000),
            cancel_losers=node in losers,
        )
        for node in ids
    ]
    return Plan.build(nodes, edges, triggers)


def run(case: Mapping[str, Any], max_steps: int = 100_000) -> Outcome:
    """Run a case to its end. Steps that end at the same time do so in the order in which they started."""
    try:
        plan = plan_of(case)
    except GraphError as error:
        return Outcome(end=error.code)
    return _Run(case, Frame(plan, max_steps)).to_the_end()


class _Run:
    def __init__(self, case: Mapping[str, Any], frame: Frame) -> None:
        self.case = case
        self.frame = frame
        self.outcome = Outcome(end="completed", frame=frame)
        self.ports: dict[str, list[str]] = {}
        for edge in frame.plan.edges:
            self.ports.setdefault(edge.source, []).append(edge.source_port)
        self.put: dict[StepId, dict[str, int]] = {}
        self.due: list[tuple[float, int, StepId, int]] = []
        self.started = 0
        self.cancelled: set[StepId] = set()

    def to_the_end(self) -> Outcome:
        self.decide(self.frame.start(), 0.0)
        failing = self.case.get("fail", [])
        while self.due and self.outcome.end == "completed":
            now, _, step, items = heapq.heappop(self.due)
            if step in self.cancelled:
                continue
            if step.node in failing:
                self.outcome.end = "failed"
                break
            counts, more = self.emitted(step, items), self.more(step)
            self.put[step] = counts
            self.end_step(step, counts, more, now)
        return self.outcome

    def end_step(self, step: StepId, counts: dict[str, int], more: bool, now: float) -> None:
        self.outcome.log.append((step, counts, more))
        self.decide(self.frame.end_step(step, counts, more), now)

    def decide(self, decisions: Decisions, now: float) -> None:
        for ready in decisions.ready:
            items = sum(
                1 if delivery.edge == INPUT else self.put[delivery.source][self.port(delivery.edge)]
                for delivery in ready.deliveries
            )
            self.outcome.steps[str(ready.step)] = items
            takes = self.case.get("takes", {}).get(ready.step.node, 1)
            self.started += 1
            heapq.heappush(self.due, (now + takes, self.started, ready.step, items))
        self.outcome.skipped += map(str, decisions.skipped)
        self.outcome.ignored += (
            f"{delivery.edge} from {delivery.source} > {target}" for delivery, target in decisions.ignored
        )
        self.outcome.losers += map(str, decisions.losers)
        if decisions.failure is not None:
            self.outcome.end = decisions.failure.code
        assert decisions.ended == (not self.frame.running)
        for loser in decisions.losers:
            if loser in self.frame.running:
                self.cancelled.add(loser)
                self.put[loser] = {}
                self.end_step(loser, {}, False, now)

    def port(self, edge: int) -> str:
        return self.frame.plan.edges[edge].source_port

    def emitted(self, step: StepId, items: int) -> dict[str, int]:
        emit = self.case.get("emit", {}).get(step.node)
        if emit is None:
            return dict.fromkeys(self.ports.get(step.node, []), items)
        return {port: _at(amount, step) for port, amount in emit.items()}

    def more(self, step: StepId) -> bool:
        said = self.case.get("more", {}).get(step.node, [])
        place = step.scope[-1] - 1 if step.scope else 0
        return bool(place < len(said) and said[place])


def _at(amount: int | Sequence[int], step: StepId) -> int:
    """The entry for the step's innermost iteration; the last one repeats."""
    if isinstance(amount, int):
        return amount
    place = step.scope[-1] - 1 if step.scope else 0
    return amount[min(place, len(amount) - 1)]
