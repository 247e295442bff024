"""`flow.schedule`: its times, also where clocks are put forward or back, and what it refuses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from pyagent.testing import run_node
from pyagent.testing.sources import TestSource, occurrences
from pyagent_nodes.flow.schedule import ScheduleParams, schedule, upcoming

BERLIN = {"timezone": "Europe/Berlin"}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def times(params: dict[str, Any], after: str, count: int = 3) -> list[str]:
    found = upcoming(ScheduleParams.model_validate(params), at(after), count, "UTC")
    return [one.isoformat() for one in found]


@pytest.mark.parametrize(
    ("params", "after", "expected"),
    [
        ({"cron": "*/20 * * * *"}, "2026-01-01T10:00:00Z", ["10:20", "10:40", "11:00"]),
        ({"cron": "15 10 * * *"}, "2026-01-01T10:14:59.5Z", ["10:15"]),
        ({"cron": ["0 12 * * *", "30 10 * * *"]}, "2026-01-01T10:00:00Z", ["10:30", "12:00"]),
        ({"every": "15m"}, "2026-01-01T10:07:00Z", ["10:15", "10:30", "10:45"]),
        ({"every": "15m"}, "2026-01-01T10:15:00Z", ["10:30"]),
        ({"at": ["18:00", "07:30"]}, "2026-01-01T08:00:00Z", ["18:00"]),
    ],
)
def test_the_next_times(params: dict[str, Any], after: str, expected: list[str]) -> None:
    found = times(params, after, len(expected))
    assert found == [f"2026-01-01T{one}:00+00:00" for one in expected]


def test_a_sixth_field_in_front_is_seconds() -> None:
    assert times({"cron": "*/30 * * * * *"}, "2026-01-01T00:00:01Z", 2) == [
        "2026-01-01T00:00:30+00:00",
        "2026-01-01T00:01:00+00:00",
    ]


def test_days_of_the_week_are_kept() -> None:
    assert times({"at": "09:00", "days": ["mon", "fri"]}, "2026-01-01T00:00:00Z") == [
        "2026-01-02T09:00:00+00:00",
        "2026-01-05T09:00:00+00:00",
        "2026-01-09T09:00:00+00:00",
    ]


def test_a_time_zone_of_its_own_goes_before_the_graphs() -> None:
    params = ScheduleParams.model_validate({"at": "09:00", **BERLIN})
    assert upcoming(params, at("2026-01-01T00:00:00Z"), 1, "Asia/Tokyo")[0].isoformat() == "2026-01-01T09:00:00+01:00"
    params = ScheduleParams.model_validate({"at": "09:00"})
    assert upcoming(params, at("2026-01-01T00:00:00Z"), 1, "Asia/Tokyo")[0].isoformat() == "2026-01-02T09:00:00+09:00"


@pytest.mark.parametrize("way", [{"cron": "30 2 * * *"}, {"at": "02:30"}])
def test_a_time_that_the_clock_skips_comes_once_after_it_and_one_that_comes_twice_counts_once(
    way: dict[str, Any],
) -> None:
    spring = times({**way, **BERLIN}, "2026-03-28T12:00:00Z", 2)
    assert spring[0].startswith("2026-03-29T03:")
    assert spring[1] == "2026-03-30T02:30:00+02:00"
    assert times({**way, **BERLIN}, "2026-10-24T12:00:00Z", 2) == [
        "2026-10-25T02:30:00+02:00",
        "2026-10-26T02:30:00+01:00",
    ]


def test_every_quarter_of_an_hour_goes_on_through_the_hour_that_comes_twice() -> None:
    found = [at(one) for one in times({"cron": "*/15 * * * *", **BERLIN}, "2026-10-25T00:00:00Z", 8)]
    assert {later - earlier for earlier, later in pairwise(found)} == {timedelta(minutes=15)}


ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu"])
WAYS = st.sampled_from([{"cron": "*/7 * * * *"}, {"cron": "30 1,2 * * *"}, {"every": "7m"}, {"at": ["02:15", "01:45"]}])


@example(way={"cron": "30 1,2 * * *"}, zone="America/St_Johns", after=datetime(2027, 3, 13))
@given(way=WAYS, zone=ZONES, after=st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)))
def test_times_always_grow_and_none_is_left_out_between(way: dict[str, Any], zone: str, after: datetime) -> None:
    params = ScheduleParams.model_validate({**way} | ({} if "every" in way else {"timezone": zone}))
    start = after.replace(tzinfo=UTC)
    # In UTC: within a zone Python reckons with the readings of the clock, not with the time between them.
    found = [one.astimezone(UTC) for one in upcoming(params, start, 5, zone)]
    assert all(later > earlier for earlier, later in pairwise([start, *found]))
    for earlier, later in pairwise(found):
        middle = earlier + (later - earlier) / 2
        assert upcoming(params, middle, 1, zone)[0].astimezone(UTC) == later


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, "exactly one of"),
        ({"cron": "* * * * *", "every": "1h"}, "exactly one of"),
        ({"cron": "0 7 * *"}, "has 4 fields, not 5 or 6"),
        ({"cron": "61 * * * *"}, "Bad minute"),
        ({"cron": "0 7 * * monday"}, "no cron expression"),
        ({"cron": ["* * * * *", "x"]}, "'x' is no cron expression"),
        ({"cron": "0 0 30 2 *"}, "no cron expression"),
        ({"every": "0s"}, "at least one"),
        ({"every": "1500ms"}, "whole seconds"),
        ({"every": "often"}, "not a duration"),
        ({"at": "7:30"}, "no time of the day"),
        ({"at": "24:00"}, "no time of the day"),
        ({"at": "07:30+02:00"}, "say it in `timezone`"),
        ({"at": "07:30", "timezone": "Mars/Olympus"}, "no time zone 'Mars/Olympus'"),
        ({"at": "07:30", "timezone": "../etc/passwd"}, "no time zone"),
        ({"every": "1h", "days": ["mon"]}, "`days` belongs to `at`"),
    ],
)
def test_what_is_wrong_is_said_clearly(params: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ScheduleParams.model_validate(params)
    assert said in str(caught.value)


# as time goes by


async def test_occurrences_come_on_time_with_the_time_as_their_key() -> None:
    context = TestSource(now=at("2026-01-01T10:07:00Z"), timezone="Europe/Berlin")
    found = await occurrences(schedule, {"every": "15m", "inputs": {"team": "a"}}, context, 2)

    assert [one.key for one in found] == ["2026-01-01T10:15:00Z", "2026-01-01T10:30:00Z"]
    assert dict(found[0].inputs) == {"team": "a"}
    assert dict(found[0].facts) == {"scheduled_at": "2026-01-01T11:15:00+01:00", "timezone": "Europe/Berlin"}
    assert context.worked
    assert context.now() == at("2026-01-01T10:30:00Z")


async def test_what_was_due_before_the_start_is_not_made_up_for() -> None:
    context = TestSource(now=at("2026-01-01T10:00:00.5Z"))
    assert [one.key for one in await occurrences(schedule, {"cron": "0 * * * *"}, context, 1)] == [
        "2026-01-01T11:00:00Z"
    ]


async def test_a_machine_that_slept_goes_on_with_what_comes_next() -> None:
    context = TestSource(now=at("2026-01-01T09:30:00Z"))
    context.jumps = [(at("2026-01-01T09:50:00Z"), timedelta(hours=5))]
    found = await occurrences(schedule, {"cron": "0 * * * *"}, context, 2)
    assert [one.key for one in found] == ["2026-01-01T15:00:00Z", "2026-01-01T16:00:00Z"]
    assert context.logs[0]["level"] == "warning"


async def test_a_clock_that_is_set_back_gives_what_comes_next_by_the_new_time() -> None:
    context = TestSource(now=at("2026-01-02T09:30:00Z"))
    context.jumps = [(at("2026-01-02T09:40:00Z"), timedelta(days=-1))]
    found = await occurrences(schedule, {"cron": "0 * * * *"}, context, 2)
    assert [one.key for one in found] == ["2026-01-01T10:00:00Z", "2026-01-01T11:00:00Z"]


async def test_a_moment_too_late_is_on_time() -> None:
    context = TestSource(now=at("2026-01-01T09:59:50Z"))
    context.jumps = [(at("2026-01-01T10:00:00Z"), timedelta(seconds=30))]
    found = await occurrences(schedule, {"cron": "0 * * * *"}, context, 1)
    assert found[0].key == "2026-01-01T10:00:00Z"


async def test_the_run_begins_with_its_inputs() -> None:
    run = await run_node(schedule, [], {"every": "1h"}, inputs={"scheduled_at": "2026-01-01T10:00:00+00:00"})
    assert run.json() == [{"scheduled_at": "2026-01-01T10:00:00+00:00"}]
