"""Runs that came from a file (`runtime.run_import`): how they are told, and that nobody executes them."""

from __future__ import annotations

from pyagent.errors import RunError
from pyagent.store.base import Run

LABEL = "imported"
"""Label of an imported run, with its own id: a fork, which takes the labels over, is not one."""


class ImportedRun(RunError):
    """A run from somebody's file is to be looked at, never to be executed."""

    code = "run.imported"
    hint = "Fork it to execute it, or a part of it, as a run of your own: pyagent fork RUN STEP"


def is_imported(run: Run) -> bool:
    """Whether the run came from a file and is not to be executed."""
    return run.labels.get(LABEL) == run.id


def refuse_imported(run: Run) -> None:
    """Raises `ImportedRun` for a run that came from a file."""
    if is_imported(run):
        raise ImportedRun(f"the run {run.id} was imported from a file and is not executed here")


__all__ = ["LABEL", "ImportedRun", "is_imported", "refuse_imported"]
