"""Random runs under random faults, in virtual time: nothing is lost, nothing happens twice, whatever befalls.

`PYAGENT_CHAOS_CASES` sets how many cases there are; `make chaos` plays thousands.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chaos.memory import play_case

CASES = int(os.environ.get("PYAGENT_CHAOS_CASES", "200"))
SEEDS = 20
"""Seeds in one test: a test names the first of its seeds, the message the one that broke."""


@pytest.mark.parametrize("first", range(0, CASES, SEEDS))
def test_nothing_is_lost_and_nothing_happens_twice(first: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYAGENT_WORK", str(tmp_path))
    stale = 0
    for seed in range(first, first + SEEDS):
        try:
            stale += play_case(seed).stale
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        assert not list(tmp_path.iterdir()), f"seed {seed} leaves scratch folders behind"
    assert stale


@pytest.mark.parametrize("seed", [106133, 106146, 107162])
def test_cases_that_once_did_not_hold_do(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run was taken again while the hand that had driven it was still busy, and then belonged to nobody."""
    monkeypatch.setenv("PYAGENT_WORK", str(tmp_path))

    play_case(seed)
