"""`pyagent show RUN STEP`: the items that a step was given and gave, by port and with lineage."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from rich.console import Console
from rich.table import Table

from pyagent.cli.exits import Exit
from pyagent.cli.messages import print_error_data
from pyagent.cli.output import print_json
from pyagent.cli.progress import mark
from pyagent.cli.session import open_engine
from pyagent.cli.text import escape, plain
from pyagent.cli.view import duration
from pyagent.errors import NotFound
from pyagent.sdk.items import ItemSource

if TYPE_CHECKING:
    from pyagent.runtime.inspect import StepData
    from pyagent.sdk.items import BlobRef, Item, Items

_SHOWN = 20
"""Items of a port that are shown; `--json` has all, `--item` any one."""


async def show_step(run_id: str, step: str, *, port: str | None, item: int | None, as_json: bool) -> Exit:
    """Print a step with its items. Raises `NotFound` (`run.not_found`, `run.no_step`, `run.no_port`, `run.no_item`)."""
    from pyagent.runtime.inspect import step_data

    async with open_engine() as engine:
        data = await step_data(engine, run_id, step)
        inputs, outputs = _chosen(data, port)
        if item is not None:
            return _show_item(data, inputs, outputs, item, as_json=as_json)
        if as_json:
            print_json(_as_json(data, inputs, outputs))
            return Exit.DONE
        console = Console(highlight=False)
        record = data.record
        took = ""
        if record.started_at is not None and record.ended_at is not None:
            took = duration((record.ended_at - record.started_at).total_seconds())
        console.print(mark(record.status).append(f" {plain(record.step)}").append(f"  {record.status} {took}", "dim"))
        for failure in data.failures:
            error = cast("Mapping[str, Any]", failure.get("error") or {})
            told = f"{error.get('code', '')}: {error.get('message', '')}"
            console.print(f"[yellow]try {failure.get('attempt')}[/] {escape(told)}", soft_wrap=True)
        if data.answer:
            console.print(f"[dim]answered[/] {escape(json.dumps(dict(data.answer), ensure_ascii=False, default=str))}")
        if record.error:
            print_error_data(record.error, console)
        for way, ports in (("in", inputs), ("out", outputs)):
            for name, items in ports.items():
                _print_port(data, way, name, items, console)
        if not inputs and not outputs:
            console.print("[dim]no items[/]")
    return Exit.DONE


def _chosen(data: StepData, port: str | None) -> tuple[Mapping[str, Items], Mapping[str, Items]]:
    if port is None:
        return data.inputs, data.outputs
    inputs = {port: data.inputs[port]} if port in data.inputs else {}
    outputs = {port: data.outputs[port]} if port in data.outputs else {}
    if not inputs and not outputs:
        ports = ", ".join(dict.fromkeys([*data.inputs, *data.outputs])) or "none with items"
        raise NotFound(
            f"the step {data.record.step} has no items on a port {port!r}", code="run.no_port", hint=f"Ports: {ports}."
        )
    return inputs, outputs


def _print_port(data: StepData, way: str, name: str, items: Items, console: Console) -> None:
    console.print(f"\n[bold]{_port_name(way, name)}[/]  [dim]{len(items)} item{'s' * (len(items) != 1)}[/]")
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(style="dim", overflow="fold")
    for index, item in enumerate(islice(items, _SHOWN)):
        text = json.dumps(item.json, ensure_ascii=False)
        text = text if len(text) <= 300 else f"{text[:299]}…"
        files = "".join(f"  [{name}: {_file(ref)}]" for name, ref in (item.binary or {}).items())
        told = _told(data, _sources(data, way, name, index, item))
        table.add_row(str(index), plain(text + files), "← " + ", ".join(told) if told else "")
    console.print(table)
    if len(items) > _SHOWN:
        console.print(f"[dim]… {len(items) - _SHOWN} more: --json has all, --item {_SHOWN} one[/]")


def _file(ref: BlobRef) -> str:
    return f"{ref.name or ref.media_type}, {ref.size} B"


def _port_name(way: str, name: str) -> str:
    return way if way == name else f"{way} {escape(name)}"


def _sources(data: StepData, way: str, port: str, index: int, item: Item) -> Sequence[ItemSource]:
    """Which of the step's input items an item is made of; one that the step was given is one of them itself."""
    if way == "out":
        return item.sources
    itself = ItemSource(index, port)
    return (itself,) if data.origin(itself) else ()


def _told(data: StepData, sources: Sequence[ItemSource]) -> list[str]:
    told: list[str] = []
    for source in sources[:3]:
        origin = data.origin(source)
        told.append(f"{origin.step or 'the inputs'}[{origin.index}]" if origin else f"{source.port}[{source.item}]")
    return [*told, "…"] if len(sources) > 3 else told


def _item_json(data: StepData, item: Item, sources: Sequence[ItemSource]) -> dict[str, Any]:
    found = item.as_dict()
    found.pop("from", None)
    lineage: list[dict[str, Any]] = []
    for source in sources:
        origin = data.origin(source)
        told: dict[str, Any] = {"item": source.item, "port": source.port}
        if origin is not None:
            told["origin"] = {"step": origin.step, "port": origin.port, "item": origin.index}
        lineage.append(told)
    return found | {"from": lineage}


def _as_json(data: StepData, inputs: Mapping[str, Items], outputs: Mapping[str, Items]) -> dict[str, Any]:
    record = data.record
    return {
        "run": data.run.id,
        "step": record.step,
        "node": record.node,
        "status": record.status,
        "attempt": record.attempt,
        "started_at": record.started_at.isoformat() if record.started_at else None,
        "ended_at": record.ended_at.isoformat() if record.ended_at else None,
        "error": dict(record.error) if record.error else None,
        "failures": [dict(failure) for failure in data.failures],
        "answer": dict(data.answer) if data.answer else None,
        "inputs": _ports_json(data, "in", inputs),
        "outputs": _ports_json(data, "out", outputs),
    }


def _ports_json(data: StepData, way: str, ports: Mapping[str, Items]) -> dict[str, list[dict[str, Any]]]:
    return {
        port: [_item_json(data, item, _sources(data, way, port, index, item)) for index, item in enumerate(items)]
        for port, items in ports.items()
    }


def _show_item(
    data: StepData, inputs: Mapping[str, Items], outputs: Mapping[str, Items], item: int, *, as_json: bool
) -> Exit:
    """One item of the first port that has it, outputs before inputs."""
    for way, ports in (("out", outputs), ("in", inputs)):
        for name, items in ports.items():
            if 0 <= item < len(items):
                sources = _sources(data, way, name, item, items[item])
                found = _item_json(data, items[item], sources)
                if as_json:
                    print_json({"port": name, "way": way, "item": item, **found})
                    return Exit.DONE
                console = Console(highlight=False, soft_wrap=True)
                console.print(f"[bold]{_port_name(way, name)}[/] [dim]item {item}[/]")
                console.print(escape(json.dumps(found["json"], ensure_ascii=False, indent=2)))
                for key, ref in (items[item].binary or {}).items():
                    console.print(f"[dim]{escape(key)}[/] {escape(_file(ref))}, {ref.digest}")
                if sources:
                    console.print(f"[dim]from[/] {escape(', '.join(_told(data, sources)))}")
                return Exit.DONE
    raise NotFound(
        f"there is no item {item} in the step {data.record.step}",
        code="run.no_item",
        hint="Items are counted from 0; `pyagent show RUN STEP` lists them.",
    )
