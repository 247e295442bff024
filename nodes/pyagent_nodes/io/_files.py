"""What the file nodes share: paths, and errors of the file system for people."""

from __future__ import annotations

import errno
from pathlib import Path

from pyagent.sdk import BlobRef, Item, NodeError


class FileError(NodeError):
    """The file system refused."""

    code = "node.file"
    hint = "Look at the file and its directory; the system says no more."


class FileMissing(FileError):
    """There is no such file."""

    code = "node.file_missing"
    hint = "Check the path, and give it in full: relative ones start at the run's own directory, not at yours."


class FileDenied(FileError):
    """The engine's user may not do this with the file."""

    code = "node.file_denied"
    hint = "Give the engine's user the right to do it."


class DiskFull(FileError):
    """The disk or the user's quota is full."""

    code = "node.disk_full"
    hint = "Free some space, then resume the run."


class WrongKind(FileError):
    """What the path names is no regular file."""

    code = "node.file_kind"
    hint = "Name a file; several are read with `glob`."


class BadName(FileError):
    """No file can have this name."""

    code = "node.file_name"
    hint = "Correct the path."


class BadEncoding(FileError):
    """The text and its encoding do not fit."""

    code = "node.file_encoding"
    hint = "Name another `encoding`; utf-8 can hold any text."


_ERRORS: dict[int, type[FileError]] = {
    errno.ENOENT: FileMissing,
    errno.ENOTDIR: FileMissing,
    errno.EEXIST: FileMissing,  # a part of the path is a file where a directory was to be made
    errno.EACCES: FileDenied,
    errno.EPERM: FileDenied,
    errno.EROFS: FileDenied,
    errno.ENOSPC: DiskFull,
    errno.EDQUOT: DiskFull,
    errno.EISDIR: WrongKind,
    errno.ELOOP: WrongKind,
    errno.ENXIO: WrongKind,
    errno.ENAMETOOLONG: BadName,
}


def file_error(error: OSError, path: Path | str) -> FileError:
    """The error with a code and a hint."""
    kind = _ERRORS.get(error.errno or 0, FileError)
    return kind(f"{path}: {error.strerror or error}", details={"path": str(path)})


def resolve(path: str, base: Path) -> Path:
    """The absolute path: `~` is the home directory, relative paths start at `base`.

    Raises `FileError` for a name that no file can have, and for an unknown home.
    """
    if "\0" in path:
        raise BadName("a path cannot hold a NUL character")
    try:
        return base / Path(path).expanduser()
    except RuntimeError as error:
        raise FileMissing(f"{path}: {error}") from error


def binary_of(item: Item, name: str) -> BlobRef:
    """The item's binary of that name. Raises `NodeError` (`node.binary_missing`)."""
    ref = (item.binary or {}).get(name)
    if ref is None:
        raise NodeError(
            f"the item holds no binary {name!r}",
            code="node.binary_missing",
            hint=f"It holds: {', '.join(item.binary or {}) or 'none'}.",
        )
    return ref
