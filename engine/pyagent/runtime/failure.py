"""What a failure becomes: whether to try again and when, and what the step's policy makes of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pyagent.errors import PyAgentError
from pyagent.graph.spec import NodeSpec, RetrySpec
from pyagent.runtime.log import Outputs, items_of, plain
from pyagent.runtime.program import NodeProgram
from pyagent.sdk.items import Item, Items

ErrorData = dict[str, Any]
"""`PyAgentError.as_dict()` and where it happened: `{code, message, hint?, node?, step?, attempt?}`."""

_NEVER_RETRIED = frozenset({"node.cancelled", "graph.param.invalid", "expr.syntax", "expr.not_upstream"})


def describe(error: BaseException, node: NodeSpec, attempt: int) -> ErrorData:
    """An exception as data. What nodes raise by accident becomes `node.crashed` with the exception's own words."""
    if isinstance(error, PyAgentError):
        found: ErrorData = plain(error.as_dict())
    else:
        text = str(error) or type(error).__name__
        found = {
            "code": "node.crashed",
            "message": f"{type(error).__name__}: {text}",
            "hint": "The node raised an error it does not declare; its log may say more.",
        }
    return {**found, "node": node.id, "attempt": attempt}


def retry_delay(policy: RetrySpec | None, attempt: int, error: ErrorData, chance: float) -> timedelta | None:
    """How long to wait before the next try after try number `attempt` failed; None: no more tries.

    `chance` is a random number in [0, 1) that the log holds; with jitter the pause is spread over [0.5, 1.5) of
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
