"""Bytes to values: no function is called that the bytes could choose."""

from __future__ import annotations

import dataclasses
import ipaddress
import pathlib
import re
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any, cast
from uuid import UUID
from zoneinfo import ZoneInfo

import ormsgpack
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from pydantic import BaseModel

from pyagent.errors import StoreError
from pyagent.store.typed import codes


class Unpacking:
    """One value being unpacked; remembers what was wrong, which the unpacker's own error does not say."""

    def __init__(self) -> None:
        self._wrong: StoreError | None = None

    def unpack(self, content: bytes) -> Any:
        """The value. Raises `StoreError`: `store.type_unknown` for a class that is not there or not as it was,
        `store.codec` for damaged bytes."""
        try:
            return ormsgpack.unpackb(content, ext_hook=self._read)
        except (ValueError, TypeError) as error:
            raise self._wrong or _damaged(str(error)) from error

    def _read(self, code: int, content: bytes) -> Any:
        try:
            reader = _READERS.get(code)
            if reader is None:
                raise StoreError(
                    f"A value in a checkpoint is of the kind {code}, which this version does not know.",
                    code="store.codec",
                    hint="A newer PyAgent has written it: upgrade this one.",
                )
            return reader(self.unpack(content))
        except StoreError as error:
            self._wrong = self._wrong or error
            raise
        except Exception as error:  # whatever a class makes of fields that are not its own
            self._wrong = self._wrong or _damaged(f"{type(error).__name__}: {error}")
            raise


def _damaged(why: str) -> StoreError:
    return StoreError(
        f"A value in a checkpoint is damaged: {why}.",
        code="store.codec",
        hint="Restore the store from a backup; `pyagent doctor` checks the whole of it.",
    )


def _read_moment(value: Any) -> datetime:
    if isinstance(value, str):
        return datetime.fromisoformat(value)
    text, fold, zone = value
    return datetime.fromisoformat(text).replace(fold=fold, tzinfo=zone)


def _read_offset(value: Any) -> timezone:
    days, seconds, microseconds, name = value
    span = timedelta(days, seconds, microseconds)
    return timezone(span) if name is None else timezone(span, name)


def _read_enum(value: Any) -> Any:
    place, by_name, given = value
    kind = codes.class_at(place, Enum)
    try:
        return kind[given] if by_name else kind(given)
    except (KeyError, ValueError):
        raise codes.changed(place, f"has no member {given!r} any more") from None


def _read_dataclass(value: Any) -> Any:
    place, given = value
    kind = codes.class_at(place, None)
    if not dataclasses.is_dataclass(kind):
        raise codes.changed(place, "is no dataclass any more")
    made = cast("Any", object).__new__(kind)
    for field in dataclasses.fields(kind):
        if field.name in given:
            found = given[field.name]
        elif field.default is not dataclasses.MISSING:
            found = field.default
        elif field.default_factory is not dataclasses.MISSING:
            found = field.default_factory()
        else:
            raise codes.changed(place, f"has a field {field.name} now, which has no default")
        object.__setattr__(made, field.name, found)
    return made


def _read_named_tuple(value: Any) -> Any:
    place, given = value
    kind = codes.class_at(place, tuple)
    make = cast("Any", tuple).__new__
    if len(getattr(kind, "_fields", ())) != len(given):
        raise codes.changed(place, "has other fields now")
    return make(kind, given)


def _read_model(value: Any) -> Any:
    place, fields, named, extra = value
    kind = codes.class_at(place, BaseModel)
    said = set(fields if named is None else named)
    if kind.model_fields.keys() != fields.keys() or kind.__private_attributes__:
        try:  # another version of the class: new fields get their defaults, or it says what it lacks
            missing = kind.model_fields.keys() - fields.keys()
            return _validated(kind, fields, extra) if missing else kind.model_construct(said, **fields, **(extra or {}))
        except ValueError as error:
            raise codes.changed(place, f"has other fields now: {error}") from error
    made = kind.__new__(kind)
    object.__setattr__(made, "__dict__", fields)
    object.__setattr__(made, "__pydantic_fields_set__", said)
    object.__setattr__(made, "__pydantic_extra__", (extra or {}) if kind.model_config.get("extra") == "allow" else None)
    object.__setattr__(made, "__pydantic_private__", None)
    return made


def _validated(kind: Any, fields: Mapping[str, Any], extra: Mapping[str, Any] | None) -> Any:
    by_alias = {kind.model_fields[name].alias or name: one for name, one in fields.items() if name in kind.model_fields}
    return kind.model_validate({**by_alias, **(extra or {})})


def _read_secret(value: Any) -> Any:
    place, given = value
    kind = codes.class_at(place, None)
    if not callable(getattr(kind, "get_secret_value", None)):
        raise codes.changed(place, "is no secret any more")
    return kind(given)


def _read_send(value: Any) -> Any:
    from langgraph.types import Send

    return Send(value[0], value[1]) if len(value) == 2 else Send(value[0], value[1], timeout=value[2])


def _read_subclass(value: Any) -> Any:
    place, plain, more = value
    kind = codes.class_at(place, codes.BASES)
    base = codes.base_of(kind)
    if issubclass(kind, (str, int, float, bytes, frozenset)):
        made = base.__new__(kind, plain)
    else:  # made empty, then filled past methods of its own
        made = kind.__new__(kind)
        _fill(OrderedDict if issubclass(kind, OrderedDict) else base, made, plain)
    if issubclass(kind, defaultdict):
        made.default_factory = None if more is None else codes.class_at(more, None)
    elif more is not None:
        made.__dict__.update(more)
    return made


def _fill(base: Any, made: Any, plain: Any) -> None:
    getattr(base, "extend" if base is list else "update")(made, plain)


def _read_array(value: Any) -> Any:
    import numpy

    dtype, shape, order, content = value
    return numpy.frombuffer(bytearray(content), dtype=_read_dtype(dtype)).reshape(shape, order=order)


def _read_scalar(value: Any) -> Any:
    import numpy

    return numpy.frombuffer(value[1], dtype=_read_dtype(value[0]))[0]


def _read_dtype(given: Any) -> Any:
    import numpy

    if isinstance(given, str):
        return numpy.dtype(given)
    return numpy.dtype([(name, _field_type(one[0]), *map(tuple, one[1:])) for name, *one in given])


def _field_type(given: Any) -> Any:
    return given if isinstance(given, str) else _read_dtype(given)


_PATHS: dict[str, type[pathlib.PurePath]] = {
    name: getattr(pathlib, name) for name in ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")
}


def _read_path(value: Any) -> pathlib.PurePath:
    name, text = value
    try:
        return _PATHS[name](text)
    except NotImplementedError:  # a path of the other system
        return _PATHS[f"Pure{name}"](text)


_STRICT = JsonPlusSerializer(pickle_fallback=False, allowed_msgpack_modules=None)
"""Makes objects of the few types alone that LangGraph says are safe."""
_READERS: dict[int, Callable[[Any], Any]] = {
    codes.TUPLE: tuple,
    codes.SET: set,
    codes.FROZENSET: frozenset,
    codes.DEQUE: lambda value: deque(value[1], value[0]),
    codes.INTEGER: lambda value: int(value, 16),
    codes.DECIMAL: Decimal,
    codes.UUID: lambda value: UUID(bytes=value),
    codes.COMPLEX: lambda value: complex(*value),
    codes.RANGE: lambda value: range(*value),
    codes.MOMENT: _read_moment,
    codes.DATE: date.fromisoformat,
    codes.TIME: lambda value: time.fromisoformat(value[0]).replace(fold=value[1], tzinfo=value[2]),
    codes.SPAN: lambda value: timedelta(*value),
    codes.OFFSET: _read_offset,
    codes.ZONE: ZoneInfo,
    codes.PATH: _read_path,
    codes.PATTERN: lambda value: re.compile(*value),
    codes.ADDRESS: lambda value: getattr(ipaddress, value[0])(value[1]),
    codes.ENUM: _read_enum,
    codes.DATACLASS: _read_dataclass,
    codes.NAMED_TUPLE: _read_named_tuple,
    codes.MODEL: _read_model,
    codes.SECRET: _read_secret,
    codes.SEND: _read_send,
    codes.SUBCLASS: _read_subclass,
    codes.ARRAY: _read_array,
    codes.SCALAR: _read_scalar,
    codes.PAIRS: lambda value: {key: one for key, one in value},  # noqa: C416 - the keys may be lists' tuples
    codes.TEXT: lambda value: value.decode("utf-8", "surrogatepass"),
    codes.LANGGRAPH: lambda value: _STRICT.loads_typed((value[0], value[1])),
}
