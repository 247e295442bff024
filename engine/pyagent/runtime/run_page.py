"""A run as data for a page that leaves this machine: without secrets, and with no more items than a page can show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import ValidationError

from pyagent.errors import PyAgentError
from pyagent.graph.spec import GraphSpec
from pyagent.graph.yaml import load_text, validate
from pyagent.runtime.apart import Apart, in_thread
from pyagent.runtime.log import Entry, decode
from pyagent.runtime.partial import until_of
from pyagent.runtime.redact import MASK
from pyagent.runtime.run_cleaning import Cleaner, forms_of
from pyagent.runtime.run_secrets import secrets_here, values_of_secret_inputs, without_secret_inputs
from pyagent.runtime.state import RunState
from pyagent.sdk.items import Items
from pyagent.store.base import Run, RunStatus, StepRecord, StepStatus

if TYPE_CHECKING:
    from pyagent.runtime.engine import Engine

MOST_STEPS = 2000
"""Steps that a page shows."""
MOST_ITEMS = 20
"""Items of a port that it shows."""
MOST_PORT_BYTES = 16 * 1024
MOST_BYTES = 4 * 1024 * 1024
"""Of all items together."""
MOST_DATA = 256 * 1024
"""Characters of the inputs that are shown, and of the outputs."""
MOST_MESSAGE = 4 * 1024
"""Characters of an error's message, and of its hint."""
_ENTRY = 100
"""Characters of a graph that take as long as an entry of a log."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PortData:
    """What a step put out on a port."""

    port: str
    count: int
    """Items in all."""
    shown: tuple[str, ...]
    """The first of them as JSON."""
    cut: bool
    """The last one is not whole."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PageStep:
    """A step as a page shows it."""

    step: str
    label: str
    status: StepStatus
    attempt: int
    started_at: datetime | None
    ended_at: datetime | None
    items_in: int
    items_out: Mapping[str, int]
    error: str
    hint: str
    ports: tuple[PortData, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class RunPageData:
    """All that a page shows of a run."""

    id: str
    graph: str
    name: str
    spec: GraphSpec
    """Without secrets: for its picture."""
    status: RunStatus
    production: bool
    until: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    error: str
    hint: str
    inputs: str | None
    """As JSON; None where no data is shown."""
    outputs: str | None
    marks: Mapping[str, StepStatus]
    """How each node of the picture stands."""
    counts: Mapping[str, int]
    """Items that each node put out."""
    steps: tuple[PageStep, ...]
    left_out: int
    """Steps that are not shown."""


async def run_page(engine: Engine, run_id: str, *, data: bool = True, apart: Apart = in_thread) -> RunPageData:
    """What a page shows of a run. `data`: also its inputs, outputs and items. Raises `NotFound`."""
    run = await engine.store.get_run(run_id)
    records = await engine.store.steps(run.id)
    state, entries = await engine.replay(run.id)
    hashes = {run.graph_hash, *(entry.called_graph for entry in entries if entry.called_graph)}
    texts = {hash: (await engine.store.get_graph(hash)).text for hash in hashes}

    def built() -> RunPageData:
        specs = {hash: load_text(text).spec for hash, text in texts.items()}
        return _built(run, records, state, entries, specs, data)

    return await apart(sum(map(len, texts.values())) + _ENTRY * len(entries), built)


def _built(
    run: Run,
    records: Sequence[StepRecord],
    state: RunState,
    entries: Sequence[Entry],
    specs: Mapping[str, GraphSpec],
    data: bool,
) -> RunPageData:
    inputs = decode(run.inputs)
    secret = [*secrets_here(), *values_of_secret_inputs(specs, run.graph_hash, inputs, entries)]
    cleaner = Cleaner(forms_of(secret), without_data=False)
    spec = _cleaned(specs[run.graph_hash], cleaner)
    labels = {node.id: cleaner.redacted(node.label) for each in specs.values() for node in each.by_id.values()}
    shown = records[:MOST_STEPS]
    outputs = _outputs(state, entries, {record.step for record in shown}, cleaner) if data else {}
    own = [record for record in records if "/" not in record.step]
    counts: dict[str, int] = {}
    for record in own:
        counts[record.node] = counts.get(record.node, 0) + sum(record.items_out.values())
    return RunPageData(
        id=run.id,
        graph=run.graph_id,
        name=cleaner.redacted(spec.name or spec.id),
        spec=spec,
        status=run.status,
        production=run.production,
        until=until_of(run),
        created_at=run.created_at,
        started_at=run.started_at,
        ended_at=run.ended_at,
        error=_message(run.error, cleaner),
        hint=_hint(run.error, cleaner),
        inputs=_data(cleaner.whole(without_secret_inputs(specs[run.graph_hash], inputs, MASK))) if data else None,
        outputs=_data(cleaner.whole(decode(run.outputs))) if data and run.outputs else None,
        marks={record.node: record.status for record in own},
        counts=counts,
        steps=tuple(
            PageStep(
                step=record.step,
                label=labels.get(record.node, record.node),
                status=record.status,
                attempt=record.attempt,
                started_at=record.started_at,
                ended_at=record.ended_at,
                items_in=record.items_in,
                items_out=dict(record.items_out),
                error=_message(record.error, cleaner),
                hint=_hint(record.error, cleaner),
                ports=outputs.get(record.step, ()),
            )
            for record in shown
        ),
        left_out=len(records) - len(shown),
    )


def _cleaned(spec: GraphSpec, cleaner: Cleaner) -> GraphSpec:
    try:
        return validate(cleaner.graph(spec.to_data()))
    except (PyAgentError, ValidationError):
        # What was masked is no graph any more: its shape alone can be shown.
        nodes = tuple(node.model_copy(update={"name": None, "notes": None}) for node in spec.nodes)
        return spec.model_copy(update={"name": None, "nodes": nodes})


def _outputs(
    state: RunState, entries: Sequence[Entry], wanted: set[str], cleaner: Cleaner
) -> dict[str, tuple[PortData, ...]]:
    """What the steps put out, as much of it as a page shows."""
    left = MOST_BYTES
    found: dict[str, tuple[PortData, ...]] = {}
    for entry in entries:
        changes = state.apply(entry)
        ended = [(str(key), state.outcomes[key].outputs) for key in changes.expanded if key in state.outcomes]
        if entry.kind == "step.ended" and entry.step is not None:
            ended.append((str(entry.step), entry.outputs or {}))
        for step, ports in ended:
            if step in wanted and left > 0:
                found[step] = tuple(_port(port, items, cleaner) for port, items in ports.items())
                left -= sum(len(text) for port in found[step] for text in port.shown)
    return found


def _port(port: str, items: Items, cleaner: Cleaner) -> PortData:
    shown: list[str] = []
    left, cut = MOST_PORT_BYTES, False
    for item in items[:MOST_ITEMS]:
        text = _json(cleaner.value(item.json))
        if item.binary:
            files = {name: f"{ref.name} ({ref.size} bytes)" for name, ref in item.binary.items()}
            text += f"\n{_json(cleaner.value({'files': files}))}"
        if len(text) > left:
            shown.append(f"{text[:left]}…")
            cut = True
            break
        shown.append(text)
        left -= len(text)
    return PortData(port=port, count=len(items), shown=tuple(shown), cut=cut)


def _message(error: Mapping[str, Any] | None, cleaner: Cleaner) -> str:
    if not error:
        return ""
    return f"{_cut(cleaner.redacted(str(error.get('message', ''))), MOST_MESSAGE)} ({error.get('code', '')})"


def _hint(error: Mapping[str, Any] | None, cleaner: Cleaner) -> str:
    return _cut(cleaner.redacted(str(error.get("hint") or "")), MOST_MESSAGE) if error else ""


def _data(value: Any) -> str:
    return _cut(_json(value), MOST_DATA)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}…"


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS, default=str).decode()


__all__ = ["PageStep", "PortData", "RunPageData", "run_page"]
