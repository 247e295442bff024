"""The fake store's filter of runs."""

from __future__ import annotations

from datetime import datetime

from pyagent.store.base import Run, RunFilter, lowered


def lets_through(run: Run, filter: RunFilter, now: datetime) -> bool:
    """Whether the filter lets a run through, its pages left aside."""
    return (
        (filter.graph_id is None or run.graph_id == filter.graph_id)
        and (filter.owner is None or run.owner == filter.owner)
        and (not filter.statuses or run.status in filter.statuses)
        and (filter.key is None or run.key == filter.key)
        and (filter.since is None or run.created_at >= filter.since)
        and (filter.until is None or run.created_at < filter.until)
        and (filter.production is None or run.production == filter.production)
        and (filter.forked_from is None or run.forked_from == filter.forked_from)
        and (filter.parent_run is None or run.parent_run == filter.parent_run)
        and (filter.longer_than is None or _took(run, now) >= filter.longer_than.total_seconds())
        and _mentions(run, filter.text)
    )


def _took(run: Run, now: datetime) -> float:
    """Seconds; less than none before the run began."""
    return -1.0 if run.started_at is None else ((run.ended_at or now) - run.started_at).total_seconds()


def _mentions(run: Run, text: str) -> bool:
    """Whether one of the fields that `RunFilter.text` is about has it as a part."""
    wanted = lowered(text)
    return any(wanted in lowered(field or "") for field in (run.id, run.graph_id, run.key, run.trigger, run.actor))
