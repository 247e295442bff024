"""What follows when the graph of a run or of a call has nothing left to do: its outputs."""

from __future__ import annotations

from datetime import UTC, datetime

from pyagent.errors import PyAgentError, StoreError
from pyagent.runtime.frames import Changes
from pyagent.runtime.journal import event
from pyagent.runtime.live import LiveRun
from pyagent.runtime.log import Entry, timestamp


async def finish_frames(live: LiveRun, changes: Changes) -> None:
    """Evaluate the outputs of graphs that have ended; what a called graph's end brings about is added to `changes`."""
    while changes.finished:
        name = changes.finished.pop(0)
        frame = live.state.frames.get(name)
        if frame is None or name not in live.state.awaiting:
            continue
        if frame.parent is None:
            finish_run(live)
            return
        try:
            data = {"element": frame.element, "outputs": live.values.outputs(name, datetime.now(UTC))}
            more = live.record(Entry("frame.ended", frame.parent, data))
        except StoreError:
            raise
        except PyAgentError as error:
            data = {"element": frame.element, "error": {"node": frame.parent.node, **error.as_dict()}}
            more = live.record(Entry("frame.ended", frame.parent, data))
        changes.ready.extend(more.ready)
        changes.finished.extend(more.finished)


def finish_run(live: LiveRun) -> None:
    """Evaluate the run's outputs and record that it has completed, or failed if they cannot be evaluated."""
    at = timestamp(datetime.now(UTC))
    try:
        outputs = live.values.outputs("", datetime.now(UTC))
        entry = Entry("run.ended", None, {"status": "completed", "outputs": outputs, "at": at})
        live.record(entry, [event("run.completed", outputs=outputs)])
        live.outputs = outputs
    except StoreError:
        raise
    except PyAgentError as error:
        found = error.as_dict()
        entry = Entry("run.ended", None, {"status": "failed", "error": found, "at": at})
        live.record(entry, [event("run.failed", error=found)])
