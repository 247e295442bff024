"""The order in which runs are taken: strict priorities, turns between groups, nothing lost and nothing taken twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pyagent.store.base import Commit, Lease, Run
from pyagent.store.queue import Begun, Group, Line, Queued
from pyagent.testing.memory_store import MemoryStore
from pyagent.testing.store import new_run

HOUR = timedelta(hours=1)
PRIORITIES = st.sampled_from([-1, 0, 0, 0, 3])
GROUPS = st.sampled_from("abcd")
NEW = st.fixed_dictionaries(
    {"priority": PRIORITIES, "fairness": GROUPS},
    optional={"weight": st.integers(1, 3), "slot": st.sampled_from("st"), "slots": st.integers(1, 2)},
)
PLAIN = st.fixed_dictionaries({"priority": PRIORITIES, "fairness": GROUPS})


@dataclass
class World:
    """Workers on one store, and what has become of its runs."""

    store: MemoryStore = field(default_factory=MemoryStore)
    leases: list[Lease] = field(default_factory=list[Lease])
    taken: list[str] = field(default_factory=list[str])

    async def queued(self) -> list[Run]:
        """Runs that nobody has begun, oldest first."""
        found = await self.store.list_runs()
        return [run for run in reversed(found) if run.status == "queued" and run.lease_owner is None]

    async def take(self, worker: str, limit: int) -> list[Run]:
        leases = await self.store.take(worker, HOUR, limit)
        for lease in leases:
            await self.store.commit(lease, Commit(status="running"))
        self.leases += leases
        self.taken += [lease.run_id for lease in leases]
        return [await self.store.get_run(lease.run_id) for lease in leases]

    async def end(self, which: int) -> None:
        if self.leases:
            lease = self.leases.pop(which % len(self.leases))
            await self.store.commit(lease, Commit(status="completed", release=True))


OPERATIONS = st.one_of(
    st.tuples(st.just("create"), NEW),
    st.tuples(st.just("create"), NEW),
    st.tuples(st.just("take"), st.integers(1, 3)),
    st.tuples(st.just("end"), st.integers(0, 9)),
)


@given(st.lists(OPERATIONS, max_size=60))
@settings(max_examples=300, deadline=None)
def test_every_run_is_taken_once_by_priority_and_no_slot_has_more_than_it_may(
    operations: list[tuple[str, Any]],
) -> None:
    async def play() -> None:
        world = World()
        await world.store.open()
        made = 0
        for turn, (name, what) in enumerate([*operations, *[("take", 9), ("end", 0)] * len(operations)]):
            if name == "create":
                await world.store.create_run(new_run(**what))
                made += 1
            elif name == "end":
                await world.end(what)
            else:
                before = await world.queued()
                found = await world.take(f"worker {turn % 3}", what)
                assert [run.priority for run in found] == sorted((run.priority for run in found), reverse=True)
                left = [run for run in before if run.id not in world.taken]
                slots = Counter([(await world.store.get_run(lease.run_id)).slot for lease in world.leases])
                for run in left if len(found) < what else []:
                    assert run.slot is not None  # what could begin has begun
                    assert slots[run.slot] >= run.slots
                for run in found:
                    assert run.slot is None or slots[run.slot] <= 2
                    assert not [other for other in left if other.priority > run.priority and other.slot is None]
        assert len(world.taken) == len(set(world.taken)) == made

    asyncio.run(play())


@given(st.lists(st.one_of(PLAIN, st.none(), st.none()), max_size=60), st.integers(1, 4))
@settings(max_examples=300, deadline=None)
def test_no_group_waits_for_more_turns_than_there_are_groups(
    operations: list[dict[str, Any] | None], limit: int
) -> None:
    async def play() -> None:
        world = World()
        await world.store.open()
        waited: Counter[tuple[int, str]] = Counter()
        """How many runs of other groups of its priority were taken since a group stood in line or had its turn."""
        others: dict[tuple[int, str], int] = {}
        """How many stood in line beside it then."""
        for what in [*operations, *[None] * len(operations)]:
            if what is not None:
                await world.store.create_run(new_run(**what))
                continue
            queued = await world.queued()
            for run in await world.take("worker", limit):
                mine = (run.priority, run.fairness)
                assert run.priority == max(other.priority for other in queued)
                assert run.id == next(other.id for other in queued if (other.priority, other.fairness) == mine)
                standing = {(other.priority, other.fairness) for other in queued if other.priority == run.priority}
                for group in standing - {mine}:
                    others[group] = max(others.get(group, 0), len(standing) - 1)
                    waited[group] += 1
                    assert waited[group] <= others[group]
                waited.pop(mine, None)
                others.pop(mine, None)
                queued = [other for other in queued if other.id != run.id]
        assert not await world.queued()

    asyncio.run(play())


def line_of(*groups: tuple[str, int, str]) -> Line[str]:
    """A line of groups of one priority: name, weight, and the slots of its runs (`-` for none)."""
    made = {
        Group(0, name, place): [
            Queued(f"{name}{number}", None if slot == "-" else slot, 1, weight) for number, slot in enumerate(slots)
        ]
        for place, (name, weight, slots) in enumerate(groups)
    }
    return Line([], made, lambda group: iter(made[group]), lambda slot: 0)


def test_what_becomes_of_the_line_is_told_as_runs_are_taken() -> None:
    line = line_of(("a", 1, "--"), ("b", 2, "---"), ("c", 1, "-"), ("d", 1, "ss"))
    told: list[tuple[str, str, str, str]] = []
    for run in line:
        names = ("".join(group.name for group in groups) for groups in (line.moved, line.stayed, line.gone))
        told.append((run, *names))  # type: ignore[arg-type]
    assert told == [
        ("a0", "a", "", ""),
        ("b0", "a", "b", ""),
        ("b1", "ab", "", ""),
        ("c0", "ab", "", "c"),
        ("d0", "abd", "", "c"),
        ("a1", "bd", "", "ca"),
        ("b2", "d", "", "cab"),
    ]


def test_what_wakes_goes_before_what_is_new_and_after_a_higher_priority() -> None:
    groups = {Group(5, "high", 1): [Queued("high", None, 1, 1)], Group(0, "none", 2): [Queued("none", None, 1, 1)]}
    begun = [Begun("a", 5), Begun("b", 1), Begun("c", 0), Begun("d", -1)]
    line = Line(begun, groups, lambda group: iter(groups[group]), lambda slot: 0, {"c"})
    assert list(line) == ["a", "high", "b", "none", "d"]
