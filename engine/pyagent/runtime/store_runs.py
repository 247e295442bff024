"""All runs of a store, and all events of a run, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator

from pyagent.store.base import Event, Run, RunFilter, Store

_PAGE = 500


async def all_runs(store: Store, *, graph_id: str | None = None) -> AsyncIterator[Run]:
    """Every run, newest first; one that is deleted meanwhile ends the page that it was to begin."""
    before: str | None = None
    while page := await store.list_runs(RunFilter(graph_id=graph_id, before=before, limit=_PAGE)):
        for run in page:
            yield run
        before = page[-1].id


async def every_event(store: Store, run_id: str) -> list[Event]:
    """The run's events, in order."""
    found: list[Event] = []
    while page := await store.read_events(found[-1].cursor if found else 0, run_id):
        found += page
    return found
