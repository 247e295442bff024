"""Errors that end runs and steps from outside of a node: limits, deaths, writes that cannot meet."""

from __future__ import annotations

from typing import Any

from pyagent.errors import NodeError, RunError
from pyagent.runtime.rules import RuleFailure


class TooManySteps(RunError):
    """The run has more steps than `settings.max_steps` allows."""

    code = "run.max_steps"
    hint = "Raise settings.max_steps if that is meant."


class LoopLimit(RunError):
    """A loop wants more iterations than its bound allows (SEMANTICS 12)."""

    code = "run.loop_limit"
    hint = "Raise `loop: {max: …}` on the loop's header if that is meant; for endless services there is flow.restart."


class ConcurrentWrite(RunError):
    """Two steps wrote a `replace` channel, and neither is upstream of the other (SEMANTICS 16)."""

    code = "run.concurrent_write"
    hint = "Give the channel a reducer, or join the branches before the second write."


class CrashLoop(RunError):
    """Workers die of the run, one after the other, and it does not get on (SEMANTICS 17)."""

    code = "run.crash_loop"
    hint = "Look at the step that runs; `pyagent resume` tries again."


class RunStuck(RunError):
    """Nothing of the run runs, waits or can start, and it has not ended."""

    code = "run.stuck"
    hint = "Fork it, and report this: it is a defect."


class RunStopped(RunError):
    """The graph ended the run as failed (`flow.stop`)."""

    code = "run.stopped"
    hint = "The graph's author meant it so; its message says why."


class RunTimeout(RunError):
    """The run took longer than `settings.timeout`."""

    code = "run.timeout"
    hint = "Raise settings.timeout."


class OutcomeUnknown(NodeError):
    """A `once` try ended, and nobody knows whether it took place (SEMANTICS 18)."""

    code = "node.unknown"
    hint = "Look at what the node acts on, then `pyagent fork` or start anew."


def of_rules(failure: RuleFailure) -> dict[str, Any]:
    """A failure of the rules as data, with its hint and its node."""
    kind = LoopLimit if failure.code == LoopLimit.code else TooManySteps
    return {**kind(failure.message).as_dict(), "node": failure.node}
