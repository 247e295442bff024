"""A run's log as moments: what each entry changed, so that the run can be shown as it stood after any of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from pyagent.errors import NotFound
from pyagent.runtime.frames import Changes
from pyagent.runtime.log import Entry, StepKey
from pyagent.runtime.reduce import Channels
from pyagent.runtime.state import RunState
from pyagent.store.base import RunStatus, StepStatus


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """One entry of a run's log."""

    n: int
    """Its place in the log, from 1."""
    at: datetime | None
    """When, as far as the log says: else when the entry before it was."""
    kind: str
    step: str
    status: StepStatus | None
    """How the step stands after it."""
    attempt: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """A run as it stood after an entry."""

    moment: Moment | None
    """None: before the first."""
    status: RunStatus
    state: Mapping[str, Any]
    """The values of the run's own state channels."""
    steps: Mapping[str, StepStatus]
    """A step that was ready counts as running."""


@dataclass(slots=True)
class Timeline:
    """All moments of a log. It holds no items, so it is small beside the run's data."""

    moments: list[Moment] = field(default_factory=list[Moment])
    _changes: list[tuple[tuple[str, StepStatus], ...]] = field(default_factory=lambda: [])
    _runs: list[RunStatus] = field(default_factory=list[RunStatus])
    _writes: list[tuple[Channels | None, int]] = field(default_factory=lambda: [])

    @classmethod
    def of(cls, state: RunState, entries: Sequence[Entry]) -> Timeline:
        """The moments of a log; `state` is from before its first entry."""
        found, at = cls(), None
        for number, entry in enumerate(entries, 1):
            restarted = entry.kind == "run.started" and state.ended is not None
            changed = statuses_after(entry, state.apply(entry), state)
            if restarted:
                # What stood before does not count any more.
                found._changes[:] = [()] * len(found._changes)
            at = _time(entry) or at
            own = str(entry.step) if entry.step is not None else ""
            found.moments.append(
                Moment(
                    n=number,
                    at=at,
                    kind=entry.kind,
                    step=own,
                    status=dict(changed).get(own) if own else None,
                    attempt=entry.data.get("attempt"),
                )
            )
            found._changes.append(tuple(changed))
            found._runs.append(_run_status(state))
            channels = state.frames[""].channels if "" in state.frames else None
            found._writes.append((channels, len(channels.writes) if channels is not None else 0))
        return found

    def at(self, n: int) -> Standing:
        """The run as it stood after entry `n`; 0: before the first. Raises `NotFound` (`run.no_moment`)."""
        if not 0 <= n <= len(self.moments):
            raise NotFound(
                f"the run's log has no entry {n}",
                code="run.no_moment",
                hint=f"It has {len(self.moments)}.",
            )
        if n == 0:
            return Standing(moment=None, status="queued", state={}, steps={})
        steps: dict[str, StepStatus] = {}
        for changed in self._changes[:n]:
            steps.update(changed)
        channels, writes = self._writes[n - 1]
        return Standing(
            moment=self.moments[n - 1],
            status=self._runs[n - 1],
            state=channels.after(writes) if channels is not None else {},
            steps=steps,
        )


def statuses_after(entry: Entry, changes: Changes, state: RunState) -> list[tuple[str, StepStatus]]:
    """The steps that stand otherwise after an entry, and how; `changes` is what the state said of it."""
    found: list[tuple[str, StepStatus]] = []
    if entry.step is not None and (status := _own_status(entry)) is not None:
        found.append((str(entry.step), status))
    found.extend((str(key), "skipped") for key in changes.skipped)
    found.extend((str(key), state.outcomes[key].status) for key in changes.expanded if key in state.outcomes)
    # A step that is answered becomes ready, as it was already.
    found.extend((str(key), "running") for key in changes.ready)
    return found


def _own_status(entry: Entry) -> StepStatus | None:
    match entry.kind:
        case "step.ended":
            return "unknown" if entry.data.get("unknown") else cast(StepStatus, entry.data["status"])
        case "step.parked":
            return "waiting"
        case "step.unknown":
            return "unknown"
        case "step.begun" | "step.tried" | "step.item" | "step.answered" | "step.expanded":
            return "running"
        case _:
            return None


def _run_status(state: RunState) -> RunStatus:
    if state.ended is not None:
        return cast(RunStatus, state.ended["status"])
    if state.paused:
        return "paused"
    if state.parked and len(state.parked) == len([key for key in state.startable if not _is_outer(state, key)]):
        return "waiting"
    return "running"


def _is_outer(state: RunState, key: StepKey) -> bool:
    """Whether it is a map's or call's step, which stands as the steps inside do."""
    return key in state.expansions


def _time(entry: Entry) -> datetime | None:
    data = entry.data
    answer = data.get("answer")
    said = data.get("at") or data.get("ended_at") or (answer.get("at") if isinstance(answer, dict) else None)  # pyright: ignore
    return datetime.fromisoformat(said) if isinstance(said, str) else None


__all__ = ["Moment", "Standing", "Timeline", "statuses_after"]
