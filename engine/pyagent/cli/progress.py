"""Shows a run while it runs: a tree on a terminal, plain lines in a pipe, or one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from pyagent.cli.text import escape, plain
from pyagent.cli.view import ENDED_STEPS, RunView, StepView, duration, now
from pyagent.runtime.event_kinds import EVENTS_VERSION

if TYPE_CHECKING:
    from pyagent.store.base import Event

MARKS = {
    "completed": ("✓", "green"),
    "failed": ("✗", "red"),
    "cancelled": ("⊘", "yellow"),
    "skipped": ("–", "dim"),
    "waiting": ("◷", "yellow"),
    "unknown": ("?", "magenta"),
    "retrying": ("↻", "yellow"),
    "running": ("▸", "blue"),
    "queued": ("·", "dim"),
    "paused": ("◷", "yellow"),
}
"""How each status of steps and runs is drawn."""
_PROGRESS_EVERY = 5.0
"""Seconds between lines about one step's progress."""


class Screen(Protocol):
    """Where a run is shown."""

    def __enter__(self) -> Screen: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

    def show(self, event: Event, step: StepView | None) -> None:
        """Something happened; the view has it already."""
        ...

    def note(self, text: str) -> None:
        """Say something beside the run, such as where its page is. Rich markup."""
        ...

    def aside(self) -> AbstractContextManager[None]:
        """Clear the way for a question."""
        ...


def mark(status: str) -> Text:
    """The sign of a status, coloured."""
    sign, style = MARKS.get(status, ("·", ""))
    return Text(sign, style=style)


class TreeScreen:
    """The steps as a tree that is drawn again as they change."""

    def __init__(self, view: RunView, console: Console) -> None:
        self._view = view
        self._console = console
        self._spinner = Spinner("dots", style="blue")
        self._live = Live(self, console=console, refresh_per_second=8, transient=False, vertical_overflow="crop")

    def __enter__(self) -> TreeScreen:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, event: Event, step: StepView | None) -> None:
        """Nothing: the tree is drawn from the view at an even pace."""

    def note(self, text: str) -> None:
        # What is to be copied stays whole.
        self._live.console.print(text, soft_wrap=True)

    def aside(self) -> AbstractContextManager[None]:
        return _Aside(self._live)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        rows = list(self._rows())
        # The last line of a full terminal belongs to the cursor.
        room = max(5, (options.max_height or console.height) - 3)
        if len(rows) > room:
            rows = self._fitting(rows, room)
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(justify="right", no_wrap=True, style="dim")
        table.add_column(justify="right", no_wrap=True, style="dim")
        table.add_column(no_wrap=True, overflow="ellipsis")
        for step in rows:
            table.add_row(*self._cells(step, console))
        yield table

    def _rows(self, parent: str | None = None) -> Iterator[StepView]:
        """The tree from top to bottom; what an ended map or call held is folded away."""
        for step in self._view.children(parent):
            if step.status == "skipped" and step.depth:
                continue
            yield step
            if step.status not in ENDED_STEPS or step.status == "failed":
                yield from self._rows(step.key)

    def _fitting(self, rows: list[StepView], room: int) -> list[StepView]:
        """Those that matter most: what runs or waits, what failed, then the latest."""

        def rank(pair: tuple[int, StepView]) -> tuple[int, int]:
            index, step = pair
            urgent = 0 if step.status not in ENDED_STEPS or (step.depth == 0 and step.status == "failed") else 1
            return urgent, -index

        chosen = sorted(sorted(enumerate(rows), key=rank)[:room], key=lambda pair: pair[0])
        return [step for _, step in chosen]

    def _cells(self, step: StepView, console: Console) -> tuple[Any, ...]:
        if step.status == "running":
            sign = self._spinner.render(console.get_time())
            assert isinstance(sign, Text)
        else:
            sign = mark(step.status)
        label = Text("  " * step.depth).append_text(sign).append(" ").append(plain(step.label))
        if step.status == "skipped":
            label.stylize("dim")
        if step.attempt > 1:
            label.append(f"  try {step.attempt}", style="yellow")
        message = Text(
            plain(step.message).replace("\n", " "), style="red" if step.error and not step.handled else "dim"
        )
        if step.fraction is not None and step.status == "running":
            message = Text(f"{step.fraction:4.0%} ", style="blue").append_text(message)
        shown = duration(step.seconds(now())) if step.status != "skipped" else ""
        items = step.items_text if step.items_out and step.status == "completed" else ""
        return label, shown, items, message


class _Aside(AbstractContextManager[None]):
    def __init__(self, live: Live) -> None:
        self._live = live

    def __enter__(self) -> None:
        self._live.stop()

    def __exit__(self, *_: object) -> None:
        self._live.start(refresh=True)


class LineScreen:
    """One line for each thing that happens, for pipes and logs."""

    def __init__(self, view: RunView, console: Console) -> None:
        self._view = view
        self._console = console
        self._told: dict[str, tuple[float, str]] = {}
        self._begun: set[tuple[str, int]] = set()

    def __enter__(self) -> LineScreen:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def aside(self) -> AbstractContextManager[None]:
        return _Nothing()

    def note(self, text: str) -> None:
        self._console.print(text)

    def show(self, event: Event, step: StepView | None) -> None:
        start = self._view.started_at or event.at
        at = (event.at - start).total_seconds()
        text = self._line(event, step, at)
        if text is not None:
            status = step.status if step else self._view.status
            sign, style = (
                ("·", "dim") if event.kind in ("step.log", "step.progress") else MARKS.get(status, ("·", "dim"))
            )
            self._console.print(f"{at:8.1f}s  [{style}]{sign}[/] {text}", soft_wrap=True)

    def _line(self, event: Event, step: StepView | None, at: float) -> str | None:
        if step is None:
            return f"[dim]{event.kind}[/]" if event.kind in ("run.adopted", "run.resumed", "run.cancelling") else None
        label = "  " * step.depth + escape(step.label)
        data = event.data
        match event.kind:
            case "step.started":
                if (step.key, step.attempt) in self._begun:
                    return None
                self._begun.add((step.key, step.attempt))
                return f"{label}" + (f" (try {step.attempt})" if step.attempt > 1 else "")
            case "step.completed":
                took = duration(step.seconds(event.at))
                return f"{label}  [dim]{took}, {step.items_text}[/]"
            case "step.log":
                return f"{label}: {escape(str(data.get('message', '')))}"
            case "step.progress":
                last, message = self._told.get(step.key, (-_PROGRESS_EVERY, ""))
                if not step.message or step.message == message or at - last < _PROGRESS_EVERY:
                    return None
                self._told[step.key] = (at, step.message)
                return f"{label}: {escape(step.message)}"
            case "step.failed" | "step.retrying" | "step.unknown" | "step.waiting" | "step.cancelled":
                kind = event.kind.removeprefix("step.")
                return f"{label}: {kind}" + (f": {escape(step.message)}" if step.message else "")
            case _:
                return None


class _Nothing(AbstractContextManager[None]):
    def __exit__(self, *_: object) -> None:
        return None


class JsonScreen:
    """Every event as one line of JSON on the standard output."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __enter__(self) -> JsonScreen:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def aside(self) -> AbstractContextManager[None]:
        return _Nothing()

    def note(self, text: str) -> None:
        """Nothing: only events are wanted."""

    def show(self, event: Event, step: StepView | None) -> None:
        print(event_line(event), file=self._console.file, flush=True)


def event_data(event: Event) -> dict[str, Any]:
    """An event for `--json`."""
    return {
        "version": EVENTS_VERSION,
        "cursor": event.cursor,
        "run_id": event.run_id,
        "kind": event.kind,
        "step": event.step,
        "at": event.at.isoformat(),
        "data": dict(event.data),
    }


def event_line(event: Event) -> str:
    """An event as JSON, without a line end."""
    return json.dumps(event_data(event), ensure_ascii=False)


def screen_for(view: RunView, console: Console, *, as_json: bool) -> Screen:
    """The way of showing that fits where the output goes."""
    if as_json:
        return JsonScreen(console)
    return (
        TreeScreen(view, console) if console.is_terminal and not console.is_dumb_terminal else LineScreen(view, console)
    )
