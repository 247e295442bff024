"""The trace that a run is part of: W3C Trace Context in, on and out. Pure; `runtime.tracing` exports the spans.

Ids of spans are made of what they are about (run, step, try), not of chance: a worker that takes a run over goes on
with its trace, and the same commit tells the same span, whoever tells it. A run keeps the context that it was started
with among its labels.

https://www.w3.org/TR/trace-context/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pyagent.native import blake3_hex

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"
"""Names of headers, and of the labels that a run keeps their values in."""
LONGEST_STATE = 512
"""Characters of `tracestate` that are handed on; a longer one is left out, as the standard allows."""
SAMPLED = 1
_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_STATE = re.compile(r"[\x20-\x7e]*", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class TraceContext:
    """A span of somebody's, as it is handed from one to the next."""

    trace_id: str
    """32 hexadecimal digits."""
    span_id: str
    """16 hexadecimal digits."""
    sampled: bool = True
    state: str = ""
    """`tracestate`, as it came."""

    @classmethod
    def read(cls, given: Mapping[str, str]) -> TraceContext | None:
        """The context in headers or labels (names in small letters); None where there is none or it is broken."""
        found = _PARENT.fullmatch(given.get(TRACEPARENT, "").strip().lower())
        if found is None:
            return None
        version, trace_id, span_id, flags, more = found.groups()
        # A later version may say more; this one has exactly four parts.
        if version == "ff" or (version == "00" and more) or not trace_id.strip("0") or not span_id.strip("0"):
            return None
        state = given.get(TRACESTATE, "").strip()
        if len(state) > LONGEST_STATE or not _STATE.fullmatch(state):
            state = ""
        return cls(trace_id=trace_id, span_id=span_id, sampled=bool(int(flags, 16) & SAMPLED), state=state)

    def headers(self) -> dict[str, str]:
        """What is sent to whoever is called, or kept as labels."""
        found = {TRACEPARENT: f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"}
        return {**found, TRACESTATE: self.state} if self.state else found


def read_labels(given: Mapping[str, str]) -> dict[str, str]:
    """The labels of a run that is started with these headers: its trace, if they name one."""
    context = TraceContext.read(given)
    return {} if context is None else context.headers()


def trace_of(run_id: str, labels: Mapping[str, str]) -> str:
    """The id of the run's trace: the one that it was started in, else its own."""
    context = TraceContext.read(labels)
    return context.trace_id if context is not None else blake3_hex(f"trace {run_id}".encode())[:32]


def span_of(run_id: str, step: str = "", attempt: int = 0, *, answered: bool = False) -> str:
    """The id of the span of a run, of its step, or of the step's try; one that was `answered` begins another time."""
    return blake3_hex(f"span {run_id} {step} {attempt}{' answered' if answered else ''}".encode())[:16]


@dataclass(frozen=True, kw_only=True, slots=True)
class RunTrace:
    """How one run takes part in a trace."""

    run_id: str
    given: TraceContext | None
    """What it was started with."""
    sampled: bool | None
    """Whether its own spans are exported; None where nobody makes any: what came is handed on as it is."""

    def context(self, step: str = "", attempt: int = 0, *, answered: bool = False) -> TraceContext | None:
        """What the run, its step or its try hands to whomever it calls; None if it is part of no trace."""
        if self.sampled is None:
            return self.given
        return TraceContext(
            trace_id=trace_of(self.run_id, self.given.headers() if self.given is not None else {}),
            span_id=span_of(self.run_id, step, attempt, answered=answered),
            sampled=self.sampled,
            state=self.given.state if self.given is not None else "",
        )

    def headers(self, step: str = "", attempt: int = 0, *, answered: bool = False) -> dict[str, str]:
        """The same as headers; none if it is part of no trace."""
        context = self.context(step, attempt, answered=answered)
        return {} if context is None else context.headers()


NO_TRACE = RunTrace(run_id="", given=None, sampled=None)
"""Of runs that no engine drives."""

__all__ = [
    "NO_TRACE",
    "TRACEPARENT",
    "TRACESTATE",
    "RunTrace",
    "TraceContext",
    "read_labels",
    "span_of",
    "trace_of",
]
