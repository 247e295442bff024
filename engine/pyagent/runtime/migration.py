"""State that goes from one version of a graph to another (SEMANTICS 23): by a successor's or a fork's beginning.

What a value becomes is worked out once, before anything is changed, and stands in the new run's first entry: a replay
reads it there and evaluates nothing. What the old version had declared tells what is to be migrated, never the value.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pyagent.errors import ExpressionError, InputError, Where
from pyagent.graph.json_types import fits, type_of
from pyagent.graph.migration import reads_alike, takes
from pyagent.graph.spec import GraphSpec, StateChannel
from pyagent.runtime.expressions import EvaluationContext, Expressions
from pyagent.runtime.frames import FrameState
from pyagent.runtime.log import Entry, StepKey
from pyagent.runtime.program import Program
from pyagent.runtime.reduce import Channels
from pyagent.runtime.state import LoadProgram, RunState

Migrate = Callable[[str, Any], Any]
"""What a channel's migration gives, by the channel's name and its `migrate`. It may take long."""


def migration_of(
    expressions: Expressions, old: GraphSpec, values: Mapping[str, Any], inputs: Mapping[str, Any], now: datetime
) -> Migrate:
    """Evaluates migrations: `$state` is the state under the old version, `$inputs` what the run began with."""
    context = EvaluationContext(
        now=now,
        inputs=dict(inputs),
        state=dict(values),
        workflow={"id": old.id, "name": old.name or old.id, "active": True},
        vars={},
    )

    def migrate(name: str, template: Any) -> Any:
        try:
            return expressions.evaluate(template, context, field=f"state.{name}.migrate")
        except ExpressionError as error:
            why = f"its migration failed: {error.message}"
            raise _refused(name, why, has_one=True, details=error.as_dict()) from error

    return migrate


def carried(old: GraphSpec, new: GraphSpec, given: Mapping[str, Any], migrate: Migrate) -> dict[str, Any]:
    """What channels of the version `new` begin with, where those of `old` hold `given`.

    A channel that can take what it held before keeps it. One of another type begins with what its `migrate` gives; so
    does one that is new, if it has a `migrate`. Null means: as declared. Channels that are gone are left out.

    Raises `InputError` (`run.state_migration`) for a value that nothing migrates, a migration that fails, and one
    that gives what does not fit.
    """
    begin: dict[str, Any] = {}
    for name, channel in new.state.items():
        before = old.state.get(name)
        if before is not None and name not in given:
            continue
        if before is not None and takes(channel.type, before.type):
            begin[name] = given[name]
            continue
        if channel.migrate is None:
            if before is not None and given[name] is not None:
                why = f"it was {before.type} and is {channel.type} now, and has no `migrate`"
                raise _refused(name, why, has_one=False)
            continue
        value = migrate(name, channel.migrate)
        if not fits(channel.type, value):
            why = f"its migration gave {type_of(value)}, the channel is declared {channel.type}"
            raise _refused(name, why, has_one=True)
        if value is not None:
            begin[name] = value
    return begin


def _refused(name: str, why: str, *, has_one: bool, details: Mapping[str, Any] | None = None) -> InputError:
    return InputError(
        f"the state channel {name} cannot go on in this version: {why}",
        code="run.state_migration",
        hint=f"{'Correct' if has_one else 'Write'} state.{name}.migrate in the graph: it says what the channel begins "
        "with, a template that reads the old $state.",
        where=Where(field=f"state.{name}.migrate"),
        details=dict(details or {}),
    )


def differs(old: Mapping[str, StateChannel], new: Mapping[str, StateChannel]) -> frozenset[str]:
    """Channels in which the same writes would not make the same value under both versions."""
    return frozenset(name for name in {*old, *new} if not reads_alike(old.get(name), new.get(name)))


def migrated_entries(
    entries: Sequence[Entry],
    old: Program,
    new: Program,
    load: LoadProgram,
    migration: Callable[[Mapping[str, Any], Mapping[str, Any]], Migrate],
) -> list[Entry]:
    """A fork's first entries on the version `new`: writes to channels that differ there have become beginnings.

    `entries` begin with `run.started`; `migration` is given the old state and the run's inputs. Raises `InputError`
    (`run.state_migration`), also for a map that still runs and whose elements wrote such a channel: what they wrote
    is no part of the state yet.
    """
    changed = differs(old.graph.state, new.graph.state)
    if not changed:
        return list(entries)
    state = RunState(old, load)
    found: list[Entry] = []
    for entry in entries:
        own = entry.step is not None and _is_own(state, entry.step.frame)
        state.apply(entry)
        writes = entry.data.get("writes")
        if own and writes and not changed.isdisjoint(writes):
            left = {name: value for name, value in writes.items() if name not in changed}
            data = {name: value for name, value in entry.data.items() if name != "writes"}
            entry = Entry(entry.kind, entry.step, {**data, **({"writes": left} if left else {})}, entry.outputs)
        found.append(entry)
    for step, wrote in _written_in_open_maps(state):
        if wrote in changed:
            why = f"elements of {step}, which still runs, have written it, and it is another one now"
            raise InputError(
                f"the state channel {wrote} cannot go on in this version: {why}",
                code="run.state_migration",
                hint=f"Fork at {step}, so that its elements begin anew.",
                where=Where(field=f"state.{wrote}"),
            )
    channels = state.frames[""].channels
    given = channels.given()
    begin = carried(old.graph, new.graph, given, migration(dict(channels), state.frames[""].inputs))
    # Of channels that are as they were, the writes stand in the entries.
    before: Mapping[str, Any] = found[0].data.get("state") or {}
    begun = {name: value for name, value in before.items() if name not in changed}
    begun |= {name: value for name, value in begin.items() if name in changed}
    data = {name: value for name, value in found[0].data.items() if name != "state"}
    found[0] = Entry(found[0].kind, None, {**data, **({"state": begun} if begun else {})}, found[0].outputs)
    return found


def _written_in_open_maps(state: RunState) -> Iterator[tuple[StepKey, str]]:
    """Channels of the run that elements of maps have written which have not ended."""
    for step, expansion in state.expansions.items():
        if not expansion.calls and _is_own(state, step.frame):
            frames = [frame.channels.writes for frame in state.frames.values() if frame.parent == step]
            for writes in (*expansion.writes.values(), *frames):
                yield from ((step, name) for name, _ in writes)


def _is_own(state: RunState, name: str) -> bool:
    """Whether writes in a frame are to the run's own channels, at once or when a map ends, not to a called graph's."""
    frame: FrameState | None = state.frames.get(name)
    while frame is not None and frame.parent is not None:
        if frame.calls:
            return False
        frame = state.frames.get(frame.parent.frame)
    return frame is not None


async def restarted_state(
    expressions: Expressions,
    old: GraphSpec,
    new: GraphSpec,
    state: RunState,
    writes: Callable[[], Awaitable[Mapping[str, Any]]],
) -> dict[str, Any] | None:
    """What a successor on the version `new` begins with, where that is not simply the state as the run leaves it.

    `writes` gives those of the step that begins anew, which are not in the state yet. Raises `InputError`
    (`run.state_migration`).
    """
    if not differs(old.state, new.state):
        return None
    wrote = await writes()
    root = state.frames[""]
    channels = Channels(old.state, begin=root.channels.given())
    for name, value in wrote.items():
        channels.write(name, value, StepKey("", ""))
    migrate = migration_of(expressions, old, channels, root.inputs, datetime.now(UTC))
    # A migration may take long.
    return await asyncio.to_thread(carried, old, new, channels.given(), migrate)
