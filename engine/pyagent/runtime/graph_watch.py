"""Tells when files of graphs change on disk, whoever changes them: one watcher for all who listen.

The system says that something happened in a folder; what changed is found by looking at the files. So it does not
matter how an editor writes (over the file, or a new one that takes its name), nor whether notices are joined or lost in
a flood: the next look finds all of it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pyagent.errors import GraphError, PyAgentError
from pyagent.graph.yaml import decode, read_file
from pyagent.runtime.graph_files import text_hash
from pyagent.runtime.library import BrokenFile, GraphLibrary

logger = logging.getLogger("pyagent.graphs")
_STEP = 50
"""Milliseconds without a further notice after which the files are looked at."""
_AGAIN = 0.1
"""Seconds until a watch that could not begin is tried again."""
POLL = 2.0
"""Seconds between looks where the system gives no notices."""
_DEBOUNCE = 400
"""Milliseconds after which they are looked at however many notices come."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GraphChange:
    """A graph's file is another one than before."""

    graph: str
    """Its id; of a file that is no graph, that of its name."""
    file: Path
    text_hash: str | None
    """None: the file is gone, or cannot be read."""
    kind: Literal["added", "changed", "removed"]


class GraphWatchEnded(PyAgentError):
    """The folders of graphs are no longer watched."""

    code = "graph.watch"
    hint = "Ask again; the server's output says more."


@dataclass(frozen=True, slots=True)
class _Seen:
    file: Path
    text_hash: str | None


class GraphListener:
    """One who listens. A graph that changes again before its change was taken is told once, as it is then."""

    def __init__(self) -> None:
        self._waiting: dict[str, GraphChange] = {}
        self._some = asyncio.Event()
        self._error: GraphWatchEnded | None = None

    @property
    def waiting(self) -> int:
        """How many changes wait to be taken."""
        return len(self._waiting)

    def tell(self, change: GraphChange) -> None:
        """Keep a change until it is taken."""
        before = self._waiting.pop(change.graph, None)
        known = before.kind if before else ""
        if known == "added" and change.kind == "removed":
            return
        if known == "added" and change.kind == "changed":
            change = replace(change, kind="added")
        elif known == "removed" and change.kind == "added":
            change = replace(change, kind="changed")
        self._waiting[change.graph] = change
        self._some.set()

    def end(self, error: GraphWatchEnded) -> None:
        """Nothing more will be told."""
        self._error = error
        self._some.set()

    async def take(self) -> list[GraphChange]:
        """The changes since the last time; waits until there is one. Raises `GraphWatchEnded`."""
        while not self._waiting:
            if self._error is not None:
                raise self._error
            self._some.clear()
            await self._some.wait()
        found = list(self._waiting.values())
        self._waiting.clear()
        return found


class GraphWatch:
    """The watcher of a library's folders; it watches while somebody listens."""

    def __init__(self, library: GraphLibrary) -> None:
        self._library = library
        self._listeners: set[GraphListener] = set()
        self._work: _Work | None = None

    @property
    def watching(self) -> bool:
        """Whether the folders are being watched."""
        return self._work is not None

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[GraphListener]:
        """Inside the block every change that happens from its beginning on is told.

        Raises `GraphWatchEnded` where the folders cannot be watched.
        """
        listener = GraphListener()
        self._listeners.add(listener)
        try:
            work = self._work = self._work or _Work(self._library, self._tell, self._end)
            # A shield: one reader that leaves meanwhile must not keep the others from knowing.
            await asyncio.shield(work.ready)
            yield listener
        finally:
            self._listeners.discard(listener)
            if not self._listeners and self._work is not None:
                self._work.stop.set()
                self._work = None

    def _end(self, work: _Work, error: GraphWatchEnded) -> None:
        if work is not self._work:
            # Those who listened to it have left, and others have begun anew.
            return
        # Whoever comes again begins a new watch.
        self._work = None
        for listener in self._listeners:
            listener.end(error)

    def _tell(self, changes: list[GraphChange]) -> None:
        for listener in self._listeners:
            for change in changes:
                listener.tell(change)


class _Work:
    """A thread that watches until it is told to stop."""

    def __init__(
        self,
        library: GraphLibrary,
        tell: Callable[[list[GraphChange]], None],
        end: Callable[[_Work, GraphWatchEnded], None],
    ) -> None:
        self._library = library
        self._tell = tell
        self._end = end
        self._loop = asyncio.get_running_loop()
        self._known: dict[str, _Seen] | None = None
        self._ids: dict[Path, str] = {}
        self.ready: asyncio.Future[None] = self._loop.create_future()
        """Done when the folders are watched; an error tells why they cannot be."""
        self.stop = threading.Event()
        threading.Thread(target=self._run, name="pyagent-graph-watch", daemon=True).start()

    def _run(self) -> None:
        try:
            while not self.stop.is_set():
                self._watch()
        except Exception as error:
            logger.exception("graph files are no longer watched")
            self._in_loop(self._fail, error)

    def _watch(self) -> None:
        """Watch the folders that there are until one of them comes or goes."""
        from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

        folders = [folder.absolute() for folder in self._library.folders]
        watched = _watched(folders)
        try:
            watcher = RustNotify(watched, False, False, 300, False, True)
        except FileNotFoundError:
            # One went while the watch began: the next try takes what is above it.
            self.stop.wait(_AGAIN)
            return
        except (OSError, RuntimeError, UnicodeEncodeError) as error:
            logger.warning("folders of graphs are looked at every %.0f s: %s", POLL, error)
            self._poll()
            return
        above = {str(folder) for each in folders for folder in (each, *each.parents)}
        inside = tuple(f"{folder}{os.sep}" for folder in folders)
        try:
            if _watched(folders) != watched:
                # One came while the watch began.
                return
            # Looked at when the watch has begun: what happens from now on is noticed, what happened before is seen.
            self._look()
            self._in_loop(self._begun)
            while True:
                try:
                    found = watcher.watch(_DEBOUNCE, _STEP, 0, self.stop)
                except WatchfilesRustInternalError as error:
                    # A name that is not UTF-8: what else was noticed is lost with it, so all is looked at anew.
                    logger.debug("graph files are watched anew: %s", error)
                    self.stop.wait(_DEBOUNCE / 1000)
                    return
                if isinstance(found, str):
                    self.stop.set()
                    return
                paths = [path for _, path in found]
                if any(path.startswith(inside) for path in paths):
                    self._look()
                if any(path in above for path in paths):
                    return
        finally:
            watcher.close()

    def _poll(self) -> None:
        """Look at the files again and again: the system gives no more notices, as where too many watch already."""
        self._look()
        self._in_loop(self._begun)
        while not self.stop.wait(POLL):
            self._look()

    def _look(self) -> None:
        """Look at all files, and tell what is another than at the last look."""
        now = self._seen()
        before, self._known = self._known, now
        if before is None:
            return
        changes = [
            GraphChange(graph=graph, file=seen.file, text_hash=None, kind="removed")
            for graph, seen in before.items()
            if graph not in now
        ]
        for graph, seen in now.items():
            if before.get(graph) != seen:
                kind = "changed" if graph in before else "added"
                changes.append(GraphChange(graph=graph, file=seen.file, text_hash=seen.text_hash, kind=kind))
        if changes:
            self._in_loop(self._tell, changes)

    def _seen(self) -> dict[str, _Seen]:
        found: dict[str, _Seen] = {}
        ids: dict[Path, str] = {}
        for entry in self._library.entries():
            if isinstance(entry, BrokenFile):
                # A file that is being written, or was broken by hand, is still the one of its graph.
                graph = self._ids.get(entry.path, entry.id)
                seen = _Seen(entry.path, _hash(entry.path))
            else:
                graph, seen = entry.spec.id, _Seen(entry.path, text_hash(entry.document.text))
            ids[entry.path] = graph
            found.setdefault(graph, seen)
        self._ids = ids
        return found

    def _in_loop(self, function: Callable[..., None], *arguments: Any) -> None:
        # The loop may have been closed by a server that stops: nobody is left to be told.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function, *arguments)

    def _begun(self) -> None:
        if not self.ready.done():
            self.ready.set_result(None)

    def _fail(self, error: Exception) -> None:
        ended = GraphWatchEnded(f"the folders of graphs cannot be watched: {error}")
        self._end(self, ended)
        if not self.ready.done():
            self.ready.set_exception(ended)


def _watched(folders: list[Path]) -> list[str]:
    """What to watch: the folders, and what is above them, since a folder that is made anew is another."""
    return sorted({str(_existing(folder)) for folder in (*folders, *(folder.parent for folder in folders))})


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    return next((path for path in (folder, *folder.parents) if path.is_dir()), Path("/"))


def _hash(path: Path) -> str | None:
    try:
        if not path.is_file():
            # A pipe would be waited for.
            return None
        return text_hash(decode(read_file(path)))
    except (GraphError, OSError):
        return None


__all__ = ["GraphChange", "GraphListener", "GraphWatch", "GraphWatchEnded"]
