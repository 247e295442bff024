"""What a process keeps of its own commits for its followers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from pyagent.store.base import Event
from pyagent.store.recent import MOST_EVENTS, RecentEvents

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def unpack(last: int, run_id: str, packed: bytes) -> Iterator[Event]:
    for place, letter in enumerate(packed.decode(), last - len(packed) + 1):
        yield Event(cursor=place, run_id=run_id, kind=letter, step="", at=NOW, data={})


def recent(*written: tuple[str, int, bytes]) -> RecentEvents[bytes]:
    made = RecentEvents(unpack)
    for run_id, first, packed in written:
        made.add(run_id, [(first, first + len(packed) - 1, packed)], len)
    return made


def told(found: tuple[list[Event], int] | None) -> tuple[str, int] | None:
    return None if found is None else ("".join(event.kind for event in found[0]), found[1])


def test_events_after_a_cursor_are_those_of_all_later_commits() -> None:
    made = recent(("a", 5, b"xy"), ("b", 7, b"z"))
    assert told(made.after(4, None)) == ("xyz", 7)
    assert told(made.after(5, None)) == ("yz", 7)
    assert told(made.after(7, None)) == ("", 7)
    assert told(made.after(4, "b")) == ("z", 7)


def test_only_the_store_can_tell_what_was_before_or_is_behind_what_is_kept() -> None:
    made = recent(("a", 5, b"xy"))
    assert made.after(3, None) is None
    assert made.after(7, None) is None
    assert RecentEvents(unpack).after(0, None) is None


def test_a_gap_begins_anew() -> None:
    made = recent(("a", 5, b"xy"), ("a", 8, b"z"))
    assert made.after(6, None) is None
    assert told(made.after(7, None)) == ("z", 8)
    assert made.reach(6) == 6


def test_a_commit_whose_answer_was_overtaken_closes_the_gap() -> None:
    made = recent(("b", 7, b"z"), ("a", 5, b"xy"))
    assert told(made.after(4, None)) == ("xyz", 7)
    assert made.reach(4) == 7


def test_a_commit_older_than_a_gap_is_left_to_the_store() -> None:
    made = recent(("b", 9, b"z"), ("a", 5, b"xy"))
    assert made.after(4, None) is None
    assert told(made.after(8, None)) == ("z", 9)


def test_at_most_so_many_are_kept() -> None:
    made = recent(*(("a", 1 + 100 * place, b"x" * 100) for place in range(30)))
    assert made.after(0, None) is None
    found = made.after(3000 - MOST_EVENTS, None)
    assert found is not None
    assert len(found[0]) == MOST_EVENTS
