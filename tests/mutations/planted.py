"""The mutations of the rules: what is wrong, where, and the text that makes it so."""

from __future__ import annotations

from typing import NamedTuple

FRAME = "runtime/rules/frame.py"
PLAN = "runtime/rules/plan.py"
LOSERS = "runtime/rules/losers.py"
TOPOLOGY = "graph/topology.py"


class Mutation(NamedTuple):
    """One planted fault; `old` stands exactly once in the file."""

    name: str
    file: str
    old: str
    new: str


MUTATIONS = [
    Mutation("any runs at the second delivery", PLAN, "max(1, rule.join.count)", "max(2, rule.join.count)"),
    Mutation("N of M runs one edge late", FRAME, "len(join.delivered) >= need", "len(join.delivered) > need"),
    Mutation(
        "N of M counts deliveries, not edges", FRAME, "len(join.delivered) >= need", "len(join.deliveries) >= need"
    ),
    Mutation(
        "N of M waits for all edges before it is skipped",
        FRAME,
        "len(self.plan.incoming[node]) - join.dead < need",
        "len(self.plan.incoming[node]) - join.dead < 1",
    ),
    Mutation(
        "an edge that delivered before it closed counts as dead",
        FRAME,
        "join.dead += edge.index not in join.delivered",
        "join.dead += 1",
    ),
    Mutation("all runs with nothing", FRAME, "            if join.deliveries:\n", "            if True:\n"),
    Mutation(
        "back edges count in the header's entry join",
        PLAN,
        "            if not edge.back:\n                incoming",
        "            if True:\n                incoming",
    ),
    Mutation("done is delivered in each iteration", FRAME, "            if edge.done:\n", "            if False:\n"),
    Mutation("done delivers the last iteration only", FRAME, "sorted(loop.done)", "sorted(loop.done)[-1:]"),
    Mutation("done delivers backwards", FRAME, "sorted(loop.done)", "sorted(loop.done, reverse=True)"),
    Mutation(
        "a skipped node's edges stay open",
        FRAME,
        "                for edge in self.plan.outgoing[node]:\n                    if",
        "                for edge in ():\n                    if",
    ),
    Mutation(
        "a loop that was never entered leaves its exits open",
        FRAME,
        "        done = sorted(loop.done) if loop is not None else []\n",
        "        done = sorted(loop.done) if loop is not None else []\n        if loop is None:\n            return\n",
    ),
    Mutation(
        "a join sees its deliveries in the order of arrival",
        FRAME,
        "                self._run(scope, node, tuple(sorted(join.deliveries)), decisions)\n            else:",
        "                self._run(scope, node, tuple(join.deliveries), decisions)\n            else:",
    ),
    Mutation(
        "what came back is seen backwards",
        FRAME,
        "returned = tuple(sorted(scope.back))",
        "returned = tuple(sorted(scope.back, reverse=True))",
    ),
    Mutation(
        "a late delivery runs the node again",
        FRAME,
        "                decisions.ignored.append((delivery, self._target(scope, node)))\n",
        "                self._run(scope, node, (delivery,), decisions)\n",
    ),
    Mutation(
        "late deliveries are not recorded as ignored",
        FRAME,
        "                decisions.ignored.append((delivery, self._target(scope, node)))\n",
        "                pass\n",
    ),
    Mutation(
        "an edge out of several loops closes with the innermost",
        PLAN,
        "self.index[role.leaves[0]] if",
        "self.index[role.leaves[-1]] if",
    ),
    Mutation("a loop may have one iteration too many", FRAME, "number > bound:", "number > bound + 1:"),
    Mutation("a loop is stopped one iteration early", FRAME, "number > bound:", "number >= bound:"),
    Mutation("more is not heard", FRAME, "if more and loop.header == node:", "if False:"),
    Mutation(
        "the next iteration starts at the first thing that comes back",
        FRAME,
        "        if scope.back_open or loop is None:",
        "        if (scope.back_open and not deliveries) or loop is None:",
    ),
    Mutation(
        "the loop ends before its side branches",
        FRAME,
        "            if not loop.open:\n                self._queue",
        "            if True:\n                self._queue",
    ),
    Mutation("a loop goes round whatever comes back", FRAME, "if scope.back or scope.more:", "if True:"),
    Mutation("iterations count from nought", FRAME, "len(loop.iterations) + 1", "len(loop.iterations)"),
    Mutation(
        "what follows done is part of the loop",
        TOPOLOGY,
        "return self.outer[source] if loop == source and self.is_done[edge] else loop",
        "return loop",
    ),
    Mutation(
        "a run may start one step too many",
        FRAME,
        "if self._started >= self._max_steps:",
        "if self._started > self._max_steps:",
    ),
    Mutation(
        "a join that can never be met waits",
        PLAN,
        "if need > len(self.incoming[node]):",
        "if False:",
    ),
    Mutation("straight on with nothing", FRAME, "            if port not in outputs:\n", "            if False:\n"),
    Mutation("straight steps are not counted", FRAME, "self._started += len(found)", "self._started += 0"),
    Mutation("straight on where steps may lose", FRAME, "            or self._losing\n", ""),
    Mutation("straight into a loop", PLAN, " or self.is_header[target] or not", " or not"),
    Mutation("straight into a join", PLAN, " or not self.simple[target]:", ":"),
    Mutation("straight past losers", PLAN, "if self.rules[target].cancel_losers or", "if"),
    Mutation("losers are not told", FRAME, "if self.plan.rules[node].cancel_losers and", "if False and"),
    Mutation("each early join makes losers", FRAME, "if self.plan.rules[node].cancel_losers and", "if True and"),
    Mutation(
        "a step that also feeds another node is a loser",
        LOSERS,
        "if count == len(plan.outgoing[source]):",
        "if count == 1:",
    ),
    Mutation(
        "a step that starts too late is no loser", FRAME, "if self._losing and is_doomed(scope, node):", "if False:"
    ),
    Mutation("a loop with an end of its own is a loser", LOSERS, " and not plan.has_ends(header):", ":"),
]
