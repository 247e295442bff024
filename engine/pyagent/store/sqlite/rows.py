"""From rows to the store's records and back."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

from pyagent.errors import NotFound
from pyagent.store import codec
from pyagent.store.base import Run

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

RUN_FIELDS = tuple(field.name for field in fields(Run))
_STATE_FIELDS = frozenset(
    {
        *("status", "started_at", "ended_at", "updated_at", "wake_at", "outputs", "error", "log_length"),
        *("lease_owner", "lease_expires_at", "adoptions", "slot", "slots"),
        *("priority", "fairness", "weight"),
    }
)
_MADE = {"continued_as": "(SELECT n.id FROM runs n WHERE n.continues = r.id)"}
RUN_COLUMNS = ", ".join(_MADE.get(name) or f"{'s' if name in _STATE_FIELDS else 'r'}.{name}" for name in RUN_FIELDS)
"""The columns of a run `r` with its state `s`, in the order of `Run`'s fields."""


def stamp(at: datetime) -> int:
    """Microseconds since 1970 in UTC. Raises `TypeError` for a time without a zone."""
    return (at - _EPOCH) // MICROSECOND


def stamp_or_none(at: datetime | None) -> int | None:
    """As `stamp`; None stays None."""
    return None if at is None else stamp(at)


def moment(stamped: int) -> datetime:
    """The time of a stamp, in UTC."""
    return _EPOCH + timedelta(microseconds=stamped)


def moment_or_none(stamped: int | None) -> datetime | None:
    """As `moment`; None stays None."""
    return None if stamped is None else moment(stamped)


def json_or_none(value: Mapping[str, Any] | None) -> bytes | None:
    """The encoded JSON; None stays None."""
    return None if value is None else codec.encode_json(value)


def mapping_or_none(stored: bytes | None) -> dict[str, Any] | None:
    """The decoded JSON; None stays None."""
    return None if stored is None else codec.decode_json(stored)


def run_of(row: tuple[Any, ...]) -> Run:
    """A run from `RUN_COLUMNS`."""
    values = dict(zip(RUN_FIELDS, row, strict=True))
    for name in ("created_at", "started_at", "ended_at", "updated_at", "wake_at", "lease_expires_at"):
        values[name] = moment_or_none(values[name])
    values["inputs"] = codec.decode(values["inputs"])
    values["outputs"] = None if values["outputs"] is None else codec.decode(values["outputs"])
    values["error"] = mapping_or_none(values["error"])
    values["labels"] = codec.decode_json(values["labels"])
    values["production"] = bool(values["production"])
    return Run(**values)


def run_number(connection: sqlite3.Connection, run_id: str) -> int:
    """The number that rows of a run carry. Raises `NotFound`."""
    row = connection.execute("SELECT run FROM runs WHERE id = ?", (run_id,)).fetchone()
    if row is None:
        raise no_run(run_id)
    return row[0]


def no_run(run_id: str) -> NotFound:
    """The error for a run that is not there."""
    return NotFound(f"There is no run {run_id}.", code="run.not_found", hint="`pyagent runs` lists the runs there are.")
