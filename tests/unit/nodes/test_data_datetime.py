"""Dates: read, moved, rounded, compared, taken apart and written."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from pyagent.sdk import NodeError
from pyagent.testing import run_node
from pyagent_nodes.data.datetime import datetime_

BERLIN = {"timezone": "Europe/Berlin"}


async def done(value, **params):
    run = await run_node(datetime_, [{"d": value}], {"field": "d", **params})
    return run.json()[0]["date"]


@pytest.mark.parametrize(
    ("value", "params", "expected"),
    [
        ("2026-01-02", {}, "2026-01-02T00:00:00+00:00"),
        ("2026-01-02T03:04", BERLIN, "2026-01-02T03:04:00+01:00"),
        ("2026-07-02T03:04:05.678Z", BERLIN, "2026-07-02T05:04:05.678000+02:00"),
        ("2026-W01-1", {}, "2025-12-29T00:00:00+00:00"),
        ("20260102T030405+0530", {}, "2026-01-01T21:34:05+00:00"),
        ("Tue, 01 Jul 2003 10:52:37 +0200", {}, "2003-07-01T08:52:37+00:00"),
        (0, {}, "1970-01-01T00:00:00+00:00"),
        (-1.5, {}, "1969-12-31T23:59:58.500000+00:00"),
        (1_700_000_000, {}, "2023-11-14T22:13:20+00:00"),
        (1_700_000_000_000, {}, "2023-11-14T22:13:20+00:00"),
        ("1700000000", {"read": "unix"}, "2023-11-14T22:13:20+00:00"),
        ("2026-01-02T12:00", {"timezone": "+05:30", "from_timezone": "UTC"}, "2026-01-02T17:30:00+05:30"),
        ("02.03.26 7:08", {"read": "dd.MM.yy H:mm"}, "2026-03-02T07:08:00+00:00"),
        ("March 2 2026, 12:08 am", {"read": "MMMM d yyyy, h:mm a"}, "2026-03-02T00:08:00+00:00"),
        ("2026/60", {"read": "%Y/%j"}, "2026-03-01T00:00:00+00:00"),
        ("at 2026-01-02 05:00 -03:00", {"read": "'at' yyyy-MM-dd HH:mm ZZ"}, "2026-01-02T08:00:00+00:00"),
        # Skipped by summer time: moved on. Twice in autumn: the first.
        ("2026-03-29T02:30:00", BERLIN, "2026-03-29T03:30:00+02:00"),
        ("2026-10-25T02:30:00", BERLIN, "2026-10-25T02:30:00+02:00"),
    ],
)
async def test_dates_are_read_in_many_forms(value, params, expected):
    assert await done(value, **params) == expected


@pytest.mark.parametrize(
    ("value", "params"),
    [
        ("01/02/2003", {}),
        ("", {}),
        ("soon", {}),
        ("2026-02-30", {}),
        (True, {}),
        ([2026], {}),
        (1e300, {}),
        (float("nan"), {}),
        (10**400, {}),
        ("0000-01-01", {}),
        ("0001-01-01T00:00+14:00", {}),
        ("32.01.2026", {"read": "dd.MM.yyyy"}),
        ("13:00 pm", {"read": "hh:mm a"}),
        ("1.1.2026 Nowhere/City", {"read": "d.M.yyyy z"}),
        ("١٢.٠١.٢٠٢٦", {"read": "dd.MM.yyyy"}),
    ],
)
async def test_what_is_no_date_is_an_error_with_a_hint(value, params):
    with pytest.raises(NodeError) as caught:
        await done(value, **params)
    assert caught.value.code == "node.date"
    assert caught.value.hint


@pytest.mark.parametrize(
    ("start", "amount", "expected"),
    [
        ("2026-03-28T02:30", {"days": 1}, "2026-03-29T03:30:00+02:00"),
        ("2026-03-28T12:00", {"days": 1}, "2026-03-29T12:00:00+02:00"),
        ("2026-03-28T12:00", {"hours": 24}, "2026-03-29T13:00:00+02:00"),
        ("2026-10-24T12:00", {"days": 1}, "2026-10-25T12:00:00+01:00"),
        ("2026-10-25T02:30", {"hours": 1}, "2026-10-25T02:30:00+01:00"),
        ("2026-01-31T10:00", {"months": 1}, "2026-02-28T10:00:00+01:00"),
        ("2024-02-29T10:00", {"years": 1, "days": 1}, "2025-03-01T10:00:00+01:00"),
        ("2026-01-31T10:00", {"months": -2, "hours": 1.5}, "2025-11-30T11:30:00+01:00"),
        ("2026-01-01T00:00", {"weeks": -1, "milliseconds": 5}, "2025-12-25T00:00:00.005000+01:00"),
    ],
)
async def test_calendar_units_keep_the_wall_clock_and_others_are_exact(start, amount, expected):
    assert await done(start, do="add", amount=amount, **BERLIN) == expected
    if len(amount) == 1 and "months" not in amount and start != "2026-03-28T02:30":
        back = await done(expected, do="subtract", amount=amount, **BERLIN)
        assert back.startswith(start)


@pytest.mark.parametrize(
    ("to", "down", "up"),
    [
        ("year", "2026-01-01T00:00:00+01:00", "2027-01-01T00:00:00+01:00"),
        ("quarter", "2026-04-01T00:00:00+02:00", "2026-07-01T00:00:00+02:00"),
        ("month", "2026-05-01T00:00:00+02:00", "2026-06-01T00:00:00+02:00"),
        ("week", "2026-05-18T00:00:00+02:00", "2026-05-25T00:00:00+02:00"),
        ("day", "2026-05-20T00:00:00+02:00", "2026-05-21T00:00:00+02:00"),
        ("hour", "2026-05-20T17:00:00+02:00", "2026-05-20T18:00:00+02:00"),
        ("minute", "2026-05-20T17:45:00+02:00", "2026-05-20T17:46:00+02:00"),
        ("second", "2026-05-20T17:45:30+02:00", "2026-05-20T17:45:31+02:00"),
    ],
)
async def test_dates_are_rounded_to_the_start_of_something(to, down, up):
    value = "2026-05-20T17:45:30.600"
    assert await done(value, do="round", to=to, **BERLIN) == down
    assert await done(value, do="round", to=to, direction="up", **BERLIN) == up
    assert await done(value, do="round", to=to, direction="nearest", **BERLIN) in (down, up)
    assert await done(down, do="round", to=to, direction="up", **BERLIN) == down


async def test_rounding_knows_days_of_25_hours_weeks_from_sunday_and_both_hours_of_autumn():
    assert await done("2026-10-25T11:45", do="round", direction="nearest", **BERLIN) == "2026-10-26T00:00:00+01:00"
    assert await done("2026-05-20", do="round", to="week", week_starts="sunday") == "2026-05-17T00:00:00+00:00"
    second = await done("2026-10-25T01:30:00Z", do="round", to="hour", **BERLIN)
    assert second == "2026-10-25T02:00:00+01:00"


@pytest.mark.parametrize(
    ("until", "units", "expected"),
    [
        ("2026-03-30T12:00", ["days"], 2),
        ("2026-03-30T12:00", ["hours"], 47),
        ("2026-03-30T00:00", ["days"], 1.5),
        ("2026-03-26T12:00", ["days"], -2),
        ("2027-05-30T14:30", ["years", "months", "days", "hours"], {"years": 1, "months": 2, "days": 2, "hours": 2.5}),
        ("2026-03-28T12:00", ["weeks", "milliseconds"], {"weeks": 0, "milliseconds": 0}),
        ("2026-02-28T12:00", ["months"], -1),
    ],
)
async def test_the_time_between_two_dates_is_counted_in_units(until, units, expected):
    assert await done("2026-03-28T12:00", do="difference", until=until, units=units, **BERLIN) == expected


async def test_dates_are_taken_apart():
    parts = ["year", "quarter", "week", "weekday", "day_of_year", "days_in_month", "offset", "timezone", "unix", "time"]
    assert await done("2028-02-29T23:30:00", do="extract", parts=parts, **BERLIN) == {
        "year": 2028,
        "quarter": 1,
        "week": 9,
        "weekday": 2,
        "day_of_year": 60,
        "days_in_month": 29,
        "offset": 60,
        "timezone": "Europe/Berlin",
        "unix": 1835476200,
        "time": "23:30:00",
    }
    assert await done("9999-12-31", do="extract", parts=["days_in_month"]) == 31


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        ("date", "2026-01-05"),
        ("unix", 1767571445.5),
        ("unix_ms", 1767571445500),
        ("EEE d MMM yy, h:mm:ss.SSS a", "Mon 5 Jan 26, 1:04:05.500 AM"),
        ("EEEE 'o''clock' ZZ ZZZ z", "Monday o'clock +01:00 +0100 Europe/Berlin"),
        ("%d.%m.%Y", "05.01.2026"),
        ("dd.MM.yyyy ü", "05.01.2026 ü"),
    ],
)
async def test_dates_are_written_as_asked(write, expected):
    assert await done("2026-01-05T01:04:05.5", write=write, **BERLIN) == expected


async def test_now_is_the_recorded_time():
    now = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
    run = await run_node(datetime_, [{}], {"do": "now", "into": "at", **BERLIN}, now=now)
    assert run.json() == [{"at": "2026-07-01T14:00:00+02:00"}]


async def test_missing_dates_become_null_or_an_error():
    assert await done(None) is None
    assert await done("2026-01-01", do="difference", until=None) is None
    with pytest.raises(NodeError) as caught:
        await done(None, missing="fail")
    assert caught.value.code == "node.date"


async def test_dates_beyond_the_calendar_are_errors():
    for amount in ({"years": 9000}, {"days": -(10**7)}, {"hours": 1e12}, {"months": 10**9}):
        with pytest.raises(NodeError) as caught:
            await done("2026-01-01", do="add", amount=amount)
        assert caught.value.code == "node.date"
    for direction in ("up", "nearest"):
        with pytest.raises(NodeError):
            await done("9999-12-31T23:59:59", do="round", to="year", direction=direction)


async def test_a_form_that_cannot_be_written_is_an_error():
    with pytest.raises(NodeError, match="cannot be written") as caught:
        await done("2026-01-01", write="%Y \ud800")
    assert caught.value.code == "node.date"


@pytest.mark.parametrize(
    "params",
    [
        {"timezone": "Mars/Base"},
        {"timezone": "../../etc/passwd"},
        {"do": "add"},
        {"do": "add", "amount": {"months": 1.5}},
        {"do": "add", "amount": {"hours": float("nan")}},
        {"read": "--?--"},
        {"read": "yyyy yyyy"},
        {"write": "-"},
        {"date": "2026-01-01"},
        {"units": []},
    ],
)
async def test_parameters_that_do_not_fit_are_refused(params):
    with pytest.raises(ValidationError):
        await done("2026-01-01", **params)


async def test_the_graphs_time_zone_is_meant_where_none_is_named() -> None:
    summer = [{"d": "2026-07-01T12:00:00Z"}]
    there = await run_node(datetime_, summer, {"field": "d", "do": "convert"}, timezone="Europe/Berlin")
    named = await run_node(
        datetime_, summer, {"field": "d", "do": "convert", "timezone": "UTC"}, timezone="Europe/Berlin"
    )

    assert there.json()[0]["date"] == "2026-07-01T14:00:00+02:00"
    assert named.json()[0]["date"] == "2026-07-01T12:00:00+00:00"
