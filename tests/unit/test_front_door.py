"""The public names of the package: `pyagent` is the only door, and it is open no wider than it says."""

from __future__ import annotations

import subprocess
import sys

import pytest

import pyagent

PUBLIC = [
    "CompiledGraph",
    "Engine",
    "Event",
    "ExpressionError",
    "GraphError",
    "GraphLibrary",
    "GraphSpec",
    "InputError",
    "NodeError",
    "NotFound",
    "PyAgentError",
    "Run",
    "RunError",
    "RunFilter",
    "Store",
    "StoreError",
    "compile",
    "langgraph_saver",
    "open_store",
]


def test_the_public_names_are_exactly_these() -> None:
    assert sorted(name for name in pyagent.__all__ if not name.startswith("__")) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_there_and_says_what_it_is(name: str) -> None:
    assert getattr(pyagent, name).__doc__


def test_importing_the_package_imports_none_of_its_parts() -> None:
    code = "import sys, pyagent; print(sorted(name for name in sys.modules if name.startswith('pyagent.')))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
