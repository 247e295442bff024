"""What must hold after a case, whatever befell it."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Sequence
from typing import Any

from chaos.shadow import Shadow
from chaos.world import Stage, Told
from pyagent.runtime.engine import Engine
from pyagent.runtime.lineage import origin_of
from pyagent.runtime.log import Entry
from pyagent.runtime.state import RunState
from pyagent.store.base import ENDED, Event, Run, StepRecord

MOST_LEASED = 30
"""Seconds."""


async def check(told: Told, engine: Engine) -> None:
    """Check all of it. Raises `AssertionError`."""
    assert not told.left, f"tasks outlived their workers: {told.left}"
    assert told.accepted == 0, "a commit with an old token was accepted"
    assert told.runs
    messages: Counter[int] = Counter()
    for run in told.runs:
        assert run.status in ENDED
        # Who claimed it and heard no answer holds it until its lease runs out.
        left = (run.lease_expires_at - await told.store.now()).total_seconds() if run.lease_expires_at else 0
        assert left < MOST_LEASED, f"{run.id} is leased to {run.lease_owner} for {left} s"
        log = await engine.log(run.id)
        shadow = Shadow(told.case)
        first = next((entry for entry in log if entry.kind == "run.started"), None)
        if first is not None and (first.outputs or {}).get("given") is not None:
            shadow.given[""] = len((first.outputs or {})["given"])
        shadow.read(log)
        _check_end(run, shadow, log, await engine.outputs(run.id))
        _check_rows(run, shadow, log, await told.store.steps(run.id))
        await _check_lineage(engine, run, log)
        messages.update({entry.data["message"] for entry in log if "message" in entry.data})
        _check_events(run, log, [event for event in told.followed if event.run_id == run.id])
        assert (run.continued_as is not None) == (shadow.ended == "restarted" and run.status == "completed"), run
    assert max(messages.values(), default=1) == 1, f"a message was taken by two runs: {messages}"
    _check_effects(told)


async def check_stream(told: Told) -> None:
    """The follower got each event once, in order."""
    cursors = [event.cursor for event in told.followed]
    assert cursors == sorted(set(cursors)), "the follower got an event twice or out of order"
    kept: list[int] = []
    while events := await told.store.read_events(kept[-1] if kept else 0):
        kept += [event.cursor for event in events]
    assert cursors == kept, f"the follower missed {sorted(set(kept) - set(cursors))}"


def _check_end(run: Run, shadow: Shadow, log: Sequence[Entry], outputs: Any) -> None:
    asked = any(entry.kind == "run.cancel" for entry in log)
    if (run.error or {}).get("code") == "run.crash_loop":
        # Five workers that died, or were cut off, one after the other: that is how it is to end.
        return
    match shadow.ended:
        case "completed":
            # A cancel may come when all steps have ended, before the run has.
            assert run.status == "completed" or (asked and run.status == "cancelled"), (run.status, run.error)
            if run.status == "completed":
                assert outputs == {"total": shadow.counted}, f"{outputs}, not {shadow.counted}: a step is lost"
        case "failed":
            assert run.status == "failed", (run.status, run.error)
            # What is resumed after such a failure goes on elsewhere, and of two failures the last is told.
            others = any(entry.kind == "run.resume" or entry.data.get("status") == "failed" for entry in log)
            if shadow.failures and not others:
                assert (run.error or {}).get("code") in shadow.failures, (run.error, shadow.failures)
        case "cancelled":
            # What its running steps came to may have failed it before it had ended.
            assert run.status in ("cancelled", "failed"), (run.status, run.error)
        case "restarted":
            # What steps that ran beside came to may have failed it before it had ended.
            assert run.status in ("completed", "failed") or (asked and run.status == "cancelled"), run
        case _:
            raise AssertionError(
                f"{run.id} is {run.status} {run.error}, and the rules have more to do: {shadow.ended!r}"
            )


def _check_rows(run: Run, shadow: Shadow, log: Sequence[Entry], rows: Sequence[StepRecord]) -> None:
    by_step = {row.step: row for row in rows}
    assert len(by_step) == len(rows)
    last = {entry.step: entry for entry in log if entry.kind == "step.ended"}
    for entry in last.values():
        if (row := by_step.get(str(entry.step))) is not None:
            expected = "unknown" if entry.data.get("unknown") else entry.data["status"]
            assert row.status == expected, (row, entry)
            put = {port: len(items) for port, items in (entry.outputs or {}).items() if len(items)}
            assert {port: n for port, n in row.items_out.items() if n} == put or entry.data["status"] != "completed"
        else:
            raise AssertionError(f"{entry.step} has no row")
    # A loser may have been stopped in the middle of a `once` try: that is recorded, and nothing waits for it.
    lost = {str(entry.step) for entry in log if entry.data.get("unknown")}
    still = [row.step for row in rows if row.status in ("running", "waiting", "unknown") and row.step not in lost]
    if run.status == "completed" and shadow.ended == "completed":
        assert not still, f"the run has completed and these rows are open: {still}"
        skipped = {row.step for row in rows if row.status == "skipped"}
        # What a successor skips as it begins, before anybody drives it, has no row.
        same = skipped <= shadow.skipped if run.continues else skipped == shadow.skipped
        assert same, f"{run.id} skipped {skipped}, not {shadow.skipped}"
        known = {row.step for row in rows if row.status != "skipped"}
        assert known == shadow.started, f"{run.id} has rows of {known}, not of {shadow.started}"


async def _check_lineage(engine: Engine, run: Run, log: Sequence[Entry]) -> None:
    """Every item that says which one it came from leads to that one."""
    state, entries = await engine.replay(run.id)
    for entry in entries:
        if entry.kind == "step.ended" and entry.data["status"] == "completed" and entry.step in state.startable:
            for items in (entry.outputs or {}).values():
                for item in items:
                    _check_item(state, entry, item)
        state.apply(entry)


def _check_item(state: RunState, entry: Entry, item: Any) -> None:
    assert entry.step is not None
    for source in item.sources:
        found = origin_of(state, entry.step, source)
        if found is not None:
            assert found[1].json.get("by") == item.json["from"], f"{entry.step}: {item.json['from']} is {found}"
        else:
            assert any(edge < 0 for edge, _ in state.deliveries[entry.step]), f"{entry.step}: {source} leads nowhere"


def _check_events(run: Run, log: Sequence[Entry], events: Sequence[Event]) -> None:
    """Each outcome is told once."""
    ended = Counter(
        (str(entry.step), entry.data["status"])
        for entry in log
        if entry.kind == "step.ended" and "reason" not in entry.data
    )
    told = Counter(
        (event.step, event.kind.removeprefix("step."))
        for event in events
        if event.kind in ("step.completed", "step.failed")
    )
    for what, times in ended.items():
        assert told[what] == times, f"{what} is told {told[what]} times and is {times} times in the log"
    kinds = Counter(event.kind for event in events)
    started = sum(entry.kind == "run.started" for entry in log)
    assert kinds["run.queued"] == 1, kinds
    assert kinds["run.started"] == started or run.continues is not None, kinds
    assert kinds[f"run.{run.status}"] == 1, kinds


def _check_effects(told: Told) -> None:
    once = Counter(effect.key for effect in told.world.ledger if effect.effects == "once")
    twice = {key: times for key, times in once.items() if times > 1}
    assert not twice, f"effects that took place twice: {twice}"


async def check_deletion(stage: Stage) -> None:
    """Deleted runs leave nothing, and no payload that nobody refers to (`MemoryStore` only)."""
    store: Any = stage.store
    referred = {digest for kept in store._runs.values() for digest in kept.blobs}
    assert set(store._blobs) == referred, "payloads that nothing refers to"
    for run in stage.told.runs:
        await store.delete_run(run.id)
    assert not store._blobs
    assert not store._events
    assert not [message for message in store._messages.values() if message.run_id is not None]
    gc.collect(0)
