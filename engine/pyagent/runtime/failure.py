"""What a failure becomes: whether to try again and when, and what the step's policy makes of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from pyagent.graph.spec import NodeSpec, RetrySpec
from pyagent.runtime.log import Outputs, items_of, plain
from pyagent.runtime.program import NodeProgram
from pyagent.runtime.redact import masked
from pyagent.sdk.items import Item, Items
from pyagent.sdk.outcome import as_error

ErrorData = dict[str, Any]
"""`PyAgentError.as_dict()` and where it happened: `{code, message, hint?, node?, step?, attempt?}`."""

_NEVER_RETRIED = frozenset({"node.cancelled", "input.params", "expr.syntax", "expr.not_upstream"})


def describe(error: Exception, node: NodeSpec, attempt: int, secrets: Sequence[str] = ()) -> ErrorData:
    """An exception as data, secrets masked. What a node raises by accident becomes `node.crashed`."""
    return {**plain(masked(as_error(error), secrets).as_dict()), "node": node.id, "attempt": attempt}


def retry_delay(policy: RetrySpec | None, attempt: int, error: ErrorData, chance: float) -> timedelta | None:
    """How long to wait before the next try after try number `attempt` failed; None: no more tries.

    `chance` is a number in [0, 1) that is the same in every replay; with jitter the pause is spread over [0.5, 1.5) of
    itself (AWS Architecture Blog, "Exponential Backoff and Jitter", 2015, gives the reasons).
    """
    if policy is None or attempt >= policy.attempts or error["code"] in _NEVER_RETRIED:
        return None
    if policy.on and error["code"] not in policy.on:
        return None
    factor = 2 ** min(attempt - 1, 30) if policy.backoff == "exponential" else 1
    pause = policy.initial * factor
    if policy.max is not None:
        pause = min(pause, policy.max)
    if policy.jitter:
        pause *= 0.5 + chance
    return min(pause, timedelta(days=1))


def failed_outputs(node: NodeProgram, error: ErrorData, inputs: Mapping[str, Items], *, attempt: int) -> Outputs | None:
    """What a failed step puts out by its `on_error` (SEMANTICS 20); None: it stops its frame."""
    brief = {key: error[key] for key in ("code", "message", "hint", "node") if key in error} | {"attempt": attempt}
    given = [item for items in inputs.values() for item in items]
    match node.spec.on_error:
        case "stop":
            return None
        case "continue":
            if not node.ports_out:
                return {}
            passed = [item.derive({**item.json, "error": brief}, index) for index, item in enumerate(given)]
            return {node.ports_out[0]: Items.of(passed or [Item({"error": brief})])}
        case "route":
            routed = [{"error": brief, "input": item.json} for item in given] or [{"error": brief, "input": None}]
            return {"error": items_of(routed)}
