"""What the log, the event stream and a step's row say of one execution of a step. Pure but for the clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pyagent.runtime.failure import ErrorData
from pyagent.runtime.journal import event
from pyagent.runtime.live import step_row
from pyagent.runtime.log import Entry, Outputs, StepKey, timestamp
from pyagent.sdk.commands import Wait
from pyagent.store.base import NewEvent, StepRecord


@dataclass(frozen=True, slots=True)
class Said:
    """One entry, and what goes with it."""

    entry: Entry
    event: NewEvent
    row: StepRecord


@dataclass(frozen=True, kw_only=True, slots=True)
class Records:
    """Makes the records of one step. `items_in`: how many items it was given."""

    key: StepKey
    started_at: datetime
    items_in: int

    def completed(self, attempt: int, outputs: Outputs, writes: Mapping[str, Any], data: Mapping[str, Any]) -> Said:
        """It ended, with its state writes and what else the log must keep of that."""
        times, now = self._times()
        counts = {port: len(items) for port, items in outputs.items()}
        entry = {"status": "completed", "attempt": attempt, **times, **({"writes": writes} if writes else {}), **data}
        seconds = round((now - self.started_at).total_seconds(), 6)
        return Said(
            Entry("step.ended", self.key, entry, outputs),
            event("step.completed", str(self.key), items=counts, seconds=seconds, attempt=attempt),
            self._row("completed", attempt, ended_at=now, items_out=counts),
        )

    def failed(self, attempt: int, error: ErrorData, outputs: Outputs | None, policy: str) -> Said:
        """Its tries are used up; `outputs` are what its policy makes of that, None if nothing does."""
        times, now = self._times()
        said = {name: value for name, value in error.items() if name != "outcomes"}
        handled = outputs is not None
        counts = {port: len(items) for port, items in (outputs or {}).items()}
        entry = {"status": "failed", "attempt": attempt, "error": said, **times}
        return Said(
            Entry("step.ended", self.key, {**entry, **({"handled": policy} if handled else {})}, outputs),
            event("step.failed", str(self.key), error=said, handled=handled, items=counts),
            self._row("failed", attempt, ended_at=now, items_out=counts, error=said),
        )

    def stopped(self, attempt: int, reason: str, *, unknown: bool) -> Said:
        """It was asked to stop; `unknown`: in the middle of a `once` try."""
        times, now = self._times()
        entry = {"status": "cancelled", "attempt": attempt, "reason": reason, **times}
        return Said(
            Entry("step.ended", self.key, {**entry, **({"unknown": True} if unknown else {})}, {}),
            event("step.cancelled", str(self.key), reason=reason, unknown=unknown),
            self._row("unknown" if unknown else "cancelled", attempt, ended_at=now),
        )

    def unknown(self, attempt: int, reason: str, policy: str) -> Said:
        """Nobody knows whether its `once` try took place, and it waits for a person."""
        return Said(
            Entry("step.unknown", self.key, {"reason": reason, "attempt": attempt}),
            event("step.unknown", str(self.key), reason=reason, policy=policy),
            self._row("unknown", attempt, wait={"kind": "unknown", "reason": reason}),
        )

    def parked(self, attempt: int, wait: Wait) -> Said:
        """It waits."""
        data = {
            "kind": wait.kind,
            "until": timestamp(wait.until) if wait.until else None,
            "name": wait.signal,
            "key": wait.key,
            "title": wait.title,
            "prompt": dict(wait.prompt),
            "response_schema": dict(wait.response_schema) if wait.response_schema else None,
        }
        found = {name: value for name, value in data.items() if value not in (None, "", {})}
        return Said(
            Entry("step.parked", self.key, {"wait": found, "attempt": attempt}),
            event("step.waiting", str(self.key), wait=found),
            self._row("waiting", attempt, wait=found),
        )

    def running(self, attempt: int) -> tuple[NewEvent, StepRecord]:
        """A try began: no decision depends on that."""
        told = event("step.started", str(self.key), attempt=attempt, items=self.items_in)
        return told, self._row("running", attempt)

    def _times(self) -> tuple[dict[str, str], datetime]:
        now = datetime.now(UTC)
        return {"started_at": timestamp(self.started_at), "ended_at": timestamp(now)}, now

    def _row(self, status: Any, attempt: int, **more: Any) -> StepRecord:
        return step_row(self.key, status, attempt=attempt, started_at=self.started_at, items_in=self.items_in, **more)
