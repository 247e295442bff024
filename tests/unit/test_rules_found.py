"""What random graphs and planted mutations found in the rules and their cases, each as small as it gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyagent.runtime.rules import Decisions, EdgeRule, Frame, Join, NodeRule, Plan, StepId

ANY = Join("any")


def frame_of(edges: Sequence[str], max_steps: int = 100_000, **nodes: NodeRule) -> Frame:
    """A started frame with the trigger `t`; edges as in a graph file, rules for the nodes that are not plain."""
    rules: dict[str, NodeRule] = {}
    parsed: list[EdgeRule] = []
    for edge in edges:
        source, target = edge.split(" -> ")
        source, _, port = source.partition(".")
        parsed.append(EdgeRule(source, port or "out", target))
        for name in (source, target):
            rules[name] = nodes.get(name, NodeRule(id=name))
    frame = Frame(Plan.build(list(rules.values()), parsed, ["t"]), max_steps)
    frame.start()
    return frame


def end(frame: Frame, step: str, ports: str = "out", more: bool = False) -> Decisions:
    """The step `node@1.2` ends and puts one item on each of the ports."""
    node, _, scope = step.partition("@")
    counts: Mapping[str, int] = dict.fromkeys(ports.split(), 1)
    return frame.end_step(StepId(node, tuple(map(int, scope.split("."))) if scope else ()), counts, more)


def ready(decisions: Decisions) -> list[str]:
    return [str(ready.step) for ready in decisions.ready]


def senders(decisions: Decisions) -> list[str]:
    """What the only ready step sees, by sender."""
    (ready,) = decisions.ready
    return [str(delivery.source) for delivery in ready.deliveries]


def test_a_header_that_says_more_goes_on_although_its_back_edges_closed_before_its_step_ended() -> None:
    # `back` counts two edges as written, but one comes from what the trigger does not reach: it is skipped at once.
    back = NodeRule(id="back", join=Join("count", 2))
    frame = frame_of(["t -> h", "h -> back", "stray -> back", "back -> h"], back=back)
    assert end(frame, "t").skipped == [StepId("back", (1,))]

    assert ready(end(frame, "h@1", more=True)) == ["h@2"]
    assert end(frame, "h@2").ended


def test_a_join_of_more_edges_than_the_trigger_reaches_is_skipped_at_once() -> None:
    frame = frame_of(["t -> a", "a -> j", "stray -> j", "j -> k"], j=NodeRule(id="j", join=Join("count", 2)))

    assert end(frame, "t").skipped == []
    assert [str(step) for step in frame.skipped] == ["j", "k"]


def test_an_edge_that_delivers_twice_counts_once_for_n_of_m() -> None:
    j = NodeRule(id="j", join=Join("count", 2))
    frame = frame_of(["t -> h", "h.again -> h", "h -> j", "t -> c", "c -> j"], j=j)
    end(frame, "t")

    assert ready(end(frame, "h@1", "again out")) == ["h@2"]
    assert ready(end(frame, "h@2", "out")) == []
    assert senders(end(frame, "c")) == ["h@1", "h@2", "c"]


def test_done_delivers_what_all_iterations_put_there_in_their_order() -> None:
    frame = frame_of(["t -> h", "h.again -> h", "h.done -> e"])
    end(frame, "t")

    assert ready(end(frame, "h@1", "again done")) == ["h@2"]
    assert ready(end(frame, "h@2", "again done")) == ["h@3"]
    assert senders(end(frame, "h@3", "done")) == ["h@1", "h@2", "h@3"]


def test_a_join_sees_its_deliveries_in_the_order_of_the_edges_whatever_came_first() -> None:
    frame = frame_of(["t -> a", "t -> b", "a -> j", "b -> j"])
    end(frame, "t")
    end(frame, "b")

    assert senders(end(frame, "a")) == ["a", "b"]


def test_the_next_iteration_sees_what_came_back_in_the_order_of_the_edges() -> None:
    frame = frame_of(["t -> h", "h -> a", "h -> b", "a -> h", "b -> h"])
    end(frame, "t")
    end(frame, "h@1")
    assert ready(end(frame, "b@1")) == []

    assert senders(end(frame, "a@1")) == ["a@1", "b@1"]


def test_a_late_delivery_is_recorded_as_ignored() -> None:
    frame = frame_of(["t -> a", "t -> b", "a -> j", "b -> j"], j=NodeRule(id="j", join=ANY))
    end(frame, "t")
    end(frame, "a")

    late = end(frame, "b")

    assert [(delivery.edge, str(delivery.source), str(target)) for delivery, target in late.ignored] == [(3, "b", "j")]
    assert ready(late) == []


def test_the_step_after_the_last_that_a_run_may_have_fails_it() -> None:
    frame = frame_of(["t -> a", "a -> b"], max_steps=2)
    assert end(frame, "t").failure is None

    failure = end(frame, "a").failure

    assert failure is not None
    assert (failure.code, failure.node) == ("run.max_steps", "b")


RACE = NodeRule(id="j", join=ANY, cancel_losers=True)


def losers(decisions: Decisions) -> set[str]:
    return {str(step) for step in decisions.losers}


def test_a_step_that_could_only_have_fed_a_join_that_ran_is_a_loser() -> None:
    frame = frame_of(["t -> fast", "t -> slow", "fast -> j", "slow -> x", "x -> j"], j=RACE)
    end(frame, "t")

    assert losers(end(frame, "fast")) == {"slow"}


def test_a_step_that_also_feeds_another_node_is_no_loser_but_what_follows_it_is() -> None:
    frame = frame_of(["t -> fast", "t -> slow", "fast -> j", "slow -> x", "slow -> y", "x -> j"], j=RACE)
    end(frame, "t")
    assert losers(end(frame, "fast")) == set()

    after = end(frame, "slow")

    assert ready(after) == ["x", "y"]
    assert losers(after) == {"x"}


def test_a_loop_is_a_loser_only_if_nothing_in_it_leads_elsewhere() -> None:
    edges = ["t -> fast", "t -> h", "fast -> j", "h.again -> h", "h -> j"]
    frame, other = frame_of(edges, j=RACE), frame_of([*edges, "h -> log"], j=RACE)
    end(frame, "t")
    end(other, "t")

    assert losers(end(frame, "fast")) == {"h@1"}
    assert losers(end(other, "fast")) == set()


def test_steps_that_could_only_have_fed_a_join_without_losers_cancel_go_on() -> None:
    frame = frame_of(["t -> fast", "t -> slow", "fast -> j", "slow -> j"], j=NodeRule(id="j", join=ANY))
    end(frame, "t")

    assert losers(end(frame, "fast")) == set()


def test_a_node_of_one_edge_may_make_losers_of_what_an_early_join_before_it_left_behind() -> None:
    first, last = NodeRule(id="first", join=ANY), NodeRule(id="last", cancel_losers=True)
    edges = ["t -> a", "t -> b", "a -> first", "b -> first", "first -> last"]
    frame = frame_of(edges, first=first, last=last)
    assert ready(end(frame, "t")) == ["a", "b"]
    assert end(frame, "a").losers == []

    decisions = end(frame, "first")

    assert ready(decisions) == ["last"]
    assert list(map(str, decisions.losers)) == ["b"]
