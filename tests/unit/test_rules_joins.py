"""Joins, dead paths and the end of a run (SEMANTICS 3-7), where the conformance cases do not pin them."""

from __future__ import annotations

from typing import Any

import pytest

from pyagent.errors import RunError
from pyagent.runtime.rules import INPUT, Decisions, Delivery, Frame, StepId
from virtual_time import Outcome, plan_of, run


def play(**case: Any) -> Outcome:
    return run({"start": "t", **case})


def frame_of(**case: Any) -> Frame:
    return Frame(plan_of({"start": "t", **case}))


def names(decisions: Decisions) -> list[str]:
    return [str(ready.step) for ready in decisions.ready]


def end(frame: Frame, step: str, *ports: str, more: bool = False) -> Decisions:
    """End `node@scope`, with one item on each of the ports."""
    node, _, scope = step.partition("@")
    path = tuple(map(int, scope.split("."))) if scope else ()
    return frame.end_step(StepId(node, path), dict.fromkeys(ports or ("out",), 1), more)


def test_a_run_starts_at_its_trigger_with_the_frames_input() -> None:
    decisions = frame_of(edges=["t -> a"]).start()

    assert names(decisions) == ["t"]
    assert decisions.ready[0].deliveries == (Delivery(INPUT, StepId("")),)


def test_several_roots_start_together() -> None:
    frame = frame_of(start=["a", "b"], edges=["a -> j", "b -> j"])

    assert names(frame.start()) == ["a", "b"]
    end(frame, "b")
    assert names(end(frame, "a")) == ["j"]


def test_a_trigger_that_is_a_header_starts_its_first_iteration() -> None:
    outcome = play(edges=["t.again -> t", "t.out -> a"], emit={"t": {"again": [1, 0], "out": [0, 1]}})

    assert outcome.written() == ["a@2(1)", "t@1(1)", "t@2(1)"]


def test_deliveries_are_seen_in_the_order_of_the_edges_then_of_the_senders_scope() -> None:
    frame = frame_of(edges=["t -> h", "h -> s", "s.again -> h", "s.log -> j", "t -> c", "c -> j"])
    frame.start()
    end(frame, "t")
    end(frame, "c")
    for step, ports in (("h@1", "out"), ("s@1", "again log"), ("h@2", "out")):
        end(frame, step, *ports.split())

    ready = end(frame, "s@2", "log").ready[0]

    assert ready.step == StepId("j")
    assert [(delivery.edge, str(delivery.source)) for delivery in ready.deliveries] == [
        (3, "s@1"),
        (3, "s@2"),
        (5, "c"),
    ]


def test_a_port_with_no_items_and_a_port_that_is_absent_are_the_same() -> None:
    for counts in ({}, {"out": 0}):
        frame = frame_of(edges=["t -> a"])
        frame.start()
        assert frame.end_step(StepId("t"), counts).skipped == [StepId("a")]


def test_a_delivery_after_any_ran_is_recorded_as_ignored_with_its_sender() -> None:
    outcome = play(edges=["t -> slow", "t -> fast", "slow -> j", "fast -> j"], join={"j": "any"}, takes={"slow": 5})

    assert outcome.ignored == ["2 from slow > j"]


def test_of_two_deliveries_of_one_entry_any_takes_the_first_in_the_file() -> None:
    outcome = play(edges=["t.x -> a", "t.y -> a"], join={"a": "any"}, emit={"t": {"y": 1, "x": 5}})

    assert outcome.written() == ["a(5)", "t(1)"]
    assert outcome.ignored == ["1 from t > a"]


def test_any_is_skipped_when_all_its_edges_are_dead() -> None:
    outcome = play(
        edges=["t -> a", "t -> b", "a -> j", "b -> j"], join={"j": "any"}, emit={n: {"out": 0} for n in "ab"}
    )

    assert outcome.skipped == ["j"]


def test_a_count_that_can_no_longer_be_met_is_skipped_before_its_other_edges_close() -> None:
    frame = frame_of(edges=["t -> a", "t -> b", "t -> c", "a -> j", "b -> j", "c -> j"], join={"j": "2 of 3"})
    frame.start()
    end(frame, "t")
    frame.end_step(StepId("a"), {})

    assert frame.end_step(StepId("b"), {}).skipped == [StepId("j")]
    assert end(frame, "c").ignored == []
    assert frame.ended


def test_a_loop_edge_that_delivers_twice_counts_once() -> None:
    outcome = play(
        edges=["t -> h", "h -> s", "s.again -> h", "s.log -> j", "t -> c", "c -> j"],
        join={"j": "2 of 2"},
        emit={"s": {"again": [1, 1, 0], "log": [1, 1, 0]}},
        takes={"c": 50},
    )

    assert "j(3)" in outcome.written()


def test_a_count_of_edges_that_the_trigger_does_not_reach_is_never_met() -> None:
    frame = frame_of(edges=["t -> j", "other -> j", "j -> k"], join={"j": "2 of 2"})

    assert frame.start().skipped == [StepId("j"), StepId("k")]
    assert end(frame, "t").ended


def test_steps_that_could_only_have_fed_a_met_join_are_losers() -> None:
    outcome = play(
        edges=["t -> a", "a -> b", "b -> j", "t -> fast", "fast -> j", "j -> k"],
        join={"j": "any"},
        losers=["j"],
        takes={"a": 9},
    )

    assert outcome.losers == ["a"]
    assert outcome.skipped == ["b"]
    assert outcome.end == "completed"


def test_a_step_that_feeds_something_else_too_is_no_loser() -> None:
    outcome = play(
        edges=["t -> a", "a -> b", "b -> j", "a -> log", "t -> fast", "fast -> j"],
        join={"j": "any"},
        losers=["j"],
        takes={"a": 3, "b": 9},
    )

    assert outcome.losers == ["b"]
    assert "log(1)" in outcome.written()


def test_without_cancel_there_are_no_losers() -> None:
    outcome = play(edges=["t -> a", "t -> b", "a -> j", "b -> j"], join={"j": "any"}, takes={"a": 9})

    assert outcome.losers == []


def test_a_whole_loop_that_could_only_feed_the_join_loses() -> None:
    outcome = play(
        edges=["t -> h", "h.loop -> b", "b -> h", "h.done -> j", "t -> fast", "fast -> j"],
        join={"j": "any"},
        losers=["j"],
        takes={"b": 20, "fast": 5},
    )

    assert outcome.losers == ["b@1"]
    assert outcome.end == "completed"


def test_a_loop_with_a_side_effect_of_its_own_does_not_lose() -> None:
    outcome = play(
        edges=["t -> h", "h.loop -> b", "b -> h", "b -> log", "h.done -> j", "t -> fast", "fast -> j"],
        join={"j": "any"},
        losers=["j"],
        emit={"h": {"loop": [1, 0], "done": [0, 1]}},
        takes={"b": 20, "fast": 5},
    )

    assert outcome.losers == []


def test_what_starts_after_the_join_was_met_and_feeds_only_it_is_a_loser_at_once() -> None:
    frame = frame_of(edges=["t -> a", "a -> b", "b -> j", "t -> fast", "fast -> j"], join={"j": "any"}, losers=["j"])
    frame.start()
    end(frame, "t")
    assert end(frame, "fast").losers == [StepId("a")]

    decisions = end(frame, "a")

    assert names(decisions) == ["b"]
    assert decisions.losers == [StepId("b")]


def test_a_frame_has_ended_when_nothing_runs() -> None:
    frame = frame_of(edges=["t -> a", "t -> b"])

    assert not frame.ended
    frame.start()
    end(frame, "t")
    assert not end(frame, "a").ended
    assert end(frame, "b").ended
    assert frame.ended
    assert [str(step) for step in frame.ended_steps] == ["t", "a", "b"]


def test_a_step_that_does_not_run_cannot_end() -> None:
    frame = frame_of(edges=["t -> a"])
    frame.start()
    end(frame, "t")

    for step in ("t", "b", "a@1"):
        with pytest.raises(RunError) as raised:
            end(frame, step)
        assert raised.value.code == "run.step_not_running"


def test_a_run_is_bounded_by_its_steps() -> None:
    outcome = run({"start": "t", "edges": ["t -> a", "a -> b", "b -> c"]}, max_steps=3)

    assert outcome.end == "run.max_steps"
    assert list(outcome.steps) == ["t", "a", "b"]


def test_nothing_starts_by_an_entry_that_fails_the_run_nor_after_it() -> None:
    frame = Frame(plan_of({"start": "t", "edges": ["t -> a", "t -> b", "t -> c", "a -> d"]}), max_steps=3)
    frame.start()

    decisions = end(frame, "t")

    assert decisions.ready == []
    assert decisions.failure is not None
    assert decisions.failure.code == "run.max_steps"
    assert decisions.ended


def test_running_steps_may_end_after_the_run_failed() -> None:
    frame = frame_of(edges=["t -> h", "h -> h", "t -> a", "a -> b"], max={"h": 1})
    frame.start()
    end(frame, "t")
    failure = end(frame, "h@1").failure

    decisions = end(frame, "a")

    assert failure is not None
    assert decisions.failure == failure
    assert decisions.ready == []
    assert decisions.ended


def test_a_copy_goes_its_own_way() -> None:
    frame = frame_of(edges=["t -> h", "h -> s", "s.again -> h", "s.log -> j", "t -> c", "c -> j"], join={"j": "2 of 2"})
    frame.start()
    for step in ("t", "h@1"):
        end(frame, step)
    end(frame, "s@1", "again", "log")
    twin = frame.copy()

    assert names(end(twin, "c")) == ["j"]
    assert list(map(str, frame.running)) == ["c", "h@2"]
    assert end(twin, "h@2") == end(frame, "h@2")
    assert names(end(frame, "s@2", "again")) == ["h@3"]
    assert names(end(frame, "c")) == ["j"]
    assert frame.resolve(StepId("j"), "s") == StepId("s", (1,))
