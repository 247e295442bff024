"""Values between JSON and databases."""

from __future__ import annotations

import base64
import binascii
import json
import math
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from pyagent_nodes.io._sql_errors import SqlValues

Decimals: TypeAlias = Literal["text", "number"]


def to_json(value: Any, decimals: Decimals) -> Any:
    """A database's value as JSON: dates as ISO text, bytes as base64, intervals in seconds, what else as text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Decimal):
        return float(value) if decimals == "number" and value.is_finite() else format(value, "f")
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(bytes(value)).decode("ascii")
    if isinstance(value, dict):
        return {str(key): to_json(part, decimals) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_json(part, decimals) for part in value]
    return str(value)


def to_parameter(value: Any, postgres: bool) -> Any:
    """A JSON value for a statement's parameter: objects as JSON; lists as arrays, in SQLite as JSON text."""
    if isinstance(value, dict | list):
        if not postgres:
            return json.dumps(value, ensure_ascii=False)
        if isinstance(value, dict) or any(isinstance(part, dict | list) for part in value):
            from psycopg.types.json import Jsonb

            return Jsonb(value)
    return value


def to_column(value: Any, column_type: Any, name: str) -> Any:
    """A JSON value for a column of that type: base64 text for bytes, JSON text for objects, lists for arrays.

    Raises `SqlValues`.
    """
    from sqlalchemy import ARRAY, LargeBinary

    if isinstance(value, str) and isinstance(column_type, LargeBinary):
        try:
            return base64.b64decode(value, validate=True)
        except binascii.Error as error:
            raise SqlValues(f"{name} holds bytes, and its value is not base64: {error}") from error
    if isinstance(value, list) and isinstance(column_type, ARRAY):
        return value
    is_json = str(column_type).upper().startswith("JSON")
    if isinstance(value, dict | list) or (is_json and value is not None):
        return json.dumps(value, ensure_ascii=False)
    return value
