"""The scratch directories of runs: work trees and whatever else a run needs on disk until it has ended."""

from __future__ import annotations

import shutil
from pathlib import Path

from pyagent.errors import SetupError
from pyagent.sdk.places import cache_path, private_folder
from pyagent.settings import WORK


def scratch_root() -> Path:
    """Where runs have their scratch directories: `PYAGENT_WORK`, else in the user's cache folder."""
    return WORK.path() or cache_path() / "work"


def scratch_directory(run_id: str) -> Path:
    """The run's scratch directory, made private if it was not there. Raises `SetupError` (`setup.work_folder`)."""
    path = scratch_root() / run_id
    try:
        return private_folder(path)
    except OSError as error:
        raise SetupError(
            f"the folder for work trees cannot be made: {error.strerror} {path}",
            code="setup.work_folder",
            hint="Set PYAGENT_WORK to a folder that you can write, on a disk with some room.",
        ) from None


def has_scratch(run_id: str) -> bool:
    """Whether the run has a scratch directory; few runs have one."""
    return (scratch_root() / run_id).exists()


def remove_scratch(run_id: str) -> None:
    """Remove the run's scratch directory; what cannot be removed is left to the next clean-up."""
    if has_scratch(run_id):
        shutil.rmtree(scratch_root() / run_id, ignore_errors=True)
