"""What the file nodes share: paths, and errors of the file system for people."""

from __future__ import annotations

import errno
from pathlib import Path

from pyagent.sdk import NodeError

_CODES = {
    errno.ENOENT: ("node.file_missing", "Check the path; relative paths start at the run's own directory."),
    errno.ENOTDIR: ("node.file_missing", "A part of the path is a file, not a directory."),
    errno.EEXIST: ("node.file_missing", "A part of the path is a file, not a directory."),
    errno.EACCES: ("node.file_denied", "Give the engine's user the right to do it."),
    errno.EPERM: ("node.file_denied", "Give the engine's user the right to do it."),
    errno.EROFS: ("node.file_denied", "The file system is read-only."),
    errno.ENOSPC: ("node.disk_full", "Free some space, then `pyagent resume` the run."),
    errno.EDQUOT: ("node.disk_full", "Free some of your quota, then `pyagent resume` the run."),
    errno.EISDIR: ("node.file_kind", "Name a file, not a directory."),
    errno.ELOOP: ("node.file_kind", "The path goes round in symbolic links."),
    errno.ENAMETOOLONG: ("node.file_name", "Shorten the name."),
}


def file_error(error: OSError, path: Path | str) -> NodeError:
    """The error with a code and a hint."""
    code, hint = _CODES.get(error.errno or 0, ("node.file", "Look at the file and its directory; the system refused."))
    return NodeError(f"{path}: {error.strerror or error}", code=code, hint=hint, details={"path": str(path)})


def resolve(path: str, base: Path) -> Path:
    """The absolute path: `~` is the home directory, relative paths start at `base`.

    Raises `NodeError` for a name that no file can have.
    """
    if "\0" in path:
        raise NodeError("a path cannot hold a NUL character", code="node.file_name", hint="Correct the path.")
    try:
        return base / Path(path).expanduser()
    except RuntimeError as error:
        raise NodeError(f"{path}: {error}", code="node.file_missing", hint="Write the path without `~`.") from error
