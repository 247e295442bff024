"""Recorded runs replay to the same decisions, for ever (SEMANTICS 14)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from replay.recording import HERE, decisions

RECORDINGS = sorted(HERE.glob("*.json"))


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_a_recorded_run_replays_to_the_same_decisions(path: Path) -> None:
    recorded = json.loads(path.read_text(encoding="utf-8"))

    assert recorded["semantics"] == 1
    assert decisions(recorded["graph"], recorded["entries"]) == recorded["decisions"]


def test_there_are_recordings() -> None:
    assert {path.stem for path in RECORDINGS} >= {"branches_and_loops", "maps_and_failures"}
