"""Python values as bytes and back with their types, without pickle: what LangGraph puts into checkpoints.

Messages and other pydantic models, interrupts and other dataclasses, named tuples, enums, dates, numbers of all kinds,
sets, tuples, paths, numpy arrays come back as what they were. A type that would not is refused by its name when it is
written, not when it is read. Reading calls no function that the bytes could choose: classes are looked up by name, and
objects made of their fields.

The bytes are MessagePack with extension types, whose numbers (`codes`) are never given to anything else.
"""

from __future__ import annotations

from typing import Any, cast

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from pyagent.store.typed.reading import Unpacking
from pyagent.store.typed.writing import Packing

__all__ = ["KIND", "TypedSerializer"]

KIND = "typed1"
"""Names the encoding beside LangGraph's own kinds."""


class TypedSerializer:
    """LangGraph's serializer protocol. Reads all that LangGraph's own serializer wrote, too."""

    def __init__(self) -> None:
        self._langgraph = JsonPlusSerializer(pickle_fallback=False)

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """Kind and bytes. Raises `StoreError` `store.type_unknown` for what could not be read again."""
        if obj is None:
            return "null", b""
        kind = cast("type[Any]", type(obj))
        if kind is bytes:
            return "bytes", obj
        if kind is bytearray:
            return "bytearray", bytes(obj)
        return KIND, Packing().pack(obj)

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """The value. Raises `StoreError` `store.type_unknown` for a class that is not there, or is another now."""
        kind, content = data
        if kind == KIND:
            return Unpacking().unpack(content)
        return self._langgraph.loads_typed(data)
