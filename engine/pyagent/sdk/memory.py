"""Memories: documents that are found by words, by nearness of vectors, by tags, time and links.

An index is a folder of files (`pyagent_core.MemoryIndex`): what was acknowledged survives a crash, one writer at a time
and any number of readers share it, in as many processes as there are, and each search sees one state of it. Nothing
here runs on the event loop: the compiled part works in a thread, without Python's lock.
"""

from __future__ import annotations

import asyncio
import re
import sys
from array import array
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import orjson

from pyagent import native
from pyagent.errors import InputError, NotFound, StoreError
from pyagent.sdk.places import private_folder
from pyagent.settings import MEMORY, data_folder

WRITE_WAIT = 30.0
"""Seconds for which a write waits for other writers."""
NAME = r"[a-z0-9][a-z0-9_-]{0,63}"
"""What an index may be called."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_open: dict[Path, MemoryIndex] = {}


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """What an index holds under an id."""

    id: str
    """Its name; a memory that is put in under the same one takes its place."""
    text: str = ""
    """What is searched by words."""
    tags: Sequence[str] = ()
    """Words to filter by."""
    time: datetime = _EPOCH
    """A time to filter by, to the millisecond; without a zone: UTC."""
    links: Sequence[str] = ()
    """Ids of memories that it points to, whether they are there or not."""
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """JSON that is handed back as it is."""
    vector: bytes | Sequence[float] | None = None
    """What is searched by nearness: numbers, or little-endian 32-bit floats as bytes; kept with length 1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryFilter:
    """Which memories count; what is left out does not matter."""

    tags: Sequence[str] = ()
    """Tags that a memory must have, all of them."""
    any_tags: Sequence[str] = ()
    """Tags of which it must have at least one."""
    without_tags: Sequence[str] = ()
    """Tags that it must not have."""
    since: datetime | None = None
    """The earliest time, itself included."""
    before: datetime | None = None
    """The time before which it must be."""
    near: Sequence[str] = ()
    """It is one of these ids, or links lead there from one of them, either way."""
    steps: int = 1
    """With `near`: how many links may be followed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryHit:
    """A memory that was found."""

    memory: Memory
    """Without its vector."""
    score: float
    """What it is ranked by: BM25, cosine similarity, the fused score of both; without either its time."""
    text_score: float | None
    """Its BM25 score, if it is among the best by words."""
    vector_score: float | None
    """Its cosine similarity, if it is among the nearest."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryStats:
    """What an index is made of."""

    memories: int
    width: int
    """The length of the vectors, 0 as long as there is none."""
    segments: int
    bytes: int
    """Of all files."""
    in_log: int
    """Memories that are in the log only."""


def memory_folder(name: str, folder: Path | None = None) -> Path:
    """Where the index of that name lies: in `folder`, else in that of PYAGENT_MEMORY, else in the user's data folder.

    Raises `InputError` (`memory.name`).
    """
    if not re.fullmatch(NAME, name):
        raise InputError(
            f"{name!r} is no name of an index",
            code="memory.name",
            hint="Use up to 64 lower-case letters, digits, `-` and `_`, a letter or digit first.",
        )
    return (folder or MEMORY.path() or data_folder() / "pyagent" / "memory") / name


def vector_bytes(vector: bytes | Sequence[float]) -> bytes:
    """A vector as little-endian 32-bit floats. Raises `InputError` (`memory.invalid`)."""
    if isinstance(vector, bytes):
        return vector
    try:
        numbers = array("f", vector)
    except (TypeError, OverflowError) as error:
        raise InputError(
            f"a vector is a list of numbers: {error}", code="memory.invalid", hint="Give what an embedding model gave."
        ) from None
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def vector_numbers(vector: bytes) -> list[float]:
    """The numbers of a vector. Raises `ValueError` if the bytes are not made of 32-bit floats."""
    numbers = array("f")
    numbers.frombytes(vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()


class MemoryIndex:
    """A handle on an index, for all tasks and threads. Every method may raise `StoreError` (`memory.*`)."""

    def __init__(self, folder: Path, core: native.MemoryIndex) -> None:
        self.folder = folder
        """Where it lies."""
        self._core = core

    @classmethod
    async def open(cls, folder: Path, *, create: bool = True) -> MemoryIndex:
        """The index in a folder, begun there if it is missing and `create`; one handle a process.

        Raises `NotFound` (`memory.not_found`).
        """
        return await asyncio.to_thread(cls._open, folder.absolute(), create)

    @classmethod
    def _open(cls, folder: Path, create: bool) -> MemoryIndex:
        known = _open.get(folder)
        if known is not None and (folder / "manifest").is_file():
            return known
        if create:
            with suppress(OSError):  # whatever stops this stops the index, which says why
                private_folder(folder)
        try:
            found = cls(folder, native.MemoryIndex(folder, create=create))
        except native.MemoryIndexError as error:
            _open.pop(folder, None)
            raise _said(error, folder) from None
        _open[folder] = found
        return found

    async def upsert(self, memories: Iterable[Memory], *, wait: float = WRITE_WAIT) -> None:
        """Put memories in, all or none, for good when this returns. Of those with one id the last counts.

        Waits `wait` seconds for other writers, then raises `StoreError` (`memory.locked`). The first vector decides
        how long all are. Raises `InputError` (`memory.invalid`).
        """
        await self._call(lambda: self._core.commit([_given(memory) for memory in memories], [], wait=wait))

    async def delete(self, ids: Iterable[str], *, wait: float = WRITE_WAIT) -> int:
        """Take memories out; how many were there. Waits as `upsert` does."""
        return await self._call(lambda: self._core.commit([], list(ids), wait=wait))

    async def search(
        self,
        text: str = "",
        *,
        vector: bytes | Sequence[float] | None = None,
        limit: int = 10,
        filter: MemoryFilter | None = None,
        text_weight: float = 1.0,
        vector_weight: float = 1.0,
        depth: int = 0,
    ) -> list[MemoryHit]:
        """The best memories, best first, equal ones by id.

        Words rank by BM25, a vector by cosine similarity, both together by reciprocal rank fusion of the `depth` best
        of each (0: as many as serve) with these weights; with neither, the newest come first. Raises `InputError`.
        """
        wanted = filter or MemoryFilter()
        asked = None if vector is None else vector_bytes(vector)
        near = (list(wanted.near), wanted.steps) if wanted.near else None
        since, before = (None if at is None else _milliseconds(at) for at in (wanted.since, wanted.before))
        tags = (list(wanted.tags), list(wanted.any_tags), list(wanted.without_tags))
        found = await self._call(
            lambda: self._core.search(
                text, asked, limit, depth, (text_weight, vector_weight), (*tags, since, before, near)
            )
        )
        return [
            MemoryHit(memory=_memory(parts), score=score, text_score=by_words, vector_score=by_nearness)
            for parts, score, by_words, by_nearness in found
        ]

    async def get(self, ids: Sequence[str]) -> list[Memory | None]:
        """The memories with these ids, with their vectors (of length 1, as bytes); None for what is not there."""
        found = await self._call(lambda: self._core.get(list(ids)))
        return [None if each is None else _memory(each[0], each[1]) for each in found]

    async def neighbours(self, ids: Sequence[str], *, steps: int = 1, limit: int = 100) -> list[tuple[Memory, int]]:
        """Memories that links lead to from these ids, either way, with the number of links; nearest first."""
        found = await self._call(lambda: self._core.neighbours(list(ids), steps, limit))
        return [(_memory(parts), step) for parts, step in found]

    async def snapshot(self, target: Path, *, wait: float = WRITE_WAIT) -> None:
        """Copy the index as it is now into a folder that is not there yet: an index of its own."""
        await self._call(lambda: self._core.snapshot(target, wait=wait))

    async def compact(self, *, wait: float = WRITE_WAIT) -> None:
        """Put everything into one segment and let go of what was deleted or replaced."""
        await self._call(lambda: self._core.compact(wait=wait))

    async def verify(self) -> None:
        """Read all files and compare their checksums. Raises `StoreError` (`memory.corrupt`)."""
        await self._call(self._core.verify)

    async def stats(self) -> MemoryStats:
        """Sizes."""
        memories, width, segments, size, in_log = await self._call(self._core.stats)
        return MemoryStats(memories=memories, width=width, segments=segments, bytes=size, in_log=in_log)

    async def _call(self, work: Any) -> Any:
        try:
            return await asyncio.to_thread(work)
        except native.MemoryIndexError as error:
            raise _said(error, self.folder) from None


def _given(memory: Memory) -> tuple[str, str, list[str], int, list[str], bytes, bytes | None]:
    vector = None if memory.vector is None else vector_bytes(memory.vector)
    try:
        data = orjson.dumps(memory.data) if memory.data else b""
    except TypeError as error:
        raise InputError(
            f"the data of {memory.id!r} is not JSON: {error}", code="memory.invalid", hint="Give JSON values only."
        ) from None
    return memory.id, memory.text, list(memory.tags), _milliseconds(memory.time), list(memory.links), data, vector


def _memory(parts: tuple[str, str, list[str], int, list[str], bytes], vector: bytes | None = None) -> Memory:
    id, text, tags, time, links, data = parts
    return Memory(
        id=id,
        text=text,
        tags=tags,
        time=_EPOCH + time * _MILLISECOND,
        links=links,
        data=cast("dict[str, Any]", orjson.loads(data)) if data else {},
        vector=vector,
    )


def _milliseconds(time: datetime) -> int:
    return ((time if time.tzinfo else time.replace(tzinfo=UTC)) - _EPOCH) // _MILLISECOND


def _said(error: native.MemoryIndexError, folder: Path) -> InputError | NotFound | StoreError:
    kind, message = error.args
    if kind == "invalid":
        return InputError(
            message,
            code="memory.invalid",
            hint="All vectors of an index come from one model; they are no zero vectors.",
        )
    if kind == "missing":
        return NotFound(
            f"there is no index in {folder}", code="memory.not_found", hint="Put something in first, or name another."
        )
    if kind == "locked":
        return StoreError(
            f"another writer holds the index in {folder}", code="memory.locked", hint="Try again when it has ended."
        )
    if kind == "corrupt":
        return StoreError(
            f"{folder}: {message}", code="memory.corrupt", hint="Restore a snapshot, or build the index anew."
        )
    return StoreError(message, code="memory.failed", hint="Look at the folder, its rights and the disk's space.")
