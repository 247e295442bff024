"""Everything that the log has said of a run so far, as the fold in `runtime.state` has left it: to be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyagent.errors import RunError
from pyagent.runtime.failure import ErrorData
from pyagent.runtime.frames import Expansion, FrameState, Outcome, key_in
from pyagent.runtime.log import Entry, StepKey
from pyagent.runtime.program import NodeProgram, Program
from pyagent.runtime.rules import Delivery
from pyagent.sdk.items import Items

LoadProgram = Callable[[str], Program]
"""A called graph's program by its hash."""


class RunBook:
    """Everything that the log says of a run."""

    def __init__(self, program: Program, load: LoadProgram | None = None) -> None:
        self.program = program
        self._max_steps = program.graph.settings.max_steps
        self._load = load or _no_programs
        self.reset()

    def reset(self) -> None:
        """Back to before the first entry."""
        self.steps = 0
        """Steps that became ready."""
        self.adoptions = 0
        """Workers that died since the run got on."""
        self.applied: set[str] = set()
        self.length = 0
        self.started: dict[str, Any] | None = None
        """Data of `run.started`."""
        self.given: Items | None = None
        """What the trigger puts out, where the run it continues has said so (`runtime.restart`)."""
        self.frames: dict[str, FrameState] = {}
        self.expansions: dict[StepKey, Expansion] = {}
        self.awaiting: dict[str, None] = {}
        """Graphs' frames that have ended and whose outputs are not in the log yet."""
        self.startable: dict[StepKey, int] = {}
        """Steps that are ready and have not ended, in the order in which they became so, with their place in it."""
        self.deliveries: dict[StepKey, tuple[Delivery, ...]] = {}
        self.outcomes: dict[StepKey, Outcome] = {}
        self.parked: dict[StepKey, dict[str, Any]] = {}
        """Steps that wait, with what for; `kind: unknown` for those that a person must settle."""
        self.answers: dict[StepKey, dict[str, Any]] = {}
        self.begun: dict[StepKey, int] = {}
        """`once` tries whose beginning is in the log and whose end is not: the try's number."""
        self.tries: dict[StepKey, int] = {}
        """Failed tries."""
        self.item_outcomes: dict[StepKey, dict[int, dict[str, Any]]] = {}
        self.reusable: dict[StepKey, Entry] = {}
        """Outcomes of `once` steps that a fork keeps for when they become ready."""
        self.called: list[tuple[str, str]] = []
        """Runs started by calls that were not waited for, and what becomes of them when this run is cancelled."""
        self.failure: ErrorData | None = None
        self.beyond_mending: ErrorData | None = None
        """What failed the run where that is no step that could be tried again, but what follows from those that have
        ended: a loop without end, writes that cannot meet."""
        self.cancelled: dict[str, Any] | None = None
        self.paused = False
        self.stopped: dict[str, Any] | None = None
        """Set by `flow.stop`: the run ends early, as its `status` says."""
        self.ended: dict[str, Any] | None = None
        self._over: list[FrameState] = []
        """Elements' frames that ended with the last entry: who recorded it may still look at them."""

    def called_program(self, hash: str) -> Program:
        """The program of a graph that the run calls."""
        return self._load(hash)

    # -- reading ------------------------------------------------------------------------------------------------

    @property
    def ending(self) -> bool:
        """Nothing new may start: the run failed, was cancelled or stopped, or has ended."""
        return bool(self.failure or self.cancelled or self.stopped or self.ended)

    @property
    def restarting(self) -> bool:
        """The run is ending, and a successor goes on for it."""
        return "restart" in (self.stopped or {})

    @property
    def settled(self) -> bool:
        """The run's own frame has ended, or the run is ending."""
        return self.ending or bool(self.frames and self.frames[""].closed)

    def runnable(self) -> list[StepKey]:
        """Steps that may be started now."""
        if self.ending or self.paused:
            return []
        return [key for key in self.startable if key not in self.parked and key not in self.expansions]

    def node(self, key: StepKey) -> NodeProgram:
        """The node of a step."""
        return self.frames[key.frame].program.nodes[key.node]

    def inputs_of(self, key: StepKey) -> dict[str, Items]:
        """The step's items by input port, in the order of SEMANTICS 3; ports that only dead edges lead to are empty."""
        frame = self.frames[key.frame]
        deliveries = self.deliveries[key]
        named = frame.nodes.ports_in(key.node)
        if len(deliveries) == 1:
            edge, source = deliveries[0]
            if edge < 0 and not named:
                return {"in": frame.entry}
            if edge >= 0 and len(named) == 1:
                outcome = self.outcomes[key_in(key.frame, source)]
                return {named[0]: outcome.outputs[frame.nodes.edges[edge].source_port]}
        parts: dict[str, list[Items]] = {port: [] for port in named}
        for edge, source in deliveries:
            if edge < 0:
                parts.setdefault("in", []).append(frame.entry)
                continue
            rule = frame.nodes.edges[edge]
            outcome = self.outcomes[StepKey(key.frame, source.node, source.scope)]
            parts.setdefault(rule.target_port, []).append(outcome.outputs[rule.source_port])
        return {port: Items.concat(found) if found else Items.of(()) for port, found in parts.items()}


def _no_programs(_: str) -> Program:
    raise RunError(
        "this run cannot call other graphs", code="run.no_graphs", hint="Give RunState a way to load programs."
    )
