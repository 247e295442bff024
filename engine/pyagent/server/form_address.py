"""Addresses of forms: each opens one wait of one step, for whoever has it, until the wait ends."""

from __future__ import annotations

from pyagent.server.capabilities import may
from pyagent.server.security import Keys
from pyagent.store.base import ENDED, Run, StepRecord

KINDS = ("form", "approval")
"""Waits that a person answers."""


def form_key(run_id: str, record: StepRecord, keys: Keys) -> str:
    """The key of the step's wait: another wait of the same step has another."""
    began = record.started_at.isoformat() if record.started_at else ""
    return keys.form_key(run_id, record.step, f"{record.attempt} {began}")


def form_path(run: Run, record: StepRecord, keys: Keys) -> str | None:
    """`/forms/RUN/KEY` for a step that waits for a person, else None; None too for who may not answer it."""
    if not may("approve"):
        return None
    waits = record.status == "waiting" and (record.wait or {}).get("kind") in KINDS
    return f"/forms/{run.id}/{form_key(run.id, record, keys)}" if waits and run.status not in ENDED else None


__all__ = ["form_key", "form_path"]
