"""`pyagent store prune` and `compact` in this process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command_line import Command
from pyagent.cli.exits import Exit

FAIL = """\
pyagent: 1
id: fail
nodes: [{id: fail, use: flow.fail@1, with: {message: It broke}}]
"""


@pytest.fixture
def failed(folder: Path, command: Command) -> str:
    """A run that failed."""
    (folder / "fail.yaml").write_text(FAIL)
    command("run", "fail")
    return json.loads(command("runs", "--json")[1])[0]["id"]


def test_runs_are_pruned_by_status_and_the_space_is_given_back(command: Command, failed: str) -> None:
    assert command("store", "prune", "--status", "completed", "--json")[0] == Exit.DONE
    code, out, _ = command("store", "prune", "--status", "failed", "--compact", "--json")
    done = json.loads(out)
    assert (code, done["runs"]) == (Exit.DONE, [failed])
    assert done["compacted"]["after"] <= done["compacted"]["before"]


def test_prune_warns_of_a_graph_that_nobody_knows(command: Command, failed: str) -> None:
    code, out, error = command("store", "prune", "--status", "failed", "--graph", "fial", "--json")
    assert (code, json.loads(out)["runs"]) == (Exit.DONE, [])
    assert "knows no graph fial" in error
    assert "knows no graph" not in command("store", "prune", "--status", "failed", "--graph", "fail")[2]


def test_prune_wants_to_know_which_runs(command: Command, failed: str) -> None:
    code, _, error = command("store", "prune")
    assert (code, "--status failed" in error) == (Exit.USAGE, True)
    code, _, error = command("store", "prune", "--keep", "1", "--dry-run", "--compact")
    assert (code, "--dry-run" in error) == (Exit.USAGE, True)


def test_compact_says_how_much_it_gave_back(command: Command, failed: str) -> None:
    code, out, _ = command("store", "compact")
    assert code == Exit.DONE
    assert "before" in out
    assert "given back" in out
    assert json.loads(command("store", "compact", "--json")[1])["notes"] == []
    assert "on the disk" in command("store", "stats")[1]


@pytest.mark.parametrize("what", [["stats"], ["check"], ["compact"], ["prune", "--keep", "1"]])
def test_a_store_that_was_named_and_is_not_there_is_not_made(command: Command, folder: Path, what: list[str]) -> None:
    code, _, error = command("store", *what, "--store", str(folder / "mistyped.db"))
    assert (code, "there is no store" in error, "mistyped.db" in error) == (Exit.USAGE, True, True)
    assert not list(folder.glob("mistyped*"))
