"""Folders of this user: the cache that programs share, and folders that nobody else may look into."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def private_folder(path: Path) -> Path:
    """Make the folder and the missing ones above it with mode 0700. Raises `OSError`."""
    if not path.is_dir():
        private_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
    return path


def cache_path() -> Path:
    """`pyagent` in the user's cache folder (XDG_CACHE_HOME, else `~/.cache`), whether it is there or not."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    # The specification of the variable: a relative path is to be ignored.
    return (Path(home) if home.startswith("/") else Path("~/.cache").expanduser()) / "pyagent"


def cache_folder() -> Path:
    """`cache_path`, for this user only (sources of repositories lie in it) and made if it is missing.

    Raises `OSError`.
    """
    folder = private_folder(cache_path())
    if stat.S_IMODE(folder.stat().st_mode) & 0o077:
        folder.chmod(0o700)
    return folder
