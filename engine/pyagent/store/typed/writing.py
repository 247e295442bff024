"""Values to bytes."""

from __future__ import annotations

import dataclasses
import ipaddress
import pathlib
import re
import sys
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta, timezone, tzinfo
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

_OPTIONS = (
    ormsgpack.OPT_PASSTHROUGH_BIG_INT
    | ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_SUBCLASS
    | ormsgpack.OPT_PASSTHROUGH_TUPLE
    | ormsgpack.OPT_PASSTHROUGH_UUID
)


class Packing:
    """One value being packed; remembers why it was refused, which the packer's own error does not say."""

    def __init__(self) -> None:
        self._refused: StoreError | None = None

    def pack(self, value: Any) -> bytes:
        """The value. Raises `StoreError` `store.type_unknown`."""
        try:
            return ormsgpack.packb(value, default=self._other, option=_OPTIONS)
        except TypeError as error:
            if self._refused is not None:
                raise self._refused from None
            try:  # keys that are no text, text that is not Unicode: rare, and the packer cannot tell us where
                return ormsgpack.packb(_prepared(value), default=self._other, option=_OPTIONS)
            except (TypeError, RecursionError) as again:
                raise self._refused or codes.refused("", str(again)) from error

    def _other(self, value: Any) -> Any:
        if self._refused is not None:
            raise self._refused
        try:
            kind = cast("type[Any]", type(value))
            found = _PACKERS.get(kind)
            if found is None:
                found = _packer_of(value)
            code, content = found(value)
            return code if content is _AS_IS else ormsgpack.Ext(code, self.pack(content))
        except StoreError as error:
            self._refused = error
            raise
        except RecursionError:
            self._refused = codes.refused("", "it contains itself, or is nested too deeply")
            raise


class _Pairs:
    """A dictionary whose keys are not all text."""

    def __init__(self, value: Mapping[Any, Any]) -> None:
        self.pairs = [[_prepared(key), _prepared(one)] for key, one in value.items()]


class _Text(str):
    """Text with lone surrogates."""

    __slots__ = ()


def _is_text(value: Any) -> bool:
    if type(value) is not str:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _prepared(value: Any) -> Any:
    """The value with such dictionaries and texts marked; objects are prepared when they are packed."""
    if type(value) is dict:
        found = cast("dict[Any, Any]", value)
        if all(_is_text(key) for key in found):
            return {key: _prepared(one) for key, one in found.items()}
        return _Pairs(found)
    if type(value) is list:
        return [_prepared(one) for one in cast("list[Any]", value)]
    return _Text(value) if type(value) is str and not _is_text(value) else value


_AS_IS: Any = object()
"""Says that what stands before it is packed instead."""


def _moment(value: datetime) -> tuple[int, Any]:
    zone = value.tzinfo
    if value.fold == 0 and (zone is None or zone is timezone.utc):  # noqa: UP017 - the singleton itself
        return codes.MOMENT, value.isoformat()
    return codes.MOMENT, [value.replace(tzinfo=None).isoformat(), value.fold, _zone(zone, value)]


def _time(value: time) -> tuple[int, Any]:
    return codes.TIME, [value.replace(tzinfo=None).isoformat(), value.fold, _zone(value.tzinfo, None)]


def _zone(zone: tzinfo | None, at: datetime | None) -> Any:
    """A zone that we can write; of others the offset at that time is kept."""
    if zone is None or isinstance(zone, (timezone, ZoneInfo)):
        return zone
    offset = zone.utcoffset(at)
    return None if offset is None else timezone(offset)


def _offset(value: timezone) -> tuple[int, Any]:
    span = value.utcoffset(None)
    name = value.tzname(None)
    return codes.OFFSET, [
        span.days,
        span.seconds,
        span.microseconds,
        None if name == timezone(span).tzname(None) else name,
    ]


def _zone_name(value: ZoneInfo) -> tuple[int, Any]:
    if not value.key:
        raise codes.refused("zoneinfo.ZoneInfo", "it has no name to be found by")
    return codes.ZONE, value.key


def _enum(value: Enum) -> tuple[int, Any]:
    kind = type(value)
    if kind.__members__.get(value.name) is value:
        return codes.ENUM, [codes.place_of(kind), True, value.name]
    return codes.ENUM, [codes.place_of(kind), False, value.value]


def _dataclass(value: Any) -> tuple[int, Any]:
    names = (field.name for field in dataclasses.fields(value))
    return codes.DATACLASS, [
        codes.place_of(type(value)),
        {name: getattr(value, name) for name in names if hasattr(value, name)},
    ]


def _model(value: BaseModel) -> tuple[int, Any]:
    kind = type(value)
    known = kind.model_fields
    # What is no field (a cached property) is made again.
    fields = {name: one for name, one in value.__dict__.items() if name in known}
    said = value.model_fields_set
    named = None if said == fields.keys() else sorted(said)
    return codes.MODEL, [codes.place_of(kind), fields, named, value.model_extra or None]


_SETS: Any = (set, frozenset)


def _subclass(value: Any) -> tuple[int, Any]:
    kind = cast("type[Any]", type(value))
    base = codes.base_of(kind)
    more: Any = dict(getattr(value, "__dict__", {})) or None
    if isinstance(value, defaultdict):
        factory = cast("defaultdict[Any, Any]", value).default_factory
        if factory is not None and not isinstance(factory, type):
            raise codes.refused("collections.defaultdict", "its factory is a function, which cannot be kept")
        more = None if factory is None else codes.place_of(cast("type[Any]", factory))
    plain: Any = base(value) if base not in _SETS else [*value]
    return codes.SUBCLASS, [codes.place_of(kind), plain, more]


def _array(value: Any) -> tuple[int, Any]:
    if value.dtype.hasobject:
        raise codes.refused("numpy.ndarray", "its elements are Python objects")
    order = "F" if value.flags.f_contiguous and not value.flags.c_contiguous else "C"
    return codes.ARRAY, [_dtype(value.dtype), list(value.shape), order, value.tobytes(order)]


def _scalar(value: Any) -> tuple[int, Any]:
    if value.dtype.hasobject:
        raise codes.refused(codes.name_of(type(value)), "it holds Python objects")
    return codes.SCALAR, [_dtype(value.dtype), value.tobytes()]


def _dtype(dtype: Any) -> Any:
    return dtype.str if dtype.fields is None else [list(one) for one in dtype.descr]


def _send(value: Any) -> tuple[int, Any]:
    timeout = getattr(value, "timeout", None)
    return codes.SEND, [value.node, value.arg] if timeout is None else [value.node, value.arg, timeout]


def _langgraph(value: Any) -> tuple[int, Any]:
    """A type of LangGraph's that we know nothing of: written as LangGraph does, if it comes back."""
    kind, content = _STRICT.dumps_typed(value)
    if type(_STRICT.loads_typed((kind, content))) is not type(value):
        raise codes.refused(codes.name_of(type(value)), "LangGraph itself would not read it again")
    return codes.LANGGRAPH, [kind, content]


_STRICT = JsonPlusSerializer(pickle_fallback=False, allowed_msgpack_modules=None)

_PACKERS: dict[type[Any], Callable[[Any], tuple[Any, Any]]] = {
    tuple: lambda value: (codes.TUPLE, list(value)),
    set: lambda value: (codes.SET, list(value)),
    frozenset: lambda value: (codes.FROZENSET, list(value)),
    deque: lambda value: (codes.DEQUE, [value.maxlen, list(value)]),
    int: lambda value: (codes.INTEGER, hex(value)),
    Decimal: lambda value: (codes.DECIMAL, str(value)),
    UUID: lambda value: (codes.UUID, value.bytes),
    complex: lambda value: (codes.COMPLEX, [value.real, value.imag]),
    range: lambda value: (codes.RANGE, [value.start, value.stop, value.step]),
    datetime: _moment,
    date: lambda value: (codes.DATE, value.isoformat()),
    time: _time,
    timedelta: lambda value: (codes.SPAN, [value.days, value.seconds, value.microseconds]),
    timezone: _offset,
    ZoneInfo: _zone_name,
    re.Pattern: lambda value: (codes.PATTERN, [value.pattern, value.flags]),
    OrderedDict: lambda value: (codes.SUBCLASS, ["collections:OrderedDict", dict(value), None]),
    _Pairs: lambda value: (codes.PAIRS, value.pairs),
    _Text: lambda value: (codes.TEXT, value.encode("utf-8", "surrogatepass")),
}
for _kind in (pathlib.PosixPath, pathlib.WindowsPath, pathlib.PurePosixPath, pathlib.PureWindowsPath):
    _PACKERS[_kind] = lambda value: (codes.PATH, [type(value).__name__, str(value)])
for _kind in ("IPv4Address", "IPv4Interface", "IPv4Network", "IPv6Address", "IPv6Interface", "IPv6Network"):
    _PACKERS[getattr(ipaddress, _kind)] = lambda value: (codes.ADDRESS, [type(value).__name__, str(value)])


def _packer_of(value: Any) -> Callable[[Any], tuple[Any, Any]]:
    """How values of this type are packed. Raises `StoreError` `store.type_unknown`."""
    kind = cast("type[Any]", type(value))
    found = _find_packer(value, kind)
    _PACKERS[kind] = found
    return found


def _find_packer(value: Any, kind: Any) -> Callable[[Any], tuple[Any, Any]]:
    name = codes.name_of(kind)
    if kind.__module__ == "numpy":
        numpy: Any = sys.modules["numpy"]
        if kind is numpy.ndarray:
            return _array
        if isinstance(value, numpy.generic):
            return _scalar
    if name == "langgraph.types.Send":
        return _send
    for test, found in (
        (isinstance(value, Enum), _enum),
        (isinstance(value, BaseModel), _model),
        (dataclasses.is_dataclass(value), _dataclass),
        (tuple in kind.__mro__ and getattr(kind, "_fields", None) is not None, _named_tuple),
        (isinstance(value, codes.BASES), _subclass),
        (callable(getattr(kind, "get_secret_value", None)), _secret),
    ):
        if test:
            codes.place_of(kind)
            return found
    # Subclasses that libraries use for their own ends; the value is the same.
    for base in (datetime, date, time, timedelta):
        if isinstance(value, base):
            return _PACKERS[base]
    if isinstance(value, BaseException):
        return lambda error: (repr(error), _AS_IS)  # as LangGraph keeps it
    if kind.__module__.startswith(("langgraph.", "langchain_core.")):
        return _langgraph
    raise codes.refused(name, "nothing is known of how to write it")


def _named_tuple(value: Any) -> tuple[int, Any]:
    return codes.NAMED_TUPLE, [codes.place_of(type(value)), list(value)]


def _secret(value: Any) -> tuple[int, Any]:
    return codes.SECRET, [codes.place_of(type(value)), value.get_secret_value()]
