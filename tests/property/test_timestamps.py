"""The log's times are ISO 8601, whichever library writes them: what was written once is compared as text."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from pyagent.runtime.log import timestamp


@given(st.datetimes(timezones=st.just(UTC) | st.timezones() | st.none()))
def test_a_time_is_written_as_python_writes_it(moment: datetime) -> None:
    assert timestamp(moment) == moment.isoformat()
