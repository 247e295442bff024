"""The part of the suite of stores that is about figures of runs, and the filters that show what they are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pyagent.store.base import Commit, Run, RunFilter, RunStatus, Store
from pyagent.store.statistics import DayFigures, RunStatistics, statistics_of
from pyagent.testing.store_parts import new_run, started

MORNING = datetime(2026, 3, 1, 9, tzinfo=UTC)


async def ended(
    store: Store, graph_id: str, status: RunStatus, *, created: datetime = MORNING, seconds: float = 1, **changes: Any
) -> Run:
    """A run that was created then and took so long."""
    run, lease = await started(store, graph_id=graph_id, **changes)
    await store.commit(lease, Commit(status=status, release=True))
    begun = created + timedelta(seconds=2)
    times = {"created_at": created, "started_at": begun, "ended_at": begun + timedelta(seconds=seconds)}
    await store.restore(replace(await store.get_run(run.id), **times))
    return await store.get_run(run.id)


def ids(runs: Sequence[Run]) -> list[str]:
    return [run.id for run in runs]


class StatisticsConformance:
    """Tests of figures about runs; `StoreConformance` has them."""

    async def test_there_are_no_figures_of_no_runs(self, store: Store) -> None:
        assert await store.run_statistics() == RunStatistics()

    async def test_runs_are_counted_by_status_by_graph_and_by_day(self, store: Store) -> None:
        first = await ended(store, "mail", "completed", created=MORNING - timedelta(days=1), seconds=4)
        await ended(store, "mail", "failed", seconds=100)
        # The last moment of the day in UTC is not the next day's.
        late = await ended(store, "other", "completed", created=datetime(2026, 3, 1, 23, 59, 59, 999_999, tzinfo=UTC))
        queued = await store.create_run(new_run(graph_id="mail"))
        found = await store.run_statistics()

        assert found.statuses == {"completed": 2, "failed": 1, "queued": 1}
        mail, other = found.graphs
        assert (mail.graph_id, mail.runs, mail.failed, mail.last_run) == ("mail", 3, 1, queued.id)
        assert (mail.p50, mail.p95) == (4.0, 4.0)
        assert (other.graph_id, other.runs, other.failed, other.last_run) == ("other", 1, 0, late.id)
        assert found.days == (
            DayFigures(day=date(2026, 2, 28), runs=1, completed=1, failed=0),
            DayFigures(day=date(2026, 3, 1), runs=2, completed=1, failed=1),
            DayFigures(day=queued.created_at.astimezone(UTC).date(), runs=1, completed=0, failed=0),
        )
        assert first.id not in {graph.last_run for graph in found.graphs}

    async def test_times_in_the_middle_are_the_nearest_rank_of_completed_runs(self, store: Store) -> None:
        for seconds in (5, 1, 3.25, 2):
            await ended(store, "mail", "completed", seconds=seconds)
        await ended(store, "mail", "cancelled", seconds=1000)
        (mail,) = (await store.run_statistics()).graphs
        assert (mail.p50, mail.p95) == (2.0, 5.0)
        await ended(store, "none", "failed")
        none = (await store.run_statistics()).graphs[0]
        assert (none.graph_id, none.p50, none.p95) == ("none", None, None)

    async def test_figures_of_twenty_runs_and_of_twenty_one_differ_in_their_ranks(self, store: Store) -> None:
        for seconds in range(1, 21):
            await ended(store, "mail", "completed", seconds=seconds)
        (mail,) = (await store.run_statistics()).graphs
        assert (mail.p50, mail.p95) == (10.0, 19.0)
        await ended(store, "mail", "completed", seconds=21)
        (mail,) = (await store.run_statistics()).graphs
        assert (mail.p50, mail.p95) == (11.0, 20.0)

    async def test_figures_can_be_those_of_a_graph_and_from_a_time_on(self, store: Store) -> None:
        await ended(store, "mail", "completed", created=MORNING - timedelta(days=1))
        new = await ended(store, "mail", "failed")
        await ended(store, "other", "failed")
        assert [one.graph_id for one in (await store.run_statistics(graph_id="mail")).graphs] == ["mail"]
        found = await store.run_statistics(graph_id="mail", since=MORNING)
        assert (found.statuses, found.graphs[0].last_run, len(found.days)) == ({"failed": 1}, new.id, 1)
        assert await store.run_statistics(graph_id="unknown") == RunStatistics()

    async def test_figures_are_those_of_the_runs_that_are_listed(self, store: Store) -> None:
        for number in range(30):
            status: RunStatus = ("completed", "failed", "cancelled")[number % 3]
            created = MORNING + timedelta(hours=7 * number)
            await ended(store, f"graph{number % 4}", status, created=created, seconds=number / 8)
        runs = await store.list_runs(RunFilter(limit=100))
        assert await store.run_statistics() == statistics_of(runs[::-1])

    async def test_runs_are_listed_by_what_they_are_for_and_come_from(self, store: Store) -> None:
        first = await store.create_run(new_run())
        test = await store.create_run(new_run(production=False))
        fork = await store.create_run(new_run(forked_from=first.id))
        child = await store.create_run(new_run(parent_run=first.id, parent_step="call"))

        assert ids(await store.list_runs(RunFilter(production=False))) == [test.id]
        assert ids(await store.list_runs(RunFilter(production=True))) == [child.id, fork.id, first.id]
        assert ids(await store.list_runs(RunFilter(forked_from=first.id))) == [fork.id]
        assert ids(await store.list_runs(RunFilter(parent_run=first.id))) == [child.id]

    async def test_runs_are_listed_by_how_long_they_took(self, store: Store) -> None:
        short = await ended(store, "mail", "completed", seconds=1)
        long = await ended(store, "mail", "completed", seconds=60)
        await store.create_run(new_run())

        async def longer(seconds: float) -> list[str]:
            return ids(await store.list_runs(RunFilter(longer_than=timedelta(seconds=seconds))))

        assert await longer(60) == [long.id]
        assert await longer(60.1) == []
        assert await longer(0) == [long.id, short.id]
