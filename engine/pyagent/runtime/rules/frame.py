"""The dynamic side of the rules: a fold over one frame's log that says what is ready next (SEMANTICS 4-12).

The work for an entry is proportional to the edges it settles, and each edge is settled once in a scope: a run
costs O(steps + edges), however big the graph is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Sized

from pyagent.errors import RunError, Where
from pyagent.runtime.rules.ancestry import Ancestry
from pyagent.runtime.rules.losers import is_doomed, losers
from pyagent.runtime.rules.plan import NOWHERE, Plan, PlanEdge
from pyagent.runtime.rules.state import ENDED, RUNNING, SKIPPED, Iteration, LoopRun, Waiting, copied
from pyagent.runtime.rules.types import INPUT, Decisions, Delivery, Ready, RuleFailure, StepId

NOTHING: tuple[Delivery, ...] = ()
FROM_OUTSIDE = Delivery(INPUT, StepId(""))


class Frame:
    """One execution of one node set. Deterministic: the same entries in the same order give the same decisions.

    `start()` comes first, then one `end_step` for each step that ended, in the order of the log. To rebuild a
    frame, replay its entries. Choices that the text of the rules leaves open:

    - What all of a header's steps put on `done` is delivered at the loop's end, in the order of iterations.
    - The deliveries of one entry are recorded one by one, in the order of the edges in the file: `any` takes the
      first of them and ignores the others.
    - A node is skipped as soon as its `N of M` can no longer be met; what comes later is not listed as ignored.
    - With `losers: cancel`, a step that becomes ready although it can only feed ignored deliveries is reported as
      ready and as a loser at once.
    """

    __slots__ = (
        "_ended",
        "_failure",
        "_losing",
        "_max_steps",
        "_queue",
        "_root",
        "_running",
        "_skipped",
        "_started",
        "plan",
    )

    def __init__(self, plan: Plan, max_steps: int = 100_000) -> None:
        """A frame of `plan` that may start at most `max_steps` steps (rule 7)."""
        self.plan = plan
        self._max_steps = max_steps
        self._root = Iteration((), None, 0)
        self._running: dict[StepId, Iteration] = {}
        self._ended: list[StepId] = []
        self._skipped: list[StepId] = []
        self._started = 0
        self._failure: RuleFailure | None = None
        self._losing = False
        self._queue: list[tuple[Iteration, int]] = []

    @property
    def running(self) -> Collection[StepId]:
        """Steps that started and have not ended, in the order of their start."""
        return self._running.keys()

    @property
    def ended_steps(self) -> Sequence[StepId]:
        """Steps that ended, in the order of the log."""
        return self._ended

    @property
    def skipped(self) -> Sequence[StepId]:
        """Nodes that were skipped, with the scope they were skipped in, in the order of the decisions."""
        return self._skipped

    @property
    def ended(self) -> bool:
        """Whether nothing runs and nothing can start any more."""
        return self._started > 0 and not self._running

    @property
    def failure(self) -> RuleFailure | None:
        """Why the rules fail the run, if they do; nothing starts after that."""
        return self._failure

    def start(self) -> Decisions:
        """The roots are ready; their one delivery is `Delivery(INPUT, StepId(""))`."""
        decisions = Decisions()
        ready = self.start_straight()
        if ready is not None:
            decisions.ready.extend(ready)
            return decisions
        self._give_up(self._root, NOWHERE, decisions)
        for edge in self.plan.root_edges:
            self._arrive(self._root, edge, (FROM_OUTSIDE,), True, decisions)
        return self._settle(decisions)

    def start_straight(self) -> Sequence[Ready] | None:
        """What `start` makes ready, if that is all that it decides; else None, and nothing has changed."""
        starts = self.plan.starts
        if not starts or len(starts) > self._max_steps:
            return None
        root, running = self._root, self._running
        for start in starts:
            running[start.ready.step] = root
            root.status[start.target] = RUNNING
        self._started = len(starts)
        return [start.ready for start in starts]

    def end_straight(self, step: tuple[str, tuple[int, ...]], outputs: Mapping[str, Sized]) -> Sequence[Ready] | None:
        """What `end_step` makes ready, if that is all that it decides; else None, and nothing has changed.

        `outputs` are items by port, none of them empty. So it is where a step outside loops delivers on all its
        edges, and their targets have no other: by far the most frequent case. `ended` tells the rest.
        """
        plan = self.plan
        node = plan.index.get(step[0])
        edges = plan.straight[node] if node is not None else None
        if (
            node is None
            or edges is None
            or self._failure is not None
            or self._losing
            or self._started + len(edges) > self._max_steps
        ):
            return None
        for port, _, _ in edges:
            if port not in outputs:
                return None
        own, running = plan.steps[node], self._running
        root = running.pop(own, None) if step == own else None
        if root is None:
            return None
        self._ended.append(own)
        status = root.status
        status[node] = ENDED
        found: list[Ready] = []
        for _, target, ready in edges:
            running[ready.step] = root
            status[target] = RUNNING
            found.append(ready)
        self._started += len(found)
        return found

    def end_step(self, step: StepId, counts: Mapping[str, int], more: bool = False) -> Decisions:
        """A started step has ended; a cancelled one ends with empty `counts`.

        `counts` gives the items per output port; a port that is absent or 0 delivers nothing. `more` is a
        header's word that it wants another iteration even if nothing comes back.

        Raises `RunError` (`run.step_not_running`) for a step that has not started or has ended already.
        """
        if not more:
            ready = self.end_straight(step, {port: range(count) for port, count in counts.items() if count > 0})
            if ready is not None:
                decisions = Decisions()
                decisions.ready.extend(ready)
                decisions.ended = not self._running
                return decisions
        return self.end_branching(step, counts, more)

    def end_branching(self, step: StepId, counts: Mapping[str, int], more: bool = False) -> Decisions:
        """As `end_step`; for who has asked `end_straight` already."""
        scope = self._running.pop(step, None)
        if scope is None:
            raise RunError(
                f"step {step} ended but was not running",
                code="run.step_not_running",
                hint="The log has an entry that its earlier entries do not lead to: it was damaged or mixed up.",
                where=Where(node=step.node, step=str(step)),
            )
        node = self.plan.index[step.node]
        self._ended.append(step)
        scope.status[node] = ENDED
        decisions = Decisions()
        if self._failure is not None:
            return self._settle(decisions)
        loop = scope.loop
        if loop is not None:
            if more and loop.header == node:
                scope.more = True
            self._resolved(scope)
        for edge in self.plan.outgoing[node]:
            delivers = counts.get(edge.port, 0) > 0
            if edge.done:
                if delivers and loop is not None and (not loop.done or loop.done[-1] != step):
                    loop.done.append(step)
            elif edge.closed_by == NOWHERE:
                arrived = (Delivery(edge.index, step),) if delivers else NOTHING
                self._arrive(scope, edge, arrived, True, decisions)
            elif delivers:
                self._arrive(_outwards(scope, edge.up), edge, (Delivery(edge.index, step),), False, decisions)
        if loop is not None and loop.header == node:
            self._come_back(scope, NOTHING, True, decisions)
        return self._settle(decisions)

    def copy(self) -> Frame:
        """An independent frame in the same state; costs time in proportion to the steps so far."""
        twin = Frame(self.plan, self._max_steps)
        twin._root, twins = copied(self._root)
        twin._running = {step: twins[id(scope)] for step, scope in self._running.items()}
        twin._ended = list(self._ended)
        twin._skipped = list(self._skipped)
        twin._started = self._started
        twin._failure = self._failure
        twin._losing = self._losing
        return twin

    def resolve(self, reader: StepId | None, node: str) -> StepId | None:
        """The step of `node` that `reader` may read (rule 27), or None if there is none upstream.

        Of the reader's ancestors that of `node` which shares the longest part of its scope, and of these the latest
        iteration. `reader` None is the end of the frame: the latest step of `node` of all (`outputs`).

        Raises `KeyError` if the plan does not reach one of the nodes.
        """
        index = self.plan.index
        ancestry = Ancestry(self.plan, self._root)
        if reader is None:
            path = ancestry.latest(index[node])
        else:
            path = ancestry.resolve((index[reader.node], reader.scope), index[node])
        return None if path is None else StepId(node, path)

    def is_ancestor(self, step: StepId, of: StepId) -> bool:
        """Whether `step` ended and a chain of edges leads from it to the started step `of` (rule 27)."""
        index = self.plan.index
        return Ancestry(self.plan, self._root).is_ancestor((index[step.node], step.scope), (index[of.node], of.scope))

    def fork_keep(self, step: StepId) -> list[StepId]:
        """The ended steps that do not descend from `step`, in the order of the log; `step` itself is not kept.

        They are what a fork at `step` keeps (rule 24), as far as nodes are unchanged.
        """
        return [ended for ended in self._ended if ended != step and not self.is_ancestor(step, ended)]

    # What an edge brings --------------------------------------------------------------------------------------

    def _arrive(
        self,
        scope: Iteration,
        edge: PlanEdge,
        deliveries: tuple[Delivery, ...],
        closes: bool,
        decisions: Decisions,
    ) -> None:
        """`edge` puts `deliveries` into `scope` (for a back edge the iteration it ends), and may close."""
        if edge.back:
            self._come_back(scope, deliveries, closes, decisions)
            return
        node = edge.target
        if self.plan.simple[node]:
            if deliveries:
                self._run(scope, node, deliveries, decisions)
            else:
                self._skip(scope, node, decisions)
            return
        need = self.plan.need[node]
        join = scope.joins.get(node)
        if join is None:
            join = scope.await_edges(node, len(self.plan.incoming[node]), need > 0)
        join.open -= closes
        if need:
            self._arrive_at_partial(scope, edge, join, need, deliveries, closes, decisions)
            return
        join.deliveries.extend(deliveries)
        if not join.open:
            del scope.joins[node]
            if join.deliveries:
                self._run(scope, node, tuple(sorted(join.deliveries)), decisions)
            else:
                self._skip(scope, node, decisions)

    def _arrive_at_partial(
        self,
        scope: Iteration,
        edge: PlanEdge,
        join: Waiting,
        need: int,
        deliveries: tuple[Delivery, ...],
        closes: bool,
        decisions: Decisions,
    ) -> None:
        """`any` and `N of M`: run at the N-th edge that delivers, skip once too many are dead."""
        node = edge.target
        now = len(self._ended)
        if closes and join.met_at in (None, now):
            join.closed.add(edge.index)
        for delivery in deliveries:
            # What the entry that met the join goes on to bring is ignored, yet its senders are ancestors.
            if join.met_at in (None, now):
                join.deliveries.append(delivery)
            if join.ran:
                decisions.ignored.append((delivery, self._target(scope, node)))
            if join.met_at is not None:
                continue
            join.delivered.add(edge.index)
            if len(join.delivered) >= need:
                join.met_at, join.ran = now, True
                self._run(scope, node, tuple(sorted(join.deliveries)), decisions)
        if join.met_at is not None or not closes:
            return
        join.dead += edge.index not in join.delivered
        if len(self.plan.incoming[node]) - join.dead < need:
            join.met_at = now
            self._skip(scope, node, decisions)

    def _give_up(self, scope: Iteration, home: int, decisions: Decisions) -> None:
        """Skip what can never run in a new scope."""
        for node in self.plan.hopeless.get(home, ()):
            join = scope.await_edges(node, len(self.plan.incoming[node]), True)
            join.met_at = len(self._ended)
            self._skip(scope, node, decisions)

    def _come_back(
        self, scope: Iteration, deliveries: tuple[Delivery, ...], closes: bool, decisions: Decisions
    ) -> None:
        """A back edge of the iteration `scope`: once all have closed, the next one starts, or this was the last.

        The end of the header's own step counts with them: only then is it known whether it has more, and back edges
        can close before it, where what they come from is skipped as the iteration starts.
        """
        scope.back.extend(deliveries)
        scope.back_open -= closes
        loop = scope.loop
        if scope.back_open or loop is None:
            return
        if scope.back or scope.more:
            returned = tuple(sorted(scope.back))
            scope.back.clear()
            self._iterate(loop, returned, decisions)
        else:
            loop.last = True
            if not loop.open:
                self._queue.append((loop.outer, loop.header))

    # What becomes of a node -----------------------------------------------------------------------------------

    def _run(self, scope: Iteration, node: int, deliveries: tuple[Delivery, ...], decisions: Decisions) -> None:
        """The join of `node` is met in `scope`: a header starts its loop there."""
        if self.plan.is_header[node]:
            loop = scope.enter(node)
            self._iterate(loop, deliveries, decisions)
        else:
            self._begin(scope, node, deliveries, decisions)
        if self.plan.rules[node].cancel_losers and self._failure is None:
            self._losing = True
            decisions.losers.extend(losers(self.plan, scope, node, self._running))

    def _iterate(self, loop: LoopRun, deliveries: tuple[Delivery, ...], decisions: Decisions) -> None:
        """Start the next iteration of `loop` with what its header gets."""
        if self._failure is not None:
            return
        plan, header = self.plan, loop.header
        number = len(loop.iterations) + 1
        bound = plan.rules[header].loop_max
        if bound is not None and number > bound:
            name = plan.ids[header]
            self._fail("run.loop_limit", name, f"the loop of {name} went on after {bound} iterations", decisions)
            return
        scope = Iteration((*loop.outer.path, number), loop, len(plan.back_sources[header]) + 1)
        loop.iterations.append(scope)
        loop.open += plan.children[header]
        self._give_up(scope, header, decisions)
        self._begin(scope, header, deliveries, decisions)

    def _begin(self, scope: Iteration, node: int, deliveries: tuple[Delivery, ...], decisions: Decisions) -> None:
        if self._failure is not None:
            return
        name = self.plan.ids[node]
        if self._started >= self._max_steps:
            self._fail("run.max_steps", name, f"more than {self._max_steps} steps", decisions)
            return
        self._started += 1
        step = StepId(name, scope.path)
        self._running[step] = scope
        scope.status[node] = RUNNING
        decisions.ready.append(Ready(step, deliveries))
        if self._losing and is_doomed(scope, node):
            decisions.losers.append(step)

    def _skip(self, scope: Iteration, node: int, decisions: Decisions) -> None:
        """The join of `node` can no longer be met. Of a loop that is never entered nothing is listed."""
        if not self.plan.is_header[node]:
            scope.status[node] = SKIPPED
            step = StepId(self.plan.ids[node], scope.path)
            self._skipped.append(step)
            decisions.skipped.append(step)
            self._resolved(scope)
        self._queue.append((scope, node))

    def _resolved(self, scope: Iteration) -> None:
        """A node or an inner loop of `scope` has ended or was skipped; perhaps that was the loop's last one."""
        loop = scope.loop
        if loop is not None:
            loop.open -= 1
            if loop.last and not loop.open:
                self._queue.append((loop.outer, loop.header))

    def _fail(self, code: str, node: str, message: str, decisions: Decisions) -> None:
        """The run fails: nothing that was decided by this entry starts."""
        self._failure = RuleFailure(code, node, message)
        for ready in decisions.ready:
            del self._running[ready.step]
        decisions.ready.clear()
        decisions.losers.clear()
        self._queue.clear()

    # What follows ---------------------------------------------------------------------------------------------

    def _settle(self, decisions: Decisions) -> Decisions:
        """Follow dead paths and ended loops until nothing more follows from this entry."""
        # It grows while it is gone through.
        for scope, node in self._queue:
            if self._failure is not None:
                break
            if self.plan.is_header[node]:
                self._end_loop(scope, node, decisions)
            else:
                for edge in self.plan.outgoing[node]:
                    if edge.closed_by == NOWHERE:
                        self._arrive(scope, edge, NOTHING, True, decisions)
        self._queue.clear()
        decisions.failure = self._failure
        decisions.ended = not self._running
        return decisions

    def _end_loop(self, outer: Iteration, header: int, decisions: Decisions) -> None:
        """The loop of `header` has ended in `outer`, or was never entered: `done` delivers, what leaves it closes."""
        loop = outer.loops.get(header)
        done = sorted(loop.done) if loop is not None else []
        for edge in self.plan.at_end[header]:
            closes = edge.closed_by == header
            if edge.done and edge.source == header:
                deliveries = tuple(Delivery(edge.index, step) for step in done)
                scope = _outwards(outer, edge.up - 1)
            else:
                deliveries, scope = NOTHING, outer
            if deliveries or closes:
                self._arrive(scope, edge, deliveries, closes, decisions)
        self._resolved(outer)

    def _target(self, scope: Iteration, node: int) -> StepId:
        path = (*scope.path, 1) if self.plan.is_header[node] else scope.path
        return StepId(self.plan.ids[node], path)


def _outwards(scope: Iteration, levels: int) -> Iteration:
    """The scope that is `levels` loops further out."""
    for _ in range(levels):
        if scope.loop is not None:
            scope = scope.loop.outer
    return scope
