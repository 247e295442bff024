"""Ancestors and what `$('Node')` reads (SEMANTICS 27), by examples and against the definition on random graphs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, given, settings

from pyagent.runtime.rules import EdgeRule, Frame, Join, NodeRule, Plan, StepId
from reference.generator import Play, plays
from reference.interpreter import Decided, History, Step
from virtual_time import run

LOOP = ["t -> h", "h.loop -> a", "a -> b", "b -> h", "a -> log", "h.done -> e"]
TWICE = {"h": {"loop": [1, 1, 0], "done": [0, 0, 1]}}


def frame_of(**case: Any) -> Frame:
    frame = run({"start": "t", **case}).frame
    assert frame is not None
    return frame


def read(frame: Frame, reader: str, node: str) -> str | None:
    """What `reader`, written as `node@scope`, reads of `node`."""
    name, _, scope = reader.partition("@")
    found = frame.resolve(StepId(name, tuple(map(int, scope.split("."))) if scope else ()), node)
    return None if found is None else str(found)


def test_a_node_reads_any_node_upstream_of_it() -> None:
    frame = frame_of(edges=["t -> a", "a -> b", "b -> c"])

    assert [read(frame, "c", node) for node in "tab"] == ["t", "a", "b"]


def test_a_node_cannot_read_itself_nor_what_is_downstream_or_beside_it() -> None:
    frame = frame_of(edges=["t -> a", "t -> b", "a -> c"])

    assert [read(frame, "a", node) for node in "abc"] == [None, None, None]


def test_a_node_that_was_skipped_cannot_be_read_but_what_is_before_it_can() -> None:
    frame = frame_of(edges=["t -> s", "s.x -> a", "s.y -> b", "a -> j", "b -> j"], emit={"s": {"x": 1}})

    assert [read(frame, "j", node) for node in "tsab"] == ["t", "s", "a", None]


def test_a_node_whose_edge_delivered_nothing_is_an_ancestor_since_its_edge_closed() -> None:
    frame = frame_of(edges=["t -> a", "t -> b", "a -> j", "b -> j"], emit={"a": {"out": 0}})

    assert read(frame, "j", "a") == "a"


def test_any_does_not_read_the_branch_that_was_still_open() -> None:
    frame = frame_of(
        edges=["t -> slow", "t -> fast", "slow -> j", "fast -> j", "j -> k"],
        join={"j": "any"},
        takes={"slow": 9},
    )

    assert [read(frame, reader, node) for reader in "jk" for node in ("slow", "fast", "t")] == [
        None,
        "fast",
        "t",
    ] * 2


def test_a_step_in_a_loop_reads_its_own_iteration() -> None:
    frame = frame_of(edges=LOOP, emit=TWICE)

    assert [read(frame, "b@2", node) for node in "tha"] == ["t", "h@2", "a@2"]
    assert read(frame, "log@1", "a") == "a@1"


def test_a_header_reads_the_iteration_before() -> None:
    frame = frame_of(edges=LOOP, emit=TWICE)

    assert read(frame, "h@1", "b") is None
    assert read(frame, "h@3", "b") == "b@2"
    assert read(frame, "h@3", "h") == "h@2"
    assert read(frame, "a@2", "b") == "b@1"


def test_a_side_branch_of_an_iteration_is_upstream_of_nothing_in_the_next_one() -> None:
    frame = frame_of(edges=LOOP, emit=TWICE)

    assert [read(frame, reader, "log") for reader in ("h@2", "b@2", "e")] == [None, None, None]


def test_after_a_loop_the_latest_iteration_is_read() -> None:
    frame = frame_of(edges=LOOP, emit=TWICE)

    assert [read(frame, "e", node) for node in ("t", "h", "a", "b")] == ["t", "h@3", "a@2", "b@2"]


def test_an_iteration_in_which_the_node_was_skipped_is_passed_over() -> None:
    frame = frame_of(
        edges=["t -> h", "h.x -> a", "h.y -> b", "a -> j", "b -> j", "j -> h"],
        emit={"h": {"x": [1, 0, 0], "y": [0, 1, 0]}, "j": {"out": 1}},
    )

    assert read(frame, "j@2", "a") == "a@1"


def test_inner_iterations_are_read_by_the_longest_shared_scope() -> None:
    frame = frame_of(
        edges=["t -> o", "o.loop -> i", "i.loop -> b", "b -> i", "i.done -> x", "x -> o", "o.done -> e"],
        emit={"o": {"loop": [1, 1, 0], "done": [0, 0, 1]}, "i": {"loop": [1, 1, 0], "done": [0, 0, 1]}},
    )

    assert read(frame, "i@2.1", "b") == "b@1.2"
    assert read(frame, "i@2.2", "b") == "b@2.1"
    assert read(frame, "x@1", "b") == "b@1.2"
    assert read(frame, "x@2", "i") == "i@2.3"
    assert read(frame, "e", "b") == "b@2.2"


def test_outputs_read_the_latest_step_of_a_node_whatever_leads_to_it() -> None:
    frame = frame_of(edges=LOOP, emit=TWICE)

    assert [str(frame.resolve(None, node)) for node in ("t", "log", "h")] == ["t", "log@2", "h@3"]
    assert frame_of(edges=["t -> a", "a -> b"], emit={"a": {"out": 0}}).resolve(None, "b") is None


def test_a_fork_keeps_what_does_not_descend_from_its_step() -> None:
    frame = frame_of(edges=["t -> a", "t -> b", "a -> c", "b -> d", "c -> j", "d -> j"])

    assert [str(step) for step in frame.fork_keep(StepId("a"))] == ["t", "b", "d"]


def test_a_fork_in_a_loop_keeps_earlier_iterations() -> None:
    frame = frame_of(edges=LOOP, emit=TWICE)

    kept = {str(step) for step in frame.fork_keep(StepId("a", (2,)))}

    assert kept == {"t", "h@1", "a@1", "b@1", "log@1", "h@2"}


@dataclass
class Definition:
    """Rule 27 word for word: links are noted when a step starts or is skipped, then followed."""

    history: History
    links: dict[Step, set[Step]] = field(default_factory=dict[Step, set[Step]])

    def note(self, decided: Decided) -> None:
        shape = self.history.shape
        for name, scope in [*decided.ready, *decided.skipped]:
            if name in shape.headers and scope[-1] > 1:
                edges, met = shape.returning(name), (*scope[:-1], scope[-1] - 1)
            else:
                edges, met = shape.incoming(name), self.history.place((name, scope))[1]
            self.links[name, scope] = self.sources(edges, met)
        for name, outer in self.history.never_entered:
            self.links.setdefault((name, outer), self.sources(shape.incoming(name), outer))

    def sources(self, edges: list[int], scope: tuple[int, ...]) -> set[Step]:
        found: set[Step] = set()
        for edge in edges:
            source = self.history.shape.pairs[edge][0]
            if self.history.closed(edge, scope):
                known = [*self.history.entries, *self.history.skipped]
                found |= {step for step in known if step[0] == source and step[1][: len(scope)] == scope}
                # A loop that was never entered stands for its nodes, as a skipped node does.
                around = self.history.shape.path[source][len(scope) :]
                never = self.history.never_entered
                found |= {(name, outer) for name, outer in never if name in around and outer[: len(scope)] == scope}
            else:
                found |= {step for _, step in self.history.on(edge, scope)}
        return found

    def ancestors(self, step: Step) -> set[Step]:
        found: set[Step] = set()
        todo = [step]
        while todo:
            for link in self.links.get(todo.pop(), ()):
                if link not in found:
                    found.add(link)
                    todo.append(link)
        return {ancestor for ancestor in found if ancestor in self.history.entries}

    def reads(self, step: Step, node: str) -> Step | None:
        def rank(found: Step) -> tuple[int, tuple[int, ...]]:
            path = self.history.shape.path
            common = 0
            for mine, theirs, one, other in zip(path[node], path[step[0]], found[1], step[1], strict=False):
                if mine != theirs or one != other:
                    break
                common += 1
            return common, found[1]

        candidates = [found for found in self.ancestors(step) if found[0] == node]
        return max(candidates, key=rank, default=None)


def plan_of(play: Play) -> Plan:
    nodes = [
        NodeRule(
            id=node.id,
            join=Join(node.join) if node.join in ("all", "any") else Join("count", int(node.join)),
            loop_max=node.max,
            done_port=node.done,
        )
        for node in play.graph.nodes
    ]
    return Plan.build(nodes, [EdgeRule(e.source, e.port, e.target) for e in play.graph.edges], play.graph.triggers)


@settings(
    max_examples=300,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(plays())
def test_ancestors_and_reads_are_those_of_the_definition(play: Play) -> None:
    history, frame = History(play.graph), Frame(plan_of(play))
    definition = Definition(history)
    choose = play.chooser()
    decided = history.begin()
    frame.start()
    definition.note(decided)
    while not decided.failures and history.running() and len(history.entries) < 60:
        entry = play.entry(choose(history.running()))
        decided = history.end(entry)
        frame.end_step(StepId(*entry.step), entry.counts, entry.more)
        definition.note(decided)
        for step in decided.ready:
            if not decided.failures:
                check_reader(frame, definition, step)
    if not decided.failures:
        for step in list(history.started)[-8:]:
            check_reader(frame, definition, step)


def check_reader(frame: Frame, definition: Definition, reader: Step) -> None:
    ancestors = definition.ancestors(reader)
    for step in definition.history.entries:
        if step != reader:
            assert frame.is_ancestor(StepId(*step), StepId(*reader)) == (step in ancestors), (step, reader)
    for node in definition.history.shape.nodes:
        found = frame.resolve(StepId(*reader), node)
        assert (None if found is None else tuple(found)) == definition.reads(reader, node), (reader, node)
