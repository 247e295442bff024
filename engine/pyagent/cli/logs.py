"""`pyagent logs`: what the steps of a run have said, and what became of them, line by line."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, cast

from rich.console import Console

from pyagent.cli.exits import Exit
from pyagent.cli.output import print_json_line
from pyagent.cli.progress import event_data
from pyagent.cli.session import open_engine
from pyagent.cli.text import escape, plain
from pyagent.cli.view import Labels
from pyagent.cli.watch import STOPPED
from pyagent.errors import InputError, NotFound

if TYPE_CHECKING:
    from pyagent.runtime.engine import Engine
    from pyagent.store.base import Event

Level = Literal["debug", "info", "warning", "error"]
_LEVELS: tuple[Level, ...] = ("debug", "info", "warning", "error")
_STYLES = {"debug": "dim", "info": "", "warning": "yellow", "error": "red"}
_LEVEL_OF: dict[str, Level] = {
    "step.failed": "error",
    "run.failed": "error",
    "step.retrying": "warning",
    "step.unknown": "warning",
    "step.cancelled": "warning",
    "run.cancelled": "warning",
    "step.skipped": "debug",
    "step.progress": "debug",
    "step.token": "debug",
    "step.started": "debug",
    "step.answer_ignored": "warning",
    "run.on_failure_failed": "warning",
}
"""How loud an event is that is no log line; others are `info`."""


@dataclass(frozen=True, kw_only=True)
class LogOptions:
    """What `pyagent logs` was asked for."""

    run: str
    follow: bool = False
    level: Level = "info"
    node: str | None = None
    """Id or name of a node, or a step."""
    since: str | None = None
    as_json: bool = False


async def show_logs(options: LogOptions) -> Exit:
    """Print the lines. Raises `NotFound`, `InputError` (`input.syntax`)."""
    from pyagent.graph.yaml import load_text

    console = Console(highlight=False, soft_wrap=True)
    since = moment(options.since, datetime.now(UTC)) if options.since is not None else None
    async with open_engine() as engine:
        run = await engine.store.get_run(options.run)
        spec = load_text((await engine.store.get_graph(run.graph_hash)).text).spec
        labels = Labels(spec, engine.library)
        if options.node is not None:
            steps = await engine.store.steps(run.id)
            known = {name for record in steps for name in (record.step, record.node, labels.of(record.step))}
            known |= {name for node in spec.nodes for name in (node.id, node.label)}
            if options.node not in known:
                raise NotFound(
                    f"the run {run.id} has no node {options.node!r}",
                    code="run.no_step",
                    hint=f"It has: {', '.join(node.id for node in spec.nodes)}.",
                )
        async for event in _events(engine, run.id, follow=options.follow):
            if since is not None and event.at < since:
                continue
            if _LEVELS.index(level_of(event)) < _LEVELS.index(options.level):
                continue
            if options.node is not None and not _is_of(event, options.node, labels):
                continue
            if options.as_json:
                print_json_line(event_data(event) | {"level": level_of(event)})
            else:
                console.print(_line(event, labels))
    return Exit.DONE


async def _events(engine: Engine, run_id: str, *, follow: bool) -> AsyncIterator[Event]:
    """The run's events so far; with `follow`, those to come until nobody works on it any more."""
    cursor, store = 0, engine.store
    while True:
        mark = store.mark()
        run = await store.get_run(run_id)
        while batch := await store.read_events(cursor, run_id):
            cursor = batch[-1].cursor
            for event in batch:
                yield event
        if not follow or run.status in STOPPED:
            return
        await store.changed(1.0, mark)


def level_of(event: Event) -> Level:
    """How loud an event is."""
    if event.kind == "step.log":
        said = event.data.get("level", "info")
        return said if said in _LEVELS else "info"
    return _LEVEL_OF.get(event.kind, "info")


def _is_of(event: Event, node: str, labels: Labels) -> bool:
    step = event.step
    return bool(step) and node in (step, step.rpartition("/")[2].partition("@")[0], labels.of(step))


def _line(event: Event, labels: Labels) -> str:
    level = level_of(event)
    data = dict(event.data)
    if event.kind == "step.log":
        text = plain(str(data.pop("message", "")))
        data.pop("level", None)
    else:
        text = event.kind.partition(".")[2].replace("_", " ")
        if isinstance(data.get("error"), dict):
            error = cast("dict[str, Any]", data.pop("error"))
            text += f": {error.get('code', '')}: {plain(str(error.get('message', '')))}"
    rest = f"  [dim]{escape(json.dumps(data, ensure_ascii=False))}[/]" if data else ""
    style = _STYLES[level]
    where = f"[bold]{escape(labels.of(event.step))}[/]  " if event.step else "run  "
    said = f"[{style}]{escape(text)}[/]" if style else escape(text)
    return f"[dim]{event.at.astimezone():%H:%M:%S.%f}"[:-3] + f"[/]  {where}{said}{rest}"


def moment(text: str, now: datetime) -> datetime:
    """A time as people give it: `10m` ago, `14:05` today, or a date and time. Raises `InputError` (`input.syntax`)."""
    from pyagent.graph.duration import parse_duration

    try:
        return now - parse_duration(text)
    except ValueError:
        pass  # it is no duration
    try:
        if len(text) <= 8 and ":" in text:
            time = datetime.strptime(text, "%H:%M:%S" if text.count(":") == 2 else "%H:%M").time()
            local = now.astimezone()
            found = datetime.combine(local.date(), time, local.tzinfo)
            return found if found <= now else found - timedelta(days=1)
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"--since {text!r} is no time",
            code="input.syntax",
            hint="Give how long ago (10m, 2h), a time of the day (14:05), or a date and time (2026-01-31T14:05).",
        ) from None
    return found if found.tzinfo else found.astimezone()
