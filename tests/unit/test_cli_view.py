"""What the terminal makes of a run's events."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from pyagent.cli.progress import LineScreen, TreeScreen
from pyagent.cli.view import Labels, RunView, duration, parent_of
from pyagent.cli.watch import how_to_go_on
from pyagent.graph.yaml import load_text
from pyagent.store.base import Event

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
GRAPH = load_text("""\
pyagent: 1
id: g
nodes:
  - {id: fetch, use: x.fetch@1, name: Fetch it}
  - id: each
    use: flow.map@1
    body: {nodes: [{id: work, use: x.work@1, name: Work}]}
edges: [fetch -> each]
""").spec


class Story:
    """A view that is told events."""

    def __init__(self) -> None:
        self.view = RunView(Labels(GRAPH))
        self.cursor = 0
        self.tell("run.started")

    def tell(self, kind: str, step: str = "", /, **data: Any) -> Event:
        self.cursor += 1
        at = BEGIN + timedelta(seconds=self.cursor)
        event = Event(cursor=self.cursor, run_id="r", kind=kind, step=step, at=at, data=data)
        self.view.apply(event)
        return event


def drawn(view: RunView, height: int = 40) -> str:
    console = Console(file=io.StringIO(), force_terminal=True, width=100, height=height, color_system=None)
    screen = TreeScreen(view, console)
    with console.capture() as captured:
        console.print(screen)
    return captured.get()


def test_the_way_to_settle_an_unknown_step_can_be_pasted_into_a_shell() -> None:
    story = Story()
    story.tell("step.unknown", "fetch", reason="its worker died")
    [step] = story.view.waiting()
    said = how_to_go_on("r1", step)
    assert "pyagent resolve r1 fetch done[/]" in said
    assert "|" not in said
    assert "--items" in said


def test_items_are_told_by_port_where_there_are_several() -> None:
    story = Story()
    story.tell("step.completed", "fetch", items={"out": 4, "rest": 1})
    assert "5 items: 4 out, 1 rest" in drawn(story.view)
    story.tell("step.completed", "fetch", items={"out": 4, "rest": 0})
    assert story.view.step("fetch").items_text == "4 items"


@pytest.mark.parametrize(
    ("step", "parent"),
    [
        ("a", None),
        ("a@2", None),
        ("call()/a", "call"),
        ("each[3]/a@1.2", "each"),
        ("call@2()/each[0]/a", "call@2()/each"),
        ("call()/inner()/a", "call()/inner"),
    ],
)
def test_a_step_stands_below_the_map_or_call_it_is_inside_of(step: str, parent: str | None) -> None:
    assert parent_of(step) == parent


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, ""), (0.04, "0.0s"), (12.7, "13s"), (185, "3m05s"), (7800, "2h10m")]
)
def test_durations_read_like_people_say_them(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_steps_bear_the_names_of_their_nodes_with_iteration_and_element() -> None:
    labels = Labels(GRAPH)
    assert labels.of("fetch@2") == "Fetch it #2"
    assert labels.of("each[4]/work") == "Work [4]"
    assert labels.of("unheard()/of") == "of"


def test_a_step_that_is_tried_again_runs_anew_and_shows_its_try() -> None:
    story = Story()
    story.tell("step.started", "fetch", attempt=1)
    story.tell("step.retrying", "fetch", attempt=1, error={"code": "io", "message": "gone"})
    story.tell("step.started", "fetch", attempt=2)
    step = story.view.steps["fetch"]
    assert (step.status, step.attempt) == ("running", 2)
    assert "try 2" in drawn(story.view)


def test_an_answered_step_waits_no_more() -> None:
    story = Story()
    story.tell("step.waiting", "fetch", wait={"kind": "approval", "title": "Go?"})
    assert [step.key for step in story.view.waiting()] == ["fetch"]
    story.tell("step.answered", "fetch", answer={"kind": "approval"})
    assert story.view.waiting() == []


def test_what_a_finished_map_held_is_folded_away_in_the_tree() -> None:
    story = Story()
    story.tell("step.started", "each")
    story.tell("step.expanded", "each", into="map", elements=2)
    story.tell("step.started", "each[0]/work")
    assert "Work [0]" in drawn(story.view)
    story.tell("step.completed", "each[0]/work", items={"out": 1})
    story.tell("step.completed", "each", items={"out": 2})
    assert "Work [0]" not in drawn(story.view)
    assert "2 items" in drawn(story.view)


def test_a_low_terminal_shows_what_runs_rather_than_what_has_ended() -> None:
    story = Story()
    story.tell("step.expanded", "each", into="map", elements=50)
    for element in range(50):
        story.tell("step.started", f"each[{element}]/work")
    for element in range(50):
        if element != 7:
            story.tell("step.completed", f"each[{element}]/work", items={"out": 1})
    shown = drawn(story.view, height=12)
    assert "Work [7]" in shown
    assert len(shown.splitlines()) <= 12


def test_a_failure_that_the_run_goes_on_from_is_kept_as_handled() -> None:
    story = Story()
    story.tell("step.failed", "fetch", error={"code": "io", "message": "gone"}, handled=True)
    assert story.view.steps["fetch"].handled
    assert story.view.steps["fetch"].message == "io: gone"


def test_lines_say_a_beginning_once_and_escape_what_looks_like_markup() -> None:
    story = Story()
    console = Console(file=io.StringIO(), width=200, color_system=None)
    screen = LineScreen(story.view, console)
    for kind, data in (
        ("step.started", {"attempt": 1}),
        ("step.started", {"attempt": 1}),
        ("step.log", {"message": "[bold]plain[/]"}),
        ("step.completed", {"items": {"out": 1}}),
    ):
        event = story.tell(kind, "fetch", **data)
        screen.show(event, story.view.steps["fetch"])
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert text.count("▸ Fetch it") == 1
    assert "[bold]plain[/]" in text
    assert "✓ Fetch it" in text


def test_a_failed_run_that_is_resumed_runs_again() -> None:
    story = Story()
    story.tell("run.failed", error={})
    assert (story.view.status, story.view.ended_at is not None) == ("failed", True)
    story.tell("run.resumed")
    assert (story.view.status, story.view.ended_at) == ("running", None)
