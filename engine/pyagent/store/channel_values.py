"""Values of LangGraph's channels as rows: one that mostly repeats an earlier version is kept as the difference to it.

A list that grows is otherwise kept whole at each of its versions. Every difference is to a version that is kept whole,
so that one value takes two rows to read, whatever its age; when the differences have become long, the next value is
kept whole and they begin anew.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any, NamedTuple

from langgraph.checkpoint.serde.base import SerializerProtocol

from pyagent.store import codec
from pyagent.store.checkpoint_rows import CheckpointKey, CheckpointRows, ValueRow

SMALLEST = 2048
"""Bytes of a value from which a difference is looked for."""
LARGEST = 2 << 20
"""Bytes of a value up to which it is remembered."""
CAPACITY = 8 << 20
"""Bytes of values that are remembered."""
_OURS = re.compile(r"[0-9a-f]{8,}\.[0-9a-f]{10}")
"""A version that the saver made. No two values have the same, which cannot be said of those that others make."""


class _Whole(NamedTuple):
    """A value that was kept whole."""

    version: str
    content: bytes
    stored: int
    """Bytes that it takes up."""


class Prepared(NamedTuple):
    """A row, and the content that it holds."""

    row: ValueRow
    content: bytes


class ChannelValues:
    """Makes rows of values; remembers those that were kept whole last. For any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._whole: OrderedDict[tuple[str, str, str], _Whole] = OrderedDict()
        self._size = 0

    def prepare(self, thread: str, namespace: str, channel: str, version: str, content: bytes) -> Prepared:
        """The row of a value, to be checked by `rows` when it is written."""
        if not SMALLEST <= len(content) <= LARGEST or not _OURS.fullmatch(version):
            return Prepared(ValueRow(channel, version, codec.encode(content)), content)
        place = (thread, namespace, channel)
        with self._lock:
            whole = self._whole.get(place)
        stored = None
        if whole is not None and whole.version != version:
            stored = codec.encode(content, parent=whole.content)
            if codec.is_delta(stored):
                if len(stored) * 2 <= whole.stored:
                    return Prepared(ValueRow(channel, version, stored, whole.version), content)
                stored = None
        stored = stored or codec.encode(content)
        self._remember(place, _Whole(version, content, len(stored)))
        return Prepared(ValueRow(channel, version, stored), content)

    def rows(self, to: CheckpointRows, key: CheckpointKey, prepared: Sequence[Prepared]) -> list[ValueRow]:
        """The rows to write in this transaction: whole where what a difference is to is not there (any more)."""
        bases = {one.row.channel: one.row.base for one in prepared if one.row.base is not None}
        there = {(row.channel, row.version) for row in to.values(key, bases)} if bases else set[tuple[str, str]]()
        found: list[ValueRow] = []
        for row, content in prepared:
            if row.base is None or (row.channel, row.base) in there:
                found.append(row)
                continue
            with self._lock:
                gone = self._whole.pop((key.thread, key.namespace, row.channel), None)
                self._size -= len(gone.content) if gone is not None else 0
            found.append(ValueRow(row.channel, row.version, codec.encode(content)))
        return found

    def _remember(self, place: tuple[str, str, str], whole: _Whole) -> None:
        with self._lock:
            before = self._whole.pop(place, None)
            self._whole[place] = whole
            self._size += len(whole.content) - (len(before.content) if before is not None else 0)
            while self._size > CAPACITY:
                _, gone = self._whole.popitem(last=False)
                self._size -= len(gone.content)


def contents(of: CheckpointRows, key: CheckpointKey, versions: Mapping[str, object]) -> dict[str, bytes]:
    """The content of the channels at these versions, as it was prepared."""
    found = of.values(key, versions)
    bases = {row.channel: row.base for row in found if row.base is not None}
    parents = {row.channel: codec.decode(row.value) for row in of.values(key, bases)} if bases else {}
    return {
        row.channel: codec.decode(row.value, parent=parents.get(row.channel) if row.base is not None else None)
        for row in found
    }


def flat(serde: SerializerProtocol, value: object) -> bytes:
    """A value as bytes: its kind, a zero byte and what the serializer gives."""
    kind, data = serde.dumps_typed(value)
    return kind.encode() + b"\x00" + data


def value_of(serde: SerializerProtocol, content: bytes) -> Any:
    """What `flat` was given."""
    kind, _, data = content.partition(b"\x00")
    return serde.loads_typed((kind.decode(), data))
