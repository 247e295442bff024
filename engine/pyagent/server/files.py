"""The route by which a path is chosen: folders of this machine with the names of what is in them, never contents."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query

from pyagent.errors import InputError, NotFound
from pyagent.graph.yaml import shown
from pyagent.sdk.sandbox import hidden_places
from pyagent.server.capabilities import actor
from pyagent.server.context import ServerContext, context_of
from pyagent.server.openapi import errors
from pyagent.server.security import token_file
from pyagent.server.shapes import Shape
from pyagent.server.shares import shares_file
from pyagent.settings import machine_file

MOST = 1_000
"""Entries of one answer."""
_MOST_READ = 100_000
"""Names of a folder that are looked at; of a larger one the rest is found by no search."""
router = APIRouter(prefix="/api/v1", tags=["files"])
Server = Annotated[ServerContext, Depends(context_of)]


class FileEntry(Shape):
    """What is in a folder: a name, and what the system says of it."""

    name: str
    kind: Literal["folder", "file", "link", "other"]
    """`link`: a symbolic link, which is not followed; `other`: a device, a socket or the like."""
    target: str | None = None
    """What a link says."""
    size: int | None = None
    """Bytes; of files only."""
    modified: datetime | None = None


class FolderView(Shape):
    """A folder of the machine that runs are executed on."""

    folder: str
    """Its path, with no link on the way."""
    written: str
    """The path as a graph says it: what is in the home folder begins with `~`."""
    parent: str | None
    """The folder that it is in."""
    home: str
    """The home folder of the engine's user."""
    start: str
    """The folder that the server was started in."""
    entries: list[FileEntry]
    """Folders first, by name; at most 1,000."""
    more: bool
    """There are more than that; a search finds them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wanted:
    folder: str
    search: str
    hidden: bool


@router.get("/files", responses=errors(404, 504))
async def list_files(
    server: Server,
    folder: Annotated[
        str,
        Query(max_length=4096, description="Absolute, or beginning with `~`; left out: where the server was started"),
    ] = "",
    search: Annotated[str, Query(max_length=255, description="Part of the names to list")] = "",
    hidden: Annotated[bool, Query(description="Also what begins with a dot")] = False,
) -> FolderView:
    """What is in a folder, to choose a path for a parameter: names, kinds, sizes and times.

    What belongs to the engine itself is left out: its store, vault, keys and tokens.
    """
    wanted = _Wanted(folder=folder, search=search.casefold(), hidden=hidden)
    return await server.lookups.run(actor(), lambda: _view(wanted))


def _view(wanted: _Wanted) -> FolderView:
    folder, own = _folder(wanted.folder), _own_places()
    if _is_in(folder, own):
        raise InputError(
            f"{folder} belongs to the engine itself", code="files.own", hint="Keep files of yours in another folder."
        )
    try:
        found, more = _found(folder, wanted, own)
    except NotADirectoryError:
        raise InputError(f"{folder} is no folder", code="files.not_a_folder", hint="Name a folder.") from None
    except OSError as error:
        raise _unreadable(folder, error) from None
    home = _home()
    return FolderView(
        folder=str(folder),
        written=_written(folder, home),
        parent=str(folder.parent) if folder.parent != folder else None,
        home=shown(home),
        start=str(_start()),
        entries=found,
        more=more,
    )


def _folder(text: str) -> Path:
    """The folder that is meant, with no link on the way: whether it may be shown is said of where it really is."""
    if not text:
        return _start()
    if "\0" in text:
        raise InputError("a path has no NUL in it", code="files.path", hint="Correct the path.")
    first, *rest = text.split("/", 1)
    path = _home() / "/".join(rest).lstrip("/") if first == "~" else Path(text)
    if not path.is_absolute():
        # In a graph it would begin at the own directory of each run, which is not there yet.
        raise InputError(
            f"{text} is no whole path", code="files.path", hint="Begin with `/`, or with `~/` for the home folder."
        )
    try:
        found = path.resolve(strict=True)
    except FileNotFoundError:
        raise NotFound(f"there is no folder {path}", code="files.not_found", hint="Look at the one it is in.") from None
    except NotADirectoryError:
        raise InputError(f"{path} leads through a file", code="files.not_a_folder", hint="Name a folder.") from None
    except (OSError, RuntimeError) as error:  # too long, a ring of links, no right to look
        raise _unreadable(path, error) from None
    if not _is_text(str(found)):
        raise InputError(
            f"{path} leads to {shown(found)}, a name that is not UTF-8",
            code="files.path",
            hint="Rename that folder: a graph cannot say its path.",
        )
    return found


def _found(folder: Path, wanted: _Wanted, own: frozenset[Path]) -> tuple[list[FileEntry], bool]:
    """The entries of an answer, and whether there are more. Raises `OSError`."""
    kept: list[tuple[bool, str, os.DirEntry[str]]] = []
    more = False
    left_out = {place.name for place in own if place.parent == folder}
    with os.scandir(folder) as entries:
        for number, entry in enumerate(entries):
            if number == _MOST_READ:
                more = True
                break
            if entry.name not in left_out and _fits(entry.name, wanted):
                kept.append((not entry.is_dir(follow_symlinks=False), entry.name.casefold(), entry))
    kept.sort(key=lambda one: one[:2])
    return list(_entries(entry for _, _, entry in kept[:MOST])), more or len(kept) > MOST


def _fits(name: str, wanted: _Wanted) -> bool:
    if name.startswith(".") and not wanted.hidden:
        return False
    return wanted.search in name.casefold() and _is_text(name)


def _is_text(name: str) -> bool:
    """Whether a graph can say the name: the system takes any bytes."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _entries(found: Iterator[os.DirEntry[str]]) -> Iterator[FileEntry]:
    for entry in found:
        try:
            about = entry.stat(follow_symlinks=False)
            target = str(Path(entry.path).readlink()) if entry.is_symlink() else None
        except OSError:
            continue  # it went while we looked
        kind = _kind(about.st_mode)
        yield FileEntry(
            name=entry.name,
            kind=kind,
            target=None if target is None else shown(target),
            size=about.st_size if kind == "file" else None,
            modified=_time(about.st_mtime),
        )


def _kind(mode: int) -> Literal["folder", "file", "link", "other"]:
    if stat.S_ISLNK(mode):
        return "link"
    if stat.S_ISDIR(mode):
        return "folder"
    return "file" if stat.S_ISREG(mode) else "other"


def _time(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (OverflowError, ValueError, OSError):
        return None  # a file system may say anything


def _own_places() -> frozenset[Path]:
    """Where the engine's own things are, by the paths that they have and by those that these lead to."""
    shares = shares_file(token_file(machine_file()))
    own = (*hidden_places(), shares, shares.with_suffix(".lock"))
    return frozenset(place for path in own for place in (path.absolute(), path.resolve()))


def _is_in(path: Path, places: frozenset[Path]) -> bool:
    return path in places or any(parent in places for parent in path.parents)


def _written(folder: Path, home: Path) -> str:
    if not folder.is_relative_to(home) or home.parent == home:
        return str(folder)
    return "/".join(("~", *folder.relative_to(home).parts))


def _home() -> Path:
    try:
        return Path.home().resolve()
    except RuntimeError:
        return Path("/")  # a user without one


def _start() -> Path:
    try:
        found = Path.cwd()
    except OSError:
        return _home()  # it was removed
    return found if _is_text(str(found)) else _home()


def _unreadable(folder: Path, error: OSError | RuntimeError) -> InputError:
    told = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return InputError(
        f"{folder} cannot be read: {told}",
        code="files.unreadable",
        hint="Choose another folder, or give the engine's user the right to read this one.",
    )


__all__ = ["MOST", "router"]
