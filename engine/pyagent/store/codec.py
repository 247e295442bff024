"""How payloads lie in a store: one tag byte that names the encoding, then the encoded bytes.

Compression is here today; encryption will be another tag. Every payload column passes through, so that a new encoding
needs no change of schema and old payloads stay readable.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from typing import Any, cast

import orjson
import zstandard

from pyagent.errors import StoreError

PLAIN = b"\x00"
ZSTD = b"\x01"
LEVEL = 3
THRESHOLD = 512
"""Bytes below which compressing costs more than it saves."""
_SLOW = b" "
"""Begins JSON that orjson would read wrongly: it makes a float of a large integer."""


class _Compressors(threading.local):
    """Reused contexts (half the cost of fresh ones); they must not be shared between threads."""

    def __init__(self) -> None:
        self.compress = zstandard.ZstdCompressor(level=LEVEL).compress
        self.decompress = zstandard.ZstdDecompressor().decompress


_zstd = _Compressors()


def encode(payload: bytes) -> bytes:
    """The payload with its tag; compressed if it is large and gets smaller by it."""
    if len(payload) >= THRESHOLD:
        packed = _zstd.compress(payload)
        if len(packed) < len(payload):
            return ZSTD + packed
    return PLAIN + payload


def decode(stored: bytes) -> bytes:
    """What `encode` was given. Raises `StoreError` `store.codec` for an unknown tag or damaged bytes."""
    tag = stored[:1]
    if tag == PLAIN:
        return stored[1:]
    if tag == ZSTD:
        try:
            return _zstd.decompress(stored[1:])
        except zstandard.ZstdError as error:
            raise StoreError(
                f"A payload in the store is damaged: {error}.",
                code="store.codec",
                hint="Restore the store from a backup; `pyagent doctor` checks the whole of it.",
            ) from error
    raise StoreError(
        f"A payload in the store has the unknown encoding {tag.hex() or 'nothing'}.",
        code="store.codec",
        hint="A newer PyAgent has written it: upgrade this one.",
    )


def _as_json(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(cast("Mapping[Any, Any]", value))
    raise TypeError(f"{type(value).__name__} is not JSON")


def _text(value: object) -> bytes:
    """JSON. Raises `StoreError` `store.not_json`."""
    try:
        return orjson.dumps(value, default=_as_json)
    except TypeError:
        # orjson has no integers beyond 64 bits, no lone surrogates and no keys but strings; the slow encoder does.
        try:
            return _SLOW + json.dumps(value, default=_as_json, separators=(",", ":")).encode()
        except (TypeError, ValueError) as error:
            raise StoreError(
                f"What is to be kept is not JSON: {error}.",
                code="store.not_json",
                hint="Use only objects, lists, strings, numbers, booleans and null.",
            ) from error


def _value(text: bytes) -> Any:
    return json.loads(text) if text.startswith(_SLOW) else orjson.loads(text)


def encode_json(value: Mapping[str, Any]) -> bytes:
    """A JSON object, encoded. Raises `StoreError` `store.not_json` for values that JSON cannot hold."""
    return encode(_text(value))


def decode_json(stored: bytes) -> dict[str, Any]:
    """What `encode_json` was given."""
    return _value(decode(stored))


def rows_text(rows: Sequence[Sequence[object]]) -> bytes:
    """A table of JSON values, not encoded yet. Raises `StoreError` `store.not_json`."""
    try:
        return orjson.dumps(rows, default=_as_json)
    except TypeError:  # each row by itself, so that what a row may hold does not depend on its neighbours
        return _SLOW + b"[" + b",".join(_text(row) for row in rows) + b"]"


def rows_of(text: bytes) -> list[list[Any]]:
    """What `rows_text` was given."""
    return _value(text)
