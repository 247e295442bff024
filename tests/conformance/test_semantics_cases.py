"""The engine's rules give the steps that the cases of the semantics demand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from virtual_time import run

CASES: list[dict[str, Any]] = YAML(typ="safe").load(Path(__file__).with_name("semantics_cases.yaml"))["cases"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_the_rules_give_the_steps_of_the_case(case: dict[str, Any]) -> None:
    gives = case["gives"]

    outcome = run(case)

    assert outcome.end == gives["end"]
    assert outcome.written() == sorted(gives["steps"])
    if "skipped" in gives:
        assert sorted(outcome.skipped) == sorted(gives["skipped"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_a_replay_of_the_log_gives_the_same_decisions(case: dict[str, Any]) -> None:
    first = run(case)
    if first.frame is None:
        return
    replayed = type(first.frame)(first.frame.plan)

    ready = [step.step for step in replayed.start().ready]
    for step, counts, more in first.log:
        ready += [step.step for step in replayed.end_step(step, counts, more).ready]

    assert [str(step) for step in ready] == list(first.steps)
    assert [str(step) for step in replayed.skipped] == first.skipped
