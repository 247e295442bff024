"""The program itself: it starts fast, imports nothing before it must, and its codes are documented."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from typer.main import get_command

from pyagent.cli import app
from pyagent.cli.exits import Exit, exit_of_error, exit_of_status
from pyagent.errors import (
    ExpressionError,
    GraphError,
    InputError,
    LeaseHeld,
    NodeError,
    NotFound,
    PyAgentError,
    RunError,
    SetupError,
    StoreError,
)

ROOT = Path(__file__).resolve().parents[2]


def modules_after(code: str) -> set[str]:
    """The modules that a fresh interpreter has after running `code`."""
    script = f"import sys\n{code}\nprint('modules:', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.partition("modules:")[2].split())


def test_the_version_is_told_before_anything_is_imported() -> None:
    found = modules_after("import pyagent.cli\nsys.argv = ['pyagent', '--version']\npyagent.cli.main()")
    assert not found & {"typer", "rich", "pydantic", "langgraph", "asyncio", "pyagent.errors"}


def test_the_commands_are_known_without_the_engine() -> None:
    found = modules_after("import pyagent.cli.commands")
    assert not found & {"langgraph", "pydantic", "fastapi", "aiosqlite", "ruamel.yaml", "pyagent.runtime.engine"}


def test_every_error_class_has_an_exit_code_that_says_whose_fault_it_is() -> None:
    assert {
        kind: exit_of_error(kind("x")) for kind in (GraphError, InputError, NotFound, ExpressionError)
    } == dict.fromkeys((GraphError, InputError, NotFound, ExpressionError), Exit.USAGE)
    assert exit_of_error(StoreError("x")) is exit_of_error(SetupError("x")) is Exit.STORE
    assert (
        exit_of_error(RunError("x")) is exit_of_error(NodeError("x")) is exit_of_error(PyAgentError("x")) is Exit.FAILED
    )
    assert exit_of_error(LeaseHeld("x")) is Exit.FAILED
    assert exit_of_error(StoreError("x", code="store.key_taken")) is Exit.USAGE


def test_every_status_of_a_run_has_an_exit_code() -> None:
    statuses = ("completed", "failed", "waiting", "paused", "cancelled", "running", "queued")
    assert [exit_of_status(status) for status in statuses] == [0, 1, 3, 3, 4, 130, 130]


def test_the_guide_tells_every_exit_code_and_every_command() -> None:
    guide = (ROOT / "docs" / "guides" / "cli.md").read_text()
    for code in Exit:
        assert re.search(rf"^\| {code.value} \|", guide, re.MULTILINE), code
    commands = getattr(get_command(app), "commands")  # noqa: B009  Typer hides the class that has it
    assert [name for name in commands if f"`pyagent {name}" not in guide] == []
