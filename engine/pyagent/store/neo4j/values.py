"""How Python's values and the database's meet: times, runs, steps, and the errors for what is not there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pyagent.errors import LeaseLost, NotFound
from pyagent.store import codec, sealing
from pyagent.store.base import Lease, Run, StepRecord

MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant(at: datetime) -> tuple[int, int]:
    """A time as seconds and nanoseconds, for `as_datetime`: for one of Python's the driver takes 40 µs."""
    passed = at - _EPOCH
    return passed.days * 86_400 + passed.seconds, passed.microseconds * 1000


def instant_or_none(at: datetime | None) -> tuple[int, int] | None:
    """As `instant`."""
    return None if at is None else instant(at)


def as_datetime(name: str) -> str:
    """Cypher for the time that a parameter holds as `instant` gives it; null stays null."""
    time = f"datetime({{epochSeconds: {name}[0], nanosecond: {name}[1]}})"
    return f"CASE WHEN {name} IS NULL THEN null ELSE {time} END"


def moment(value: Any) -> datetime:
    """A DateTime of the database as Python's, in UTC."""
    return value.to_native().astimezone(UTC)


def moment_or_none(value: Any) -> datetime | None:
    """As `moment`."""
    return None if value is None else moment(value)


def json_or_none(value: Mapping[str, Any] | None) -> bytes | None:
    """A JSON object in the codec's form."""
    return None if value is None else codec.encode_json(value)


def mapping_or_none(value: bytes | None) -> dict[str, Any] | None:
    """The reverse of `json_or_none`."""
    return None if value is None else codec.decode_json(value)


def run_of(run: Mapping[str, Any], lease: Mapping[str, Any]) -> Run:
    """A run from the properties of its node and its lease's."""
    return Run(
        id=run["id"],
        graph_id=run["graph_id"],
        graph_hash=run["graph_hash"],
        trigger=run["trigger"],
        inputs=codec.decode(run["inputs"]),
        production=run["production"],
        key=run.get("key"),
        parent_run=run.get("parent_run"),
        parent_step=run.get("parent_step"),
        forked_from=run.get("forked_from"),
        continues=run.get("continues"),
        continued_as=run.get("continued_as"),
        slot=run.get("slot"),
        slots=run["slots"],
        priority=run.get("priority", 0),
        fairness=run.get("fairness", run["graph_id"]),
        weight=run.get("weight", 1),
        owner=run["owner"],
        actor=run["actor"],
        semantics=run["semantics"],
        labels=codec.decode_json(run["labels"]),
        status=run["status"],
        created_at=moment(run["created_at"]),
        started_at=moment_or_none(run.get("started_at")),
        ended_at=moment_or_none(run.get("ended_at")),
        updated_at=moment(run["updated_at"]),
        wake_at=moment_or_none(run.get("wake_at")),
        outputs=None if run.get("outputs") is None else codec.decode(run["outputs"]),
        error=mapping_or_none(run.get("error")),
        log_length=run["log_length"],
        lease_owner=lease.get("owner"),
        lease_expires_at=moment_or_none(lease.get("expires_at")),
        adoptions=lease["adoptions"],
    )


def step_values(step: StepRecord) -> dict[str, Any]:
    """A step's properties but its times; those that are None are removed from its node."""
    signal = step.wait if step.status == "waiting" and step.wait and step.wait.get("kind") == "signal" else None
    # The same for the same outcome; of a sealed one nobody without the vault can tell which.
    more = {"outcome": step.lineage.outcome and sealing.kept_name(step.lineage.outcome)} if step.lineage else {}
    return {
        **more,
        "node": step.node,
        "scope": step.scope,
        "status": step.status,
        "attempt": step.attempt,
        "items_in": step.items_in,
        "items_out": codec.encode_json(step.items_out) if step.items_out else None,
        "error": json_or_none(step.error),
        "error_code": str(step.error.get("code", "")) if step.error else None,
        "wait": json_or_none(step.wait),
        "waits_for": str(step.wait.get("kind", "")) if step.wait else None,
        "signal_name": str(signal.get("name") or "") if signal else None,
        "signal_key": str(signal.get("key") or "") if signal else None,
    }


def step_of(found: Mapping[str, Any]) -> StepRecord:
    """A step from the properties of its node."""
    return StepRecord(
        step=found["step"],
        node=found["node"],
        scope=found["scope"],
        status=found["status"],
        attempt=found["attempt"],
        started_at=moment_or_none(found.get("started_at")),
        ended_at=moment_or_none(found.get("ended_at")),
        items_in=found["items_in"],
        items_out=mapping_or_none(found.get("items_out")) or {},
        error=mapping_or_none(found.get("error")),
        wait=mapping_or_none(found.get("wait")),
    )


def no_run(run_id: str) -> NotFound:
    """The error for a run that is not there."""
    return NotFound(f"There is no run {run_id}.", code="run.not_found", hint="See `pyagent runs`.")


def no_blob(digest: str) -> NotFound:
    """The error for a blob that is not kept."""
    return NotFound(
        f"There is no blob {digest}.",
        code="blob.not_found",
        hint="It went with the last run that it belonged to.",
        details={"digest": digest},
    )


def lost(lease: Lease) -> LeaseLost:
    """The error for an old token."""
    return LeaseLost(
        f"The lease of {lease.owner} on run {lease.run_id} (token {lease.token}) is over.",
        details={"run": lease.run_id, "token": lease.token},
    )
