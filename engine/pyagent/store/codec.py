"""How payloads lie in a store: values as JSON, then whatever the compiled codec makes of the bytes, sealed where the
setting asks for it (`store.sealing`).

The envelope (`rust_core/crates/codec`) names its version, so that a new one needs no change of schema and old payloads
stay readable for ever.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

import orjson

from pyagent.errors import StoreError
from pyagent.native import CodecError, codec_describe, codec_pack, codec_pack_with, codec_unpack, codec_unpack_with
from pyagent.store import sealing
from pyagent.store.sealing import StoreSealed

LARGEST = 1 << 30
"""Bytes that a payload may have; what says to be larger is refused before it takes memory."""
_SLOW = b" "
"""Begins JSON that orjson would read wrongly: it makes a float of a large integer."""


def encode(payload: bytes, *, parent: bytes | None = None) -> bytes:
    """The payload in its envelope, compressed if it gets smaller by it.

    `parent`: a payload that this one repeats in large part; `decode` needs it, too. Raises `StoreError`
    `store.too_large`, `StoreSealed`.
    """
    seal = sealing.writer()
    try:
        if seal is not None:
            return seal.pack(payload, parent)
        return codec_pack(payload) if parent is None else codec_pack_with(payload, parent, None)
    except CodecError as error:
        raise _of(error) from error


def decode(stored: bytes, *, parent: bytes | None = None, limit: int = LARGEST) -> bytes:
    """What `encode` was given, of at most `limit` bytes.

    Raises `StoreError`: `store.codec` for an unknown version or damaged bytes, `store.too_large`; and `StoreSealed`.
    """
    seal = sealing.opened()
    try:
        if seal is None and is_sealed(stored):
            seal = sealing.reader()
        if seal is not None:
            return seal.unpack(stored, limit, parent)
        return codec_unpack(stored, limit) if parent is None else codec_unpack_with(stored, limit, parent, None)
    except CodecError as error:
        raise _of(error) from error


def is_sealed(stored: bytes) -> bool:
    """Whether a payload needs the vault to be read."""
    # An envelope's first bytes: its form and its flags (`rust_core/crates/codec`).
    return stored[:1] == b"\x03" and len(stored) > 1 and bool(stored[1] & 8)


def is_delta(stored: bytes) -> bool:
    """Whether a payload needs a parent to be read."""
    return codec_describe(stored)[3] is not None


def _of(error: CodecError) -> StoreError:
    kind, message = error.args
    if kind == "too_large":
        return StoreError(
            f"A payload is too large for the store: {message}.",
            code="store.too_large",
            hint="Keep large data as files (blobs), and lists in parts; a stored payload of this kind is damaged.",
        )
    if kind == "key":
        return StoreSealed(
            f"A payload in the store does not open: {message}.",
            hint="Another vault has sealed it, or this one's file is older than it: PYAGENT_VAULT names the file.",
        )
    if kind == "unknown":
        return StoreError(
            f"A payload in the store cannot be read: {message}.",
            code="store.codec",
            hint="A newer PyAgent has written it: upgrade this one.",
        )
    return StoreError(
        f"A payload in the store is damaged: {message}.",
        code="store.codec",
        hint="Restore the store from a backup; `pyagent doctor` checks the whole of it.",
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
