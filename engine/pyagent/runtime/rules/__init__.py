"""The rules of SEMANTICS 4-12, pure: from a run's log to what is ready next. No I/O, no clock, no chance."""

from pyagent.runtime.rules.frame import Frame
from pyagent.runtime.rules.plan import Plan
from pyagent.runtime.rules.types import (
    INPUT,
    Decisions,
    Delivery,
    EdgeRule,
    Join,
    JoinKind,
    NodeRule,
    Ready,
    RuleFailure,
    StepId,
)

__all__ = [
    "INPUT",
    "Decisions",
    "Delivery",
    "EdgeRule",
    "Frame",
    "Join",
    "JoinKind",
    "NodeRule",
    "Plan",
    "Ready",
    "RuleFailure",
    "StepId",
]
