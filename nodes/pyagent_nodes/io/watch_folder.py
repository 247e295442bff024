"""`io.watch_folder`: a run starts for each file that comes into a folder or changes there."""

from __future__ import annotations

import asyncio
import fnmatch
import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field, WithJsonSchema

from pyagent.sdk import Context, Item, Items, NodeError, NodeParams, Occurrence, SourceContext, node
from pyagent.sdk.fields import FOLDER, Duration

_EVERY = 5.0
"""Seconds after which the folder is looked through even if the system told of no change, as for network folders."""
_MOST = 200_000


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Patterns = Annotated[
    tuple[str, ...],
    BeforeValidator(_listed),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


class WatchFolderParams(NodeParams):
    """Parameters of `io.watch_folder`."""

    folder: Path = Field(description="The folder", examples=["~/Documents/inbox"], json_schema_extra=FOLDER)
    pattern: Patterns = Field(
        ("*",), description="Files to see, by their path below the folder", examples=["*.csv", ["*.png", "*.jpg"]]
    )
    ignore: Patterns = Field(
        (".*", "*~", "*.part", "*.tmp", "*.crdownload"),
        description="Files and folders to pass over, by their names",
    )
    recursive: bool = Field(False, description="Look into the folders inside, too")
    settle: Duration = Field(
        timedelta(seconds=1), description="A file is taken when it has stayed the same for so long: it is then complete"
    )
    existing: bool = Field(
        False, description="Take what was there when the graph was activated, too; else only what came or changed since"
    )


class _Seen(NamedTuple):
    """What tells one state of a file from another."""

    modified: int
    """Nanoseconds since 1970."""
    size: int
    changed: int
    """When it came here or changed, as the file system has it: nanoseconds since 1970."""


def _walk(folder: str, params: WatchFolderParams, below: str = "") -> Iterator[tuple[str, _Seen]]:
    """Every file of the folder that is to be seen, by its path below it."""
    with os.scandir(folder) as entries:
        for entry in entries:
            name = f"{below}{entry.name}"
            if any(fnmatch.fnmatch(entry.name, pattern) for pattern in params.ignore):
                continue
            with suppress(OSError):  # it went while we looked
                if entry.is_dir(follow_symlinks=False):
                    if params.recursive:
                        yield from _walk(entry.path, params, f"{name}/")
                elif entry.is_file() and any(fnmatch.fnmatch(name, pattern) for pattern in params.pattern):
                    stat = entry.stat()
                    yield name, _Seen(stat.st_mtime_ns, stat.st_size, stat.st_ctime_ns)


def _look(folder: Path, params: WatchFolderParams) -> dict[str, _Seen]:
    found: dict[str, _Seen] = {}
    try:
        for name, seen in _walk(str(folder), params):
            found[name] = seen
            if len(found) > _MOST:
                raise NodeError(
                    f"{folder} holds more than {_MOST} files",
                    code="node.folder_too_large",
                    hint="Watch a smaller folder, or give a narrower `pattern`.",
                )
    except OSError as error:
        raise NodeError(
            f"the folder {folder} cannot be watched: {error.strerror or error}",
            code="node.folder",
            hint="Create it, or correct `folder`; it is looked for again and again.",
        ) from None
    return found


async def occurrences(params: WatchFolderParams, ctx: SourceContext) -> AsyncIterator[Occurrence]:
    """New and changed files of the folder, once they are complete."""
    folder = params.folder.expanduser().absolute()
    settle = params.settle.total_seconds()
    since = 0 if params.existing else int(ctx.since.timestamp() * 1e9)
    news = asyncio.Event()
    stop = _listen(folder, params.recursive, asyncio.get_running_loop(), news)
    handled: dict[str, _Seen] = {}
    waiting: dict[str, tuple[_Seen, datetime]] = {}
    """Files that may still be growing, and since when they have been as they are."""
    try:
        while True:
            news.clear()
            found = await asyncio.to_thread(_look, folder, params)
            ctx.ready()
            now = ctx.now()
            handled = {name: seen for name, seen in handled.items() if name in found}
            new = {name: seen for name, seen in found.items() if handled.get(name) != seen}
            waiting = {
                name: waiting[name] if waiting.get(name, (None,))[0] == seen else (seen, now)
                for name, seen in new.items()
            }
            for name, (seen, steady) in sorted(waiting.items(), key=lambda one: (one[1][0].changed, one[0])):
                # A file that was here before we looked has been steady since it changed.
                age = max((now - steady).total_seconds(), now.timestamp() - max(seen.modified, seen.changed) / 1e9)
                if age < settle:
                    continue
                handled[name] = seen
                del waiting[name]
                key = f"{folder}/{name}|{seen.modified}|{seen.size}"
                if seen.changed >= since and not await ctx.started(key):
                    yield _occurrence(folder, name, seen, key)
            with suppress(TimeoutError):
                await asyncio.wait_for(news.wait(), max(settle / 2, 0.05) if waiting else _EVERY)
    finally:
        stop.set()


def _listen(folder: Path, recursive: bool, loop: asyncio.AbstractEventLoop, news: asyncio.Event) -> threading.Event:
    """Set `news` when the system tells of a change in the folder, until the returned event is set.

    In a thread of its own: it waits nearly always, and would hold one of a pool's for good.
    """
    stop = threading.Event()

    def watch() -> None:
        from watchfiles import watch

        # What cannot be listened to (it is gone, the system has no more watches) is looked through now and then.
        with suppress(OSError, RuntimeError):
            for _ in watch(
                folder, recursive=recursive, stop_event=stop, watch_filter=None, debounce=100, raise_interrupt=False
            ):
                loop.call_soon_threadsafe(news.set)

    threading.Thread(target=watch, name=f"watch {folder}", daemon=True).start()
    return stop


def _occurrence(folder: Path, name: str, seen: _Seen, key: str) -> Occurrence:
    at = datetime.fromtimestamp(seen.modified / 1e9, UTC)
    path = folder / name
    facts = {
        "path": str(path),
        "name": path.name,
        "folder": str(folder),
        "size": seen.size,
        "modified": at.isoformat(timespec="milliseconds"),
    }
    return Occurrence(key=key, facts=facts, at=at)


@node(
    "io.watch_folder",
    title="Watch a folder",
    icon="folder-search",
    kind="trigger",
    ports_in=(),
    effects="none",
    source=occurrences,
)
async def watch_folder(items: Items, params: WatchFolderParams, ctx: Context) -> list[Item]:
    """Start a run for each file that comes into a folder or changes there, while the graph is active.

    A run's inputs are `path`, `name`, `folder`, `size` (bytes) and `modified`, or those of them that the graph
    declares. A file is taken when it has stayed the same for `settle`. Each state of a file (path, time of change,
    size) starts one run, so a restart takes what came meanwhile and nothing else.
    """
    return [Item(dict(ctx.inputs))]
