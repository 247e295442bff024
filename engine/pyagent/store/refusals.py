"""What a store refuses, and why: the errors of its contract."""

from __future__ import annotations

from pyagent.errors import StoreError


class SlotTaken(StoreError):
    """As many runs with this slot as may be at work are (`settings.concurrency`): the run waits for its turn."""

    code = "store.slot_taken"
    hint = "It begins when one of them has ended; `pyagent runs` shows them."


class LogConflict(StoreError):
    """The entries of a commit do not follow the stored log."""

    code = "store.log_conflict"


class KeyTaken(StoreError):
    """A run with this start key is alive, or ended within the window."""

    code = "store.key_taken"
    hint = "Use another --key, or --on-key existing | replace."


class KeySpent(KeyTaken):
    """The run that began with this start key is deleted, and the key's window has not ended: it begins nothing."""

    code = "store.key_spent"
    hint = "What the key stands for has been done. Use another key, or --on-key replace to do it again."


class EventsForgotten(StoreError):
    """A reader asks for what comes after a cursor, and some of that is not kept any more."""

    code = "store.events_forgotten"
    hint = "Read on from the cursor `kept_after`, or from 0 for all that there is; what was before it is gone."


class MessageTaken(StoreError):
    """Another commit has consumed a message that this one records: one signal reaches one run."""

    code = "store.message_taken"
    hint = "Read the messages again and decide anew."


class ClaimTaken(StoreError):
    """Another active graph has a name that a graph claims: two webhooks with one address."""

    code = "store.claim_taken"
    hint = "Change the address in one of them, or deactivate the other graph."


class StoreFull(StoreError):
    """The disk is full; nothing of the commit was kept."""

    code = "store.full"
    hint = "Free some space and run `pyagent resume RUN`: the run goes on from its last commit."


class StoreUnavailable(StoreError):
    """The store cannot be opened, is locked by others for too long, read-only or damaged."""

    code = "store.unavailable"
