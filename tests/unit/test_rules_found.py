"""What random graphs found in the rules, each as small as it gets."""

from __future__ import annotations

from pyagent.runtime.rules import EdgeRule, Frame, Join, NodeRule, Plan, StepId


def test_a_header_that_says_more_goes_on_although_its_back_edges_closed_before_its_step_ended() -> None:
    # `back` counts two edges as written, but one comes from what the trigger does not reach: it is skipped at once.
    nodes = [NodeRule(id="t"), NodeRule(id="h"), NodeRule(id="back", join=Join("count", 2)), NodeRule(id="stray")]
    edges = [
        EdgeRule("t", "out", "h"),
        EdgeRule("h", "out", "back"),
        EdgeRule("stray", "out", "back"),
        EdgeRule("back", "out", "h"),
    ]
    frame = Frame(Plan.build(nodes, edges, ["t"]))
    frame.start()
    assert frame.end_step(StepId("t"), {"out": 1}).skipped == [StepId("back", (1,))]

    second = frame.end_step(StepId("h", (1,)), {"out": 1}, more=True)
    last = frame.end_step(StepId("h", (2,)), {"out": 1})

    assert [ready.step for ready in second.ready] == [StepId("h", (2,))]
    assert last.ended
