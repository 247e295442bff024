"""What follows when the graph of a run or of a call has nothing left to do: its outputs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pyagent.errors import PyAgentError, StoreError
from pyagent.runtime.frames import Changes
from pyagent.runtime.journal import event
from pyagent.runtime.live import LiveRun
from pyagent.runtime.log import Entry, timestamp
from pyagent.store.base import NewEvent


async def finish_frames(live: LiveRun, changes: Changes) -> None:
    """Evaluate the outputs of graphs that have ended; what a called graph's end brings about is added to `changes`."""
    while changes.finished:
        name = changes.finished.pop(0)
        frame = live.state.frames.get(name)
        if frame is None or name not in live.state.awaiting:
            continue
        if frame.parent is None:
            await finish_run(live)
            return
        try:
            outputs = await live.values.outputs(name, datetime.now(UTC))
            if name not in live.state.awaiting:
                # While they were waited for, what the graph was called for has ended.
                continue
            data = {"element": frame.element, "outputs": outputs}
            more = live.record(Entry("frame.ended", frame.parent, data))
        except StoreError:
            raise
        except PyAgentError as error:
            data = {"element": frame.element, "error": {"node": frame.parent.node, **error.as_dict()}}
            more = live.record(Entry("frame.ended", frame.parent, data))
        changes.ready.extend(more.ready)
        changes.finished.extend(more.finished)


async def finish_run(live: LiveRun) -> None:
    """Evaluate the run's outputs and record that it has completed, or failed if they cannot be evaluated.

    Nothing is recorded if something else ends the run meanwhile.
    """
    at = timestamp(datetime.now(UTC))
    ended = _end_of(live)
    try:
        outputs = await live.values.outputs("", datetime.now(UTC))
        if _end_of(live) != ended:
            return
        _end(live, {"status": "completed", "outputs": outputs, "at": at})
        live.outputs = outputs
    except StoreError:
        raise
    except PyAgentError as error:
        if _end_of(live) != ended:
            return
        _end(live, {"status": "failed", "error": error.as_dict(), "at": at})


def _end(live: LiveRun, ended: dict[str, Any]) -> None:
    live.record(Entry("run.ended", None, ended))
    if live.told is not None:
        # A stream of LangGraph's. Where a driver commits, it tells the end together with how the run stands.
        live.told(told_end(ended))


def told_end(ended: Mapping[str, Any]) -> NewEvent:
    """The event of a run's end, by the entry that records it."""
    if ended["status"] == "completed":
        return event("run.completed", outputs=ended.get("outputs") or {})
    return event("run.failed", error=ended["error"])


def _end_of(live: LiveRun) -> tuple[bool, bool, bool]:
    """What ends the run before, or instead of, its outputs."""
    state = live.state
    return state.failure is not None, state.cancelled is not None, state.ended is not None
