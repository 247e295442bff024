"""Where graphs come from: YAML files in folders, and versions that the store has kept."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

from pyagent.errors import GraphError, NotFound, Where
from pyagent.graph.problems import nearest
from pyagent.graph.spec import GraphSpec
from pyagent.graph.yaml import Document, load_file, load_text, shown
from pyagent.settings import GRAPHS
from pyagent.store.base import Store

SUFFIXES = (".yaml", ".yml")
_LOOKS = 5
"""Times that folders which change meanwhile are looked through for a graph."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GraphFile:
    """A graph file of the library."""

    path: Path
    document: Document

    @property
    def spec(self) -> GraphSpec:
        return self.document.spec


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokenFile:
    """A file that should hold a graph and does not."""

    path: Path
    error: GraphError

    @property
    def id(self) -> str:
        """What the graph would be called, by the file's name."""
        return shown(self.path.stem)


def graph_folders() -> list[Path]:
    """Where graphs are looked for: the folders of PYAGENT_GRAPHS, `graphs` here, and those that come with PyAgent.

    The first two count before they exist: a server that is up sees the first graph that is put there.
    """
    own = [path for path in (*GRAPHS.paths(), Path("graphs")) if _is_folder(path) or not _exists(path)]
    return list(dict.fromkeys(path.absolute() for path in (*own, *filter(_is_folder, _ready_folders()))))


def is_ready_made(file: str | Path) -> bool:
    """Whether a graph's file came with PyAgent."""
    return Path(file).absolute().parent in _ready_folders()


def _ready_folders() -> tuple[Path, Path]:
    """Where the graphs lie that come with PyAgent: in a wheel, in a working copy."""
    package = Path(__file__).resolve().parents[1]
    return package / "ready_graphs", package.parents[1] / "graphs"


def _exists(path: Path) -> bool:
    """True also where nobody lets us look."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _is_folder(path: Path) -> bool:
    """False also where nobody lets us look."""
    try:
        return path.is_dir()
    except OSError:
        return False


class GraphLibrary:
    """Graph files in folders; earlier folders win where ids meet. For any thread."""

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        self.folders = list(folders)
        self._read: dict[Path, tuple[tuple[int, ...], GraphFile | GraphError]] = {}
        self._reading = threading.Lock()

    def files(self) -> Iterator[GraphFile]:
        """Every readable graph file, by folder and name; files that are no graphs are passed over."""
        return (found for found in self.entries() if isinstance(found, GraphFile))

    def entries(self) -> Iterator[GraphFile | BrokenFile]:
        """Every graph file, by folder and name, with those that are broken."""
        seen: set[str] = set()
        paths: set[Path] = set()
        for folder in self.folders:
            for path in sorted(folder.glob("*")) if folder.is_dir() else ():
                if path.suffix not in SUFFIXES:
                    continue
                paths.add(path)
                try:
                    found = self.read(path)
                except GraphError as error:
                    if path.stem not in seen and _exists(path):
                        yield BrokenFile(path=path, error=error)
                    continue
                if found.spec.id not in seen:
                    seen.add(found.spec.id)
                    yield found
        for path in [path for path in list(self._read) if path not in paths]:
            # What it said is some fifty times as large as the file was.
            self._read.pop(path, None)

    def read(self, path: Path) -> GraphFile:
        """One file, parsed again when it has changed. Raises `GraphError`."""
        # One at a time: of many who ask for the same file one parses it, and a thread alone is not slower than several.
        with self._reading:
            found = self._parsed(path)
        if isinstance(found, GraphError):
            raise found.with_traceback(None)
        return found

    def _parsed(self, path: Path) -> GraphFile | GraphError:
        try:
            stat = path.stat()
            if not S_ISREG(stat.st_mode):
                # A pipe in the folder would be waited for.
                return GraphError("it is no file", code="graph.file", hint="Move it.", where=Where(file=shown(path)))
            # Two writes may have the same time; a file that replaces another is another.
            changed = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
        except OSError:
            changed = ()
        known = self._read.get(path)
        if known is not None and known[0] == changed:
            return known[1]
        try:
            found = GraphFile(path=path, document=load_file(path))
        except GraphError as error:
            found = error
            if error.code == "graph.file":
                # What keeps it from being read may go without a change of the file.
                return error
        self._read[path] = (changed, found)
        return found

    def path_of(self, graph_id: str) -> Path | None:
        """Where the graph with this id is kept; of a broken file the name counts."""
        named = (folder / f"{graph_id}{suffix}" for folder in self.folders for suffix in SUFFIXES)
        for path in named:
            if _is_file(path):
                try:
                    if self.read(path).spec.id == graph_id:
                        return path
                except GraphError:
                    return path
        found = self._found(graph_id)
        return found.path if found is not None else None

    def find(self, graph_id: str) -> GraphFile | None:
        """The file of the graph with this id."""
        for folder in self.folders:
            for suffix in SUFFIXES:
                path = folder / f"{graph_id}{suffix}"
                if _is_file(path) and (found := self.read(path)).spec.id == graph_id:
                    return found
        return self._found(graph_id)

    def _found(self, graph_id: str) -> GraphFile | None:
        """The graph's file, by a look at all of them."""
        for _ in range(_LOOKS):
            before = self._times()
            found = next((file for file in self.files() if file.spec.id == graph_id), None)
            if found is not None or self._times() == before:
                return found
            # A file that got another name meanwhile may have been missed under both.
        return None

    def _times(self) -> list[int]:
        """When files last came to the folders or went."""
        found: list[int] = []
        for folder in self.folders:
            with suppress(OSError):
                found.append(folder.stat().st_mtime_ns)
        return found


async def find_graph(library: GraphLibrary, store: Store, graph_id: str) -> Document:
    """The graph with this id: its file, else the version the store kept last. Raises `NotFound` (`graph.not_found`)."""
    # A large file takes seconds to be read.
    found = await asyncio.to_thread(library.find, graph_id)
    if found is not None:
        return found.document
    try:
        return await asyncio.to_thread(load_text, (await store.latest_graph(graph_id)).text)
    except NotFound:
        folders = ", ".join(map(shown, library.folders)) or "none"
        raise NotFound(
            f"there is no graph {graph_id!r}",
            code="graph.not_found",
            hint=await asyncio.to_thread(_meant, library, graph_id)
            + f"Folders searched: {folders}. Give a path, or set PYAGENT_GRAPHS.",
        ) from None


def _is_file(path: Path) -> bool:
    # A name that is too long for the file system names none.
    with suppress(OSError):
        return path.is_file()
    return False


def _meant(library: GraphLibrary, graph_id: str) -> str:
    """What somebody may have meant by an id that no graph has."""
    for suffix in SUFFIXES:
        if _is_file(Path(f"{graph_id}{suffix}")):
            return f"For the file here write ./{graph_id}{suffix}. "
    found = nearest(graph_id, [file.spec.id for file in library.files()])
    return f"{found} " if found else ""
