"""The reference interpreter: from a graph and the log of ended steps to what is ready, skipped and over.

Nothing is kept up to date here. The history holds bare facts (which steps started, ended, were skipped; what was put
on which edge, in order); each question is answered by searching them, and after each entry the rules are asked again
and again until none adds a fact.

Places where the text needs an interpretation (the rule, then how it is read here):

* "`any`: runs at the first recorded delivery", "`N of M`: runs when the N-th edge has delivered" (4). The deliveries
  of one entry are recorded one by one in the order of the edges in the file, and such a join is decided after each:
  the ones after it in the same entry are ignored.
* "runs when the N-th edge has delivered" (4). An edge that leaves a loop may deliver several times and counts once;
  the step sees all that came until then.
* "A node whose join can no longer be met is skipped" (5). At once, when fewer than N edges have delivered or are
  open; not only when all are closed.
* "Deliveries that come after a node ran are recorded as ignored" (4). "Ran" is "was started". What comes to a node
  that was skipped before (N of M) has not to be recorded; it is not listed here.
* "Entry deliveries that come later are recorded as ignored" (10). Their target is the header's step of iteration 1.
* "closed ... when its source can put no more on it: the source's step has ended, or the source was skipped, or (for
  an edge that leaves loops) the outermost loop it leaves has ended" (4). An edge that leaves loops has many source
  steps, so for it only the third holds. That is so for a back edge to an outer loop, too.
* "iteration n+1 starts if any of them delivered ... or the header's step said that it has more" (10). What the header
  said is known when its step has ended, also where the back edges close before that (all their sources skipped).
* "no step of the region runs, waits or can start" (10). Each node of the region, in each of its iterations, has run
  and ended or was skipped, and each loop inside has ended.
* "What a header puts on its `done` port is delivered when the loop has ended, in the outer scope" (11). One delivery
  for each iteration that put something there, in their order, with that iteration's step as sender; edge after edge
  in the order of the file. As with other edges out of a loop, an `any` join runs at the first of them.
* "A skipped step is listed only in scopes that exist" (the cases). A header whose loop was not entered is not listed.
* "the iteration after that fails the run" (12). Other decisions of the same entry may come before the failure or not.
* "`settings.max_steps` ... bounds every run" (7). The step after that fails the run, as in rule 12.
* "with `losers: cancel` the steps that could only have fed it are cancelled" (4). At least the running steps from
  which each way ends at the node that ran, in its own scope, by nodes that are not decided yet; steps that start
  later included. At most those from which each way ends at a delivery that will be ignored, and some way leads to
  such a node.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reference.shape import Edge, Graph, Node, Refused, Shape, flood

Scope = tuple[int, ...]
Step = tuple[str, Scope]
Delivery = tuple[int, Step]


@dataclass(frozen=True)
class Entry:
    """A step that ended: how many items it put on each port, and whether it said that it has more."""

    step: Step
    counts: Mapping[str, int] = field(default_factory=dict[str, int])
    more: bool = False


@dataclass
class Decided:
    """What follows from one entry of the log."""

    ready: dict[Step, tuple[Delivery, ...]] = field(default_factory=dict[Step, tuple[Delivery, ...]])
    skipped: set[Step] = field(default_factory=set[Step])
    ignored: list[tuple[Delivery, Step]] = field(default_factory=list[tuple[Delivery, Step]])
    losers_at_least: set[Step] = field(default_factory=set[Step])
    losers_at_most: set[Step] = field(default_factory=set[Step])
    failures: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    """Codes and nodes of which one fails the run: a step or an iteration too many would start."""
    ended: bool = False


class History:
    """The facts of one run."""

    def __init__(self, graph: Graph, max_steps: int = 100_000) -> None:
        self.shape = Shape(graph)
        self.max_steps = max_steps
        self.started: dict[Step, tuple[Delivery, ...]] = {}
        self.entries: dict[Step, Entry] = {}
        self.skipped: set[Step] = set()
        self.never_entered: set[tuple[str, Scope]] = set()
        self.ended_loops: set[tuple[str, Scope]] = set()
        self.deliveries: list[Delivery] = []
        self.limits: set[str] = set()
        self.now = Decided()

    # Entries of the log.

    def begin(self) -> Decided:
        """The first entry: the run starts at its triggers."""
        self.now = Decided()
        for name in self.shape.graph.triggers:
            self.start((name, (1,) if name in self.shape.headers else ()), [])
        return self.settle()

    def end(self, entry: Entry) -> Decided:
        """A running step ended. Raises `ValueError` for one that is not running."""
        if entry.step not in self.running():
            raise ValueError(f"{entry.step} is not running")
        self.now = Decided()
        for edge in self.shape.outgoing(entry.step[0]):
            if entry.counts.get(self.shape.graph.edges[edge].port, 0) > 0 and not self.shape.is_done(edge):
                self.put(edge, entry.step)
        self.entries[entry.step] = entry
        return self.settle()

    def settle(self) -> Decided:
        """Ask the rules until none of them adds a fact."""
        while self.one_more_fact():
            pass
        ran = {self.place(step) for step in self.started}
        cancelling = {place for place in ran if self.shape.node[place[0]].losers}
        decided = ran | self.skipped | self.never_entered
        for step in self.running() if cancelling else []:
            if any(self.ends(step, {place}, decided) for place in cancelling):
                self.now.losers_at_least.add(step)
            leads_to = flood([step[0]], self.shape.pairs.values())
            if self.ends(step, ran, set()) and any(name in leads_to for name, _ in cancelling):
                self.now.losers_at_most.add(step)
        self.now.failures = {("run.loop_limit", header) for header in self.limits}
        if len(self.started) > self.max_steps:
            self.now.failures |= {("run.max_steps", name) for name, _ in self.now.ready}
        self.now.ended = not self.running()
        return self.now

    # Questions about the facts.

    def running(self) -> list[Step]:
        """Steps that started and did not end, in the order of their start."""
        return [step for step in self.started if step not in self.entries]

    def iterations(self, header: str, outer: Scope) -> int:
        """How many iterations of a loop have started."""
        return sum(1 for name, scope in self.started if name == header and scope[:-1] == outer)

    def scopes(self, loops: tuple[str, ...]) -> list[Scope]:
        """The scopes that exist inside these nested loops."""
        if not loops:
            return [()]
        return [
            (*outer, n) for outer in self.scopes(loops[:-1]) for n in range(1, self.iterations(loops[-1], outer) + 1)
        ]

    def meeting(self, edge: int, source: Step) -> Scope:
        """The scope in which a delivery is met: the iterations of the loops that both ends are in."""
        return source[1][: self.shape.shared(edge)]

    def place(self, step: Step) -> tuple[str, Scope]:
        """The node and the scope in which its join was met: for a header's step, the one around its loop."""
        name, scope = step
        return (name, scope[: len(self.shape.outside(name))])

    def first_step(self, name: str, scope: Scope) -> Step:
        """The step that a join met in `scope` starts: for a header, that of its iteration 1."""
        return (name, (*scope, 1) if name in self.shape.headers else scope)

    def on(self, edge: int, scope: Scope) -> list[Delivery]:
        """What an edge has delivered in a scope."""
        return [put for put in self.deliveries if put[0] == edge and self.meeting(*put) == scope]

    def closed(self, edge: int, scope: Scope) -> bool:
        """Rule 4: whether the edge's source can put no more on it in this scope."""
        source = self.shape.pairs[edge][0]
        leaves = self.shape.path[source][len(scope) :]
        if leaves:
            return (leaves[0], scope) in self.ended_loops
        return (source, scope) in self.entries or (source, scope) in self.skipped

    def loop_is_over(self, header: str, outer: Scope) -> bool:
        """Rule 10: whether the loop has ended."""
        if (header, outer) in self.never_entered:
            return True
        last = self.iterations(header, outer)
        if last == 0 or self.goes_on(header, (*outer, last)):
            return False
        inside = [*self.shape.path[header][:-1], header]
        for n in range(1, last + 1):
            scope = (*outer, n)
            for name in self.shape.nodes:
                if name == header or self.shape.outside(name) != tuple(inside):
                    continue
                if name in self.shape.headers:
                    if (name, scope) not in self.ended_loops:
                        return False
                elif (name, scope) not in self.entries and (name, scope) not in self.skipped:
                    return False
            if (header, scope) not in self.entries:
                return False
        return all(self.closed(edge, (*outer, last)) for edge in self.shape.returning(header))

    def goes_on(self, header: str, scope: Scope) -> bool:
        """Rule 10: whether an iteration is not the last one, as far as is known."""
        said = self.entries.get((header, scope))
        return any(self.on(edge, scope) for edge in self.shape.returning(header)) or bool(said and said.more)

    def delivered_edges(self, name: str, scope: Scope) -> int:
        """How many of a node's edges have delivered."""
        return sum(1 for edge in self.shape.incoming(name) if self.on(edge, scope))

    def wanted(self, name: str) -> int:
        """How many edges must have delivered before the node may run at all."""
        join = self.shape.node[name].join
        return join if isinstance(join, int) else 1

    # Rules that add facts.

    def start(self, step: Step, deliveries: Iterable[Delivery]) -> None:
        """A step starts with these deliveries, in the order of rule 3."""
        seen = tuple(sorted(deliveries, key=lambda put: (put[0], put[1][1])))
        self.started[step] = seen
        self.now.ready[step] = seen

    def put(self, edge: int, source: Step) -> None:
        """A delivery is recorded; joins that do not wait for all are decided at once."""
        scope = self.meeting(edge, source)
        self.deliveries.append((edge, source))
        if edge in self.shape.back:
            return
        name = self.shape.pairs[edge][1]
        step = self.first_step(name, scope)
        if step in self.skipped or (name, scope) in self.never_entered:
            return
        if step in self.started:
            self.now.ignored.append(((edge, source), step))
        elif self.shape.node[name].join != "all" and self.delivered_edges(name, scope) >= self.wanted(name):
            self.start_by_join(name, scope)

    def start_by_join(self, name: str, scope: Scope) -> None:
        """A node's join is met."""
        seen = [put for edge in self.shape.incoming(name) for put in self.on(edge, scope)]
        self.start(self.first_step(name, scope), seen)

    def one_more_fact(self) -> bool:
        """Add one fact that the rules demand; False if there is none."""
        for header in self.shape.headers:
            for outer in self.scopes(self.shape.outside(header)):
                if (header, outer) not in self.ended_loops and self.loop_is_over(header, outer):
                    self.end_loop(header, outer)
                    return True
                if self.next_iteration(header, outer):
                    return True
        for name in self.shape.nodes:
            for scope in self.scopes(self.shape.outside(name)):
                if self.decide(name, scope):
                    return True
        return False

    def end_loop(self, header: str, outer: Scope) -> None:
        """Rule 11: a loop has ended; what its header put on `done` is delivered."""
        for edge in self.shape.outgoing(header):
            port = self.shape.graph.edges[edge].port
            for n in range(1, self.iterations(header, outer) + 1):
                step = (header, (*outer, n))
                if self.shape.is_done(edge) and self.entries[step].counts.get(port, 0) > 0:
                    self.put(edge, step)
        self.ended_loops.add((header, outer))

    def next_iteration(self, header: str, outer: Scope) -> bool:
        """Rules 10 and 12: iteration n+1 starts when the back edges of n are closed and there is cause to."""
        last = self.iterations(header, outer)
        scope = (*outer, last)
        if last == 0 or header in self.limits or not self.goes_on(header, scope):
            return False
        if not all(self.closed(edge, scope) for edge in self.shape.returning(header)):
            return False
        limit = self.shape.node[header].max
        if limit is not None and last + 1 > limit:
            self.limits.add(header)
        else:
            seen = [put for edge in self.shape.returning(header) for put in self.on(edge, scope)]
            self.start((header, (*outer, last + 1)), seen)
        return True

    def decide(self, name: str, scope: Scope) -> bool:
        """Rules 4 and 5 for a node in a scope that exists; False if it was decided before or is still open."""
        step = self.first_step(name, scope)
        if step in self.started or step in self.skipped or (name, scope) in self.never_entered:
            return False
        edges = self.shape.incoming(name)
        delivered = self.delivered_edges(name, scope)
        is_open = [edge for edge in edges if not self.closed(edge, scope)]
        may_deliver = sum(1 for edge in is_open if not self.on(edge, scope))
        if delivered + may_deliver < self.wanted(name):
            if name in self.shape.headers:
                self.never_entered.add((name, scope))
            else:
                self.skipped.add(step)
                self.now.skipped.add(step)
            return True
        if self.shape.node[name].join == "all" and not is_open:
            self.start_by_join(name, scope)
            return True
        return False

    # Losers.

    def ends(self, step: Step, stops: set[Step], walls: set[Step]) -> bool:
        """Whether each way from a step ends at one of `stops` and meets none of `walls` before.

        A way is followed as a node and the part of its scope that is known: a new iteration or a loop that is entered
        is not yet one of the scopes that the stops are in.
        """
        links: set[tuple[Step, Step]] = set()
        reached, todo = {step}, [step]
        arriving: set[Step] = set()
        while todo:
            here = todo.pop()
            name, known = here
            if not self.shape.outgoing(name):
                return False
            for edge in self.shape.outgoing(name):
                target = self.shape.pairs[edge][1]
                if edge in self.shape.back:
                    there = (target, known[: len(self.shape.path[target]) - 1])
                else:
                    there = (target, known[: self.shape.shared(edge)])
                    if len(there[1]) == len(self.shape.outside(target)):
                        if there in stops:
                            arriving.add(here)
                            continue
                        if there in walls:
                            return False
                links.add((here, there))
                if there not in reached:
                    reached.add(there)
                    todo.append(there)
        while more := {here for here, there in links if there in arriving} - arriving:
            arriving |= more
        return arriving == reached


def decide(graph: Graph, log: Sequence[Entry]) -> list[Decided]:
    """What is decided at the start of a run and after each entry of its log."""
    history = History(graph)
    return [history.begin(), *(history.end(entry) for entry in log)]


@dataclass
class Result:
    """How a case ended; steps as `node@scope(items)`, skipped steps as `node@scope`, both sorted."""

    end: str
    steps: list[str] = field(default_factory=list[str])
    skipped: list[str] = field(default_factory=list[str])


def spell(step: Step) -> str:
    """A step as the cases write it."""
    return f"{step[0]}@{'.'.join(map(str, step[1]))}" if step[1] else step[0]


def graph_of(case: Mapping[str, Any]) -> Graph:
    """The graph of a case."""
    edges: list[Edge] = []
    names = [case["start"]]
    for text in case["edges"]:
        source, target = text.split(" -> ")
        source, _, port = source.partition(".")
        edges.append(Edge(source, port or "out", target))
        names += [source, target]
    nodes: list[Node] = []
    for name in dict.fromkeys(names):
        join = str(case.get("join", {}).get(name, "all"))
        nodes.append(
            Node(
                name,
                join=join if join in ("all", "any") else int(join.split()[0]),
                max=case.get("max", {}).get(name, 1000),
            )
        )
    return Graph(tuple(nodes), tuple(edges), (case["start"],))


def run(case: Mapping[str, Any]) -> Result:
    """Play a case of `semantics_cases.yaml` in virtual time; steps that end together end in the order of start."""
    graph = graph_of(case)
    try:
        history = History(graph)
    except Refused as refused:
        return Result(end=refused.code)
    sent: dict[Delivery, int] = {}
    items: dict[Step, int] = {}
    calendar: list[tuple[float, int, Step]] = []

    def schedule(decided: Decided, now: float) -> None:
        for step, deliveries in decided.ready.items():
            items[step] = sum(sent[put] for put in deliveries) if step[0] not in graph.triggers else 1
            heapq.heappush(calendar, (now + case.get("takes", {}).get(step[0], 1), len(items), step))

    def result(end: str) -> Result:
        return Result(
            end=end,
            steps=sorted(f"{spell(step)}({count})" for step, count in items.items()),
            skipped=sorted(map(spell, history.skipped)),
        )

    schedule(history.begin(), 0)
    while calendar:
        now, _, step = heapq.heappop(calendar)
        name, scope = step
        if name in case.get("fail", []):
            return result("failed")
        iteration = scope[-1] - 1 if scope else 0
        ports = {edge.port for edge in graph.edges if edge.source == name}
        counts = dict.fromkeys(ports, items[step])
        if name in case.get("emit", {}):
            counts = {port: nth(given, iteration) for port, given in case["emit"][name].items()}
        said = case.get("more", {}).get(name, [])
        for edge, definition in enumerate(graph.edges):
            if definition.source == name:
                sent[(edge, step)] = counts.get(definition.port, 0)
        decided = history.end(Entry(step, counts, iteration < len(said) and bool(said[iteration])))
        schedule(decided, now)
        if decided.failures:
            return result("run.loop_limit")
    return result("completed")


def nth(given: int | list[int], iteration: int) -> int:
    """The number for an iteration: the last of a list repeats."""
    return given[min(iteration, len(given) - 1)] if isinstance(given, list) else given
