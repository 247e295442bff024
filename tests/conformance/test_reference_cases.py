"""The reference interpreter gives the steps that the cases of the semantics demand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from reference.interpreter import Entry, decide, graph_of, run

CASES: list[dict[str, Any]] = YAML(typ="safe").load(Path(__file__).with_name("semantics_cases.yaml"))["cases"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_the_reference_gives_the_steps_of_the_case(case: dict[str, Any]) -> None:
    gives = case["gives"]

    result = run(case)

    assert result.end == gives["end"]
    assert result.steps == sorted(gives["steps"])
    if "skipped" in gives:
        assert result.skipped == sorted(gives["skipped"])


def test_there_are_forty_cases() -> None:
    assert len(CASES) >= 40


def test_a_log_says_what_was_ready_after_each_of_its_entries() -> None:
    graph = graph_of({"start": "t", "edges": ["t.x -> a", "t.y -> b", "a -> j", "b -> j"]})

    decided = decide(graph, [Entry(("t", ()), {"x": 1}), Entry(("a", ()), {"out": 1}), Entry(("j", ()))])

    assert [list(now.ready) for now in decided] == [[("t", ())], [("a", ())], [("j", ())], []]
    assert [now.ended for now in decided] == [False, False, False, True]
    assert decided[1].skipped == {("b", ())}
    assert decided[2].ready == {("j", ()): ((2, ("a", ())),)}
