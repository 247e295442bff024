"""Graph files are written: only over the text that the writer has seen, whole or not at all, inside the library."""

from __future__ import annotations

import asyncio
import fcntl
import glob
import os
import tempfile
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from stat import S_ISREG
from typing import Any

from pyagent.errors import GraphError, NotFound, Where
from pyagent.graph.spec import GraphSpec
from pyagent.graph.yaml import Document, decode, load_text, read_file, shown
from pyagent.native import blake3_hex
from pyagent.runtime.apart import Apart, in_thread
from pyagent.runtime.library import SUFFIXES, GraphLibrary, is_ready_made

_TRIES = 5
"""Times that a save begins anew because the file changed under it."""
BaseText = Callable[[str], Awaitable[str | None]]
"""The text with a hash, if somebody has kept it."""


class GraphConflict(GraphError):
    """The file has been changed since the text that a save is based on, in the same places."""

    code = "graph.conflict"
    hint = "Settle each conflict, and save again based on the file as it is now."


class GraphExists(GraphError):
    """There is a graph with this id already."""

    code = "graph.exists"
    hint = "Give the graph another id, or save over the one there is, based on its text."


class GraphReadOnly(GraphError):
    """The file cannot be written where it is."""

    code = "graph.read_only"


@dataclass(frozen=True, kw_only=True, slots=True)
class GraphText:
    """A graph file's text as it is, sensible or not."""

    path: Path
    text: str

    @property
    def hash(self) -> str:
        """`text_hash` of the text."""
        return text_hash(self.text)


@dataclass(frozen=True, kw_only=True, slots=True)
class Saved:
    """What a save has left in the file."""

    document: Document
    merged: bool
    """The file had been changed elsewhere: `document` holds both changes."""
    before: GraphText
    """What was in the file."""
    replaced: GraphSpec | None
    """What that said; None where it was no graph."""

    @property
    def hash(self) -> str:
        """`text_hash` of the file's text."""
        return text_hash(self.document.text)


def text_hash(text: str) -> str:
    """BLAKE3 of a file's text, to the byte: unlike the hash that runs are pinned to, comments and layout count."""
    return blake3_hex(text.encode())


def read_text(library: GraphLibrary, graph_id: str) -> GraphText:
    """The text of the graph's file, also of one that is broken. Raises `NotFound` (`graph.not_found`), `GraphError`."""
    for left in reversed(range(_TRIES)):
        path = library.path_of(graph_id)
        if path is None:
            break
        try:
            text = decode(read_file(path), shown(path))
        except GraphError:
            # It may have got another name since it was found.
            if left and not os.path.lexists(path):
                continue
            raise
        if not is_inside(library, path):
            # A link may lead to a graph elsewhere, and to nothing else that this user can read.
            load_text(text, shown(path))
        return GraphText(path=path, text=text)
    raise NotFound(
        f"there is no file of the graph {graph_id!r}",
        code="graph.not_found",
        hint=f"Folders searched: {', '.join(map(shown, library.folders)) or 'none'}.",
    )


async def save_graph(
    library: GraphLibrary,
    graph_id: str,
    text: str,
    *,
    base: str,
    base_text: BaseText | None = None,
    apart: Apart = in_thread,
) -> Saved:
    """Write a graph's file. `base` is the `text_hash` of the text that the editor started from.

    If the file has changed since, both changes are merged; `base_text` finds the text they have in common. Raises
    `GraphConflict` where they do not go together (`graph.conflict`; `details` has the texts `base`, `ours`, `theirs`,
    `with_ours` and `with_theirs`, what they say in `specs`, the `hash` of theirs, and the `conflicts`), or where their
    common text is unknown (`graph.base_unknown`); nothing is written then. Raises `NotFound`, `GraphError` for a text
    that is no graph, and `GraphReadOnly`.

    A graph that came with PyAgent is not written over: the save makes a copy of it in the library's first folder that
    can be written. That one is found first from then on.
    """
    for _ in range(_TRIES):
        current = await asyncio.to_thread(read_text, library, graph_id)
        changed = current.text != text and current.hash != base
        common = await base_text(base) if changed and base_text is not None else None
        size = len(text) + len(current.text) + len(common or "")
        saved = await apart(size, partial(_saved, graph_id, text, current, base, common))
        if saved.document.text == current.text:
            return saved
        if (written := await asyncio.to_thread(_put, library, graph_id, saved)) is not None:
            return written
    raise GraphConflict(f"the file of {graph_id} changes all the time", hint="Save again when nobody else writes it.")


def _saved(graph_id: str, text: str, current: GraphText, base: str, common: str | None) -> Saved:
    """What a save would leave in the file."""
    document = _document(graph_id, text)
    try:
        replaced = load_text(current.text).spec
    except GraphError:
        replaced = None
    merged = current.hash != base and current.text != text
    if merged:
        document = _merged(graph_id, document, current, common)
    document = replace(document, file=shown(current.path))
    return Saved(document=document, merged=merged, before=current, replaced=replaced)


def _put(library: GraphLibrary, graph_id: str, saved: Saved) -> Saved | None:
    """Write what is to be saved, and say where; None if the file has become another."""
    path = saved.before.path
    is_template = is_ready_made(path) and not _may_write(path.parent)
    if is_template and (folder := _own_folder(library)) is not None:
        own = folder / f"{graph_id}.yaml"
        with _refused(own), _locked(folder):
            _add(own, saved.document.text)
        return replace(saved, document=replace(saved.document, file=shown(own)))
    return saved if _replace(library, path, saved.document.text, saved.before.hash) else None


def create_graph(library: GraphLibrary, text: str) -> Document:
    """A new file `<id>.yaml` in the library's first folder that can be written.

    Raises `GraphError` for a text that is no graph, `GraphExists`, `GraphReadOnly`.
    """
    document = load_text(text)
    graph_id = document.spec.id
    if library.path_of(graph_id) is not None:
        raise GraphExists(f"there is a graph {graph_id!r} already")
    folder = _own_folder(library)
    if folder is None:
        raise GraphReadOnly(
            "no folder of graphs can be written", hint="Make a folder `graphs`, or name one by PYAGENT_GRAPHS."
        )
    path = folder / f"{graph_id}.yaml"
    with _refused(path), _locked(folder):
        if library.path_of(graph_id) is not None:
            # Somebody was faster, with a file of any name.
            raise GraphExists(f"there is a graph {graph_id!r} already")
        _add(path, text)
    return replace(document, file=shown(path))


def rename_graph(library: GraphLibrary, graph_id: str, name: str, *, base: str) -> Document:
    """Give the graph's file another name in its folder, if it still has the text whose `text_hash` is `base`.

    Raises `NotFound`, `GraphConflict`, `GraphExists`, `GraphReadOnly`, and `GraphError` for a name that no graph file
    has.
    """
    current = read_text(library, graph_id)
    path = current.path.with_name(name)
    if path.name != name or path.suffix not in SUFFIXES or name.startswith("."):
        raise GraphError(
            f"{name!r} names no graph file", code="graph.file", hint=f"Such a name ends with {' or '.join(SUFFIXES)}."
        )
    _target(library, current.path)
    with _refused(path), _locked(current.path.parent):
        current = _still(library, graph_id, current, base)
        if not _may_write(current.path.parent):
            raise GraphReadOnly(
                f"{current.path.parent} cannot be written",
                hint="Copy the graph into a folder of your own, named by PYAGENT_GRAPHS.",
                where=Where(file=shown(current.path)),
            )
        if path != current.path:
            try:
                # Unlike a rename, a link fails where there is a file meanwhile; of a link, the link itself is renamed.
                os.link(current.path, path, follow_symlinks=False)
            except FileExistsError:
                raise GraphExists(f"there is a file {name} already", where=Where(file=shown(path))) from None
            current.path.unlink()
    return _load(graph_id, current.text, path)


def delete_graph(library: GraphLibrary, graph_id: str, *, base: str) -> GraphText:
    """Remove the graph's file, if it still has the text whose `text_hash` is `base`; returns what it held.

    Raises `NotFound`, `GraphConflict`, `GraphReadOnly`.
    """
    current = read_text(library, graph_id)
    target = _target(library, current.path)
    with _refused(current.path), _locked(target.parent):
        current = _still(library, graph_id, current, base)
        current.path.unlink()
    return current


def _still(library: GraphLibrary, graph_id: str, seen: GraphText, base: str) -> GraphText:
    """The graph's text in the file that it was seen in, for who has locked its folder.

    Raises `GraphConflict` where it is not the one with the hash `base`, and `NotFound` where the graph has another file
    by now: the one that was seen may be another graph's.
    """
    found = read_text(library, graph_id)
    if found.hash != base:
        raise _changed(found, graph_id)
    if found.path != seen.path:
        raise _gone(seen.path)
    return found


def _merged(graph_id: str, ours: Document, theirs: GraphText, common: str | None) -> Document:
    if common is None:
        raise GraphConflict(
            f"the file of {graph_id} has been changed, and the text that you started from is not known here",
            code="graph.base_unknown",
            hint="Send the text that you started from as `base_text`, or save based on the file as it is now.",
            where=Where(file=shown(theirs.path)),
            details={"theirs": theirs.text, "hash": theirs.hash, "conflicts": []},
        )
    from pyagent.graph.merge import merge

    result = merge(common, ours.text, theirs.text)
    if result.conflicts:
        texts = {"base": common, "ours": ours.text}
        texts |= {"with_ours": result.with_ours, "with_theirs": result.with_theirs}
        specs = {name: _data(text) for name, text in (texts | {"theirs": theirs.text}).items()}
        raise _changed(theirs, graph_id, [found.as_dict() for found in result.conflicts], **texts, specs=specs)
    return _document(graph_id, result.text)


def _changed(
    theirs: GraphText, graph_id: str, conflicts: list[dict[str, Any]] | None = None, **more: Any
) -> GraphConflict:
    places = ", ".join(str(found["path"]) for found in conflicts or [])
    return GraphConflict(
        f"the file of {graph_id} has been changed since" + (f", in the same places: {places}" if places else ""),
        where=Where(file=shown(theirs.path)),
        details={"theirs": theirs.text, "hash": theirs.hash, "conflicts": conflicts or [], **more},
    )


def _data(text: str) -> dict[str, Any] | None:
    """What the text says as data; None if it is no graph."""
    try:
        return load_text(text).spec.to_data()
    except GraphError:
        return None


def _document(graph_id: str, text: str) -> Document:
    return _load(graph_id, text, None)


def _load(graph_id: str, text: str, path: Path | None) -> Document:
    document = load_text(text, shown(path) if path else None)
    if document.spec.id != graph_id:
        raise GraphError(
            f"the text is of the graph {document.spec.id!r}, not of {graph_id!r}",
            code="graph.id.changed",
            hint="A graph's id stays; to have a graph with another id, make a new one.",
            where=document.where(("id",)),
        )
    return document


def _replace(library: GraphLibrary, path: Path, text: str, expected: str) -> bool:
    """Write the text over the file if that still has the expected one."""
    try:
        target = _target(library, path)
        with _refused(path), _locked(target.parent):
            if not target.is_file() or text_hash(decode(read_file(target), shown(target))) != expected:
                return False
            Path(_written(target, text, target.stat().st_mode & 0o777)).replace(target)
            return True
    except NotFound:
        return False


def _own_folder(library: GraphLibrary) -> Path | None:
    """Where new graphs are written: the library's first folder that can be written, made where it is not there yet."""
    for folder in library.folders:
        if not folder.exists() and _may_write(folder.parent):
            with suppress(OSError):
                folder.mkdir()
        if _may_write(folder):
            return folder
    return None


def _add(path: Path, text: str) -> None:
    """Write a file where there is none, for who has locked the folder. Raises `GraphExists`."""
    written = _written(path, text, 0o644)
    try:
        # Unlike a rename, a link fails where there is a file meanwhile.
        os.link(written, path)
    except FileExistsError:
        raise GraphExists(f"there is a file {path.name} already", where=Where(file=shown(path))) from None
    finally:
        Path(written).unlink(missing_ok=True)


def _target(library: GraphLibrary, path: Path) -> Path:
    """The file that is meant: where a link leads. Raises `GraphReadOnly` if that is not in the library, `NotFound` if
    the file is gone."""
    try:
        target = path.resolve(strict=True)
        is_file = S_ISREG(target.stat().st_mode)
    except (OSError, RuntimeError) as error:
        if isinstance(error, FileNotFoundError) and not path.is_symlink():
            raise _gone(path) from None
        target, is_file = None, False
    if target is None or not is_file or not is_inside(library, target):
        raise GraphReadOnly(
            f"{path.name} is a link out of the folders of graphs",
            hint="Put the file itself into the folder.",
            where=Where(file=shown(path)),
        )
    if not _may_write(target.parent):
        raise GraphReadOnly(
            f"{path.name} comes with PyAgent or lies in a folder that cannot be written",
            hint="Copy it into a folder of your own, named by PYAGENT_GRAPHS: that copy is then found first.",
            where=Where(file=shown(path)),
        )
    return target


def is_inside(library: GraphLibrary, path: Path) -> bool:
    """Whether the file, where links lead, lies in one of the library's folders."""
    target = path.resolve()
    return any(target.is_relative_to(folder.resolve()) for folder in library.folders)


def _may_write(folder: Path) -> bool:
    # An installed package is no place for a person's work: the next update replaces it.
    return os.access(folder, os.W_OK) and folder.name != "ready_graphs"


def _written(path: Path, text: str, mode: int) -> str:
    """A new file beside `path` that holds the text, on the disk. For who has locked the folder: what lies there of
    earlier ones was left behind by a process that was killed, and goes."""
    prefix = f".{path.name}.pyagent-"
    for left in path.parent.glob(f"{glob.escape(prefix)}*"):
        left.unlink(missing_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=prefix)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return name


def _gone(path: Path) -> NotFound:
    return NotFound(
        f"the file {shown(path.name)} is gone, or has another name since",
        code="graph.not_found",
        hint="Look at the graph as it is now.",
        where=Where(file=shown(path)),
    )


@contextmanager
def _locked(folder: Path) -> Generator[None]:
    """One writer at a time in a folder, among all processes of PyAgent."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _refused(path: Path) -> Generator[None]:
    """What the system refuses, as an error of ours."""
    try:
        yield
    except FileNotFoundError:
        raise _gone(path) from None
    except OSError as error:
        raise GraphReadOnly(
            f"the file cannot be written: {error.strerror or error}",
            hint="Check the folder's permissions and the disk.",
            where=Where(file=shown(path)),
        ) from error


__all__ = [
    "GraphConflict",
    "GraphExists",
    "GraphReadOnly",
    "GraphText",
    "Saved",
    "create_graph",
    "delete_graph",
    "is_inside",
    "read_text",
    "rename_graph",
    "save_graph",
    "text_hash",
]
