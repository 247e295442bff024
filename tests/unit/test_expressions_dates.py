"""Dates in expressions: luxon and Date by the run's clock, in the graph's zone."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pyagent.errors import SetupError
from pyagent.runtime import _luxon
from pyagent.runtime.expressions import EvaluationContext, Expressions, JsonValue

NOW = datetime(2026, 1, 2, 23, 4, 5, 678000, tzinfo=UTC)
CONTEXT = EvaluationContext(now=NOW, json={"due": "2026-07-01T12:00:00Z"})


@pytest.fixture(scope="module")
def berlin() -> Expressions:
    return Expressions(timezone="Europe/Berlin")


# What Node 20 gives with TZ=Europe/Berlin and luxon 3.7.2 at the same instant.
@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("$now", "2026-01-03T00:04:05.678+01:00"),
        ("$today", "2026-01-03T00:00:00.000+01:00"),
        ("$now.toFormat('cccc, d MMMM yyyy h:mm a ZZZZ')", "Saturday, 3 January 2026 12:04 AM GMT+1"),
        ("$now.toLocaleString(DateTime.DATETIME_FULL)", "January 3, 2026 at 12:04 AM GMT+1"),
        ("$now.setLocale('en-GB').toLocaleString()", "03/01/2026"),
        ("$now.setZone('America/New_York').toFormat('ff ZZZZ')", "Jan 2, 2026, 6:04 PM EST"),
        ("$now.minus({days: 3}).toRelative()", "3 days ago"),
        ("$now.zoneName", "Europe/Berlin"),
        ("$now.setZone('Nope/Zone').isValid", False),
        ("DateTime.fromISO($json.due).toISO()", "2026-07-01T14:00:00.000+02:00"),
        ("DateTime.fromISO('2026-03-29T02:30').toISO()", "2026-03-29T03:30:00.000+02:00"),
        ("DateTime.fromISO('2026-10-25T02:30').plus({hours: 1}).toISO()", "2026-10-25T03:30:00.000+01:00"),
        ("DateTime.fromFormat('12 Mar 2026 4:05 PM', 'd LLL yyyy h:mm a').toMillis()", 1773327900000),
        ("Duration.fromObject({hours: 1, days: 3}).toHuman({listStyle: 'long'})", "3 days and 1 hour"),
        ("Interval.after(DateTime.fromISO('2026-01-01'), {days: 2}).count('days')", 2),
        ("new Date().getHours()", 0),
        ("new Date(2026, 6, 1).toISOString()", "2026-06-30T22:00:00.000Z"),
        ("new Date('2026-07-01T10:00').toISOString()", "2026-07-01T08:00:00.000Z"),
        ("new Date(0).toString()", "Thu Jan 01 1970 01:00:00 GMT+0100 (Central European Standard Time)"),
        ("(1234567.891).toLocaleString()", "1,234,567.891"),
        ("['b', 'a', 'C', 'é', 'e'].sort((x, y) => x.localeCompare(y))", ["a", "b", "C", "e", "é"]),
        ("({at: $now}).at", "2026-01-03T00:04:05.678+01:00"),
    ],
)
def test_dates_are_what_luxon_gives_in_the_zone(berlin: Expressions, code: str, value: JsonValue) -> None:
    assert berlin.evaluate(f"{{{{ {code} }}}}", CONTEXT) == value


def test_dates_read_well_inside_text(berlin: Expressions) -> None:
    assert berlin.evaluate("at {{ $today }}", CONTEXT) == "at 2026-01-03T00:00:00.000+01:00"


def test_one_expression_cannot_change_the_dates_of_the_next(berlin: Expressions) -> None:
    for code in ("$now.zone.zoneName = 'UTC'", "DateTime.now = null", "Date.now = null", "Intl.DateTimeFormat = null"):
        with pytest.raises(Exception, match=r"read-only|extensible|setter"):
            berlin.evaluate(f"{{{{ {code} }}}}", CONTEXT)
    assert berlin.evaluate("{{ $now.zoneName }}", CONTEXT) == "Europe/Berlin"


def test_without_luxon_dates_say_what_to_do_and_the_rest_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    expressions = Expressions()
    with pytest.raises(SetupError) as caught:
        expressions.evaluate("{{ $now }}", CONTEXT)
    assert caught.value.code == "setup.luxon_missing"
    assert "make" in caught.value.hint
    assert expressions.evaluate("{{ 1 + 1 }}", CONTEXT) == 2


def test_a_changed_copy_of_luxon_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    _luxon.path().parent.mkdir(parents=True)
    _luxon.path().write_text("export const DateTime = 1;")
    with pytest.raises(SetupError, match="as published"):
        _luxon.source()
