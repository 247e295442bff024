"""The exit codes of every `pyagent` command."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from pyagent.errors import (
    ExpressionError,
    GraphError,
    InputError,
    LeaseHeld,
    NotFound,
    PyAgentError,
    SetupError,
    StoreError,
)

if TYPE_CHECKING:
    from pyagent.store.base import RunStatus


class Exit(IntEnum):
    """What a command's exit code means."""

    DONE = 0
    """The run completed, or the command did what was asked."""
    FAILED = 1
    """The run failed, or the command could not do what was asked."""
    USAGE = 2
    """Bad arguments, inputs, graph, or the name of something that does not exist; nothing was started."""
    WAITING = 3
    """The run waits for somebody: an approval, a signal, an unknown outcome, or `pyagent resume` after a pause."""
    CANCELLED = 4
    """The run was cancelled."""
    STORE = 5
    """The store or something that PyAgent needs on this machine does not work."""
    INTERRUPTED = 130
    """Ctrl-C; a run that was under way can be resumed."""


_OF_STATUS: dict[RunStatus, Exit] = {
    "completed": Exit.DONE,
    "failed": Exit.FAILED,
    "cancelled": Exit.CANCELLED,
    "waiting": Exit.WAITING,
    "paused": Exit.WAITING,
    "queued": Exit.INTERRUPTED,
    "running": Exit.INTERRUPTED,
}


def exit_of_status(status: RunStatus) -> Exit:
    """The exit code of a command that watched a run until it stood like this."""
    return _OF_STATUS[status]


def exit_of_error(error: PyAgentError) -> Exit:
    """The exit code of a command that ended with this error."""
    if isinstance(error, LeaseHeld):
        return Exit.FAILED
    if isinstance(error, StoreError) and error.code == "store.key_taken":
        return Exit.USAGE
    if isinstance(error, StoreError | SetupError):
        return Exit.STORE
    if isinstance(error, GraphError | InputError | NotFound | ExpressionError):
        return Exit.USAGE
    return Exit.FAILED
