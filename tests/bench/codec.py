"""P21: what runs keep, encoded and decoded: bytes and time beside LangGraph's serializer, on the same values.

The values are the commits of real runs: a ready graph on a folder of files, recorded graphs of the replay tests, chains
and a map; and the channel values of a LangGraph conversation. None of them taught the dictionary. Each side gets a
commit as the engine has it (entries, events and steps, with times as `datetime`) and gives it back.
"""

from __future__ import annotations

import json
import operator
import os
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, TypedDict, cast

from bench.frame import Bar, Row, Side
from bench.measure import ROOT

REPEATS = 5


async def commits(folder: str) -> list[Any]:
    """The commits of some runs."""
    from bench import work
    from pyagent.store.sqlite import SqliteStore

    found: list[Any] = []
    commit = SqliteStore.commit

    async def keeping(self: Any, lease: Any, change: Any) -> Any:
        found.append(change)
        return await commit(self, lease, change)

    cast("Any", SqliteStore).commit = keeping
    try:
        async with work.engine() as engine:
            for graph, inputs in _runs(Path(folder)):
                run = await engine.run(graph, inputs)
                assert run.error is None, run.error
    finally:
        cast("Any", SqliteStore).commit = commit
    return found


def _runs(folder: Path) -> list[tuple[Any, dict[str, Any]]]:
    from bench import work
    from pyagent.graph.yaml import load_file, load_text

    files = folder / "files"
    files.mkdir(parents=True, exist_ok=True)
    for number in range(12):
        rows = "".join(f"{row},Customer {row * 7 % 31},{row * 13.5:.2f},2026-0{row % 9 + 1}-11\n" for row in range(20))
        (files / f"orders_{number}.csv").write_text("id,name,amount,due\n" + rows)
    recorded = [json.loads((ROOT / "tests" / "replay" / f"{name}.json").read_text()) for name in RECORDED]
    split = {"id": "split", "use": "data.split@1", "with": {"field": "numbers", "into": "n"}}
    body = {"nodes": [{"id": "add", "use": "bench.idempotent@1", "with": {"field": "f"}}]}
    mapped = work.document([split, {"id": "each", "use": "flow.map@1", "body": body}], ["split -> each"])
    return [
        (load_file(ROOT / "graphs" / "convert_folder.yaml"), {"path": str(files), "to": "json"}),
        *((load_text(one["graph"]), one["entries"][0]["data"]["inputs"]) for one in recorded),
        (work.chain(40, "idempotent", "once"), {"start": 0}),
        (work.chain(40, "none"), {"start": 0}),
        (mapped, {"numbers": list(range(100))}),
    ]


RECORDED = ("branches_and_loops", "maps_and_failures")


class _State(TypedDict):
    messages: Annotated[list[Any], operator.add]
    plan: list[str]


async def conversation() -> list[Any]:
    """Checkpoints, channel values and writes, as LangGraph hands them to a checkpointer."""
    from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
    from langgraph.checkpoint.memory import InMemorySaver
    from langgraph.graph import END, START, StateGraph

    found: list[Any] = []

    class Keeping(InMemorySaver):
        async def aput(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> Any:
            values = checkpoint["channel_values"]
            found.append({name: value for name, value in checkpoint.items() if name != "channel_values"})
            found.append(metadata)
            found.extend(values[name] for name in new_versions if name in values)
            return await super().aput(config, checkpoint, metadata, new_versions)

        async def aput_writes(self, config: Any, writes: Any, task_id: str, task_path: str = "") -> None:
            found.extend(value for _, value in writes)
            await super().aput_writes(config, writes, task_id, task_path)

    def think(state: _State) -> dict[str, Any]:
        turn = len(state["messages"])
        call = {"name": "read_file", "args": {"path": f"src/part_{turn}.py", "lines": [1, 40]}, "id": f"call-{turn}"}
        usage = {"input_tokens": 900 + turn, "output_tokens": 60, "total_tokens": 960 + turn}
        said = f"I will look at part {turn} of the program to see how it reads its settings."
        return {
            "messages": [AIMessage(said, id=f"ai-{turn}", tool_calls=[call], usage_metadata=usage)],
            "plan": [f"step {n}" for n in range(turn % 5)],
        }

    def read(state: _State) -> dict[str, Any]:
        turn = len(state["messages"])
        text = "\n".join(f"def part_{turn}_{line}(value):\n    return value + {line}" for line in range(10))
        return {"messages": [ToolMessage(text, tool_call_id=f"call-{turn - 1}", id=f"tool-{turn}")]}

    builder = StateGraph(_State)
    builder.add_node("think", think)
    builder.add_node("read", read)
    for source, target in ((START, "think"), ("think", "read"), ("read", END)):
        builder.add_edge(source, target)
    graph = builder.compile(checkpointer=Keeping())
    for turn in range(10):
        question = HumanMessage(f"And what about question {turn}?", id=f"human-{turn}")
        await graph.ainvoke({"messages": [question], "plan": []}, {"configurable": {"thread_id": "talk"}})
    return found


def _store_sides() -> tuple[Callable[[Any], list[bytes]], Callable[[list[bytes]], object]]:
    """As the store keeps a commit: entries, events and steps, each packed as one."""
    from pyagent.runtime.log import decode, encode
    from pyagent.store import codec
    from pyagent.store.base import LogRecord
    from pyagent.store.sqlite import batches, rows

    def pack(commit: Any) -> list[bytes]:
        entries, events, steps = commit
        records = [LogRecord(seq=0, kind=kind, step=step, body=encode(body)) for kind, step, body in entries]
        packed = [batches.pack_entries(records) if records else b"", batches.pack_events(events) if events else b""]
        return [*packed, batches.pack_steps(steps) if steps else b""]

    def unpack(packed: list[bytes]) -> object:
        entries, events, steps = packed
        found: list[Any] = []
        if entries:
            content = codec.decode(entries)
            start = 4 + int.from_bytes(content[:4], "big")
            for kind, step, length in codec.rows_of(content[4:start]):
                found.append((kind, step, decode(content[start : start + length])))
                start += length
        # Tables with times as the other side gives them: what the store's objects cost is no serializer's affair.
        told = codec.rows_of(codec.decode(events)) if events else []
        for row in told:
            row[2] = rows.moment(row[2])
        states = codec.rows_of(codec.decode(steps)) if steps else []
        for row in states:
            row[5], row[6] = rows.moment_or_none(row[5]), rows.moment_or_none(row[6])
        return found, told, states

    return pack, unpack


def _saver_sides() -> tuple[Callable[[Any], list[bytes]], Callable[[list[bytes]], object]]:
    from pyagent.store import codec
    from pyagent.store.channel_values import flat, value_of
    from pyagent.store.typed import TypedSerializer

    serde = TypedSerializer()
    return lambda value: [codec.encode(flat(serde, value))], lambda packed: value_of(serde, codec.decode(packed[0]))


def _langgraph_sides() -> tuple[Callable[[Any], list[bytes]], Callable[[list[bytes]], object]]:
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

    serde = JsonPlusSerializer()

    def pack(value: Any) -> list[bytes]:
        return [serde.dumps_typed(value)[1]]

    return pack, lambda packed: serde.loads_typed(("msgpack", packed[0]))


def _plain(commit: Any) -> Any:
    """A commit as LangGraph's serializer can take it at least cost: tables of plain values, times as they are."""
    entries, events, steps = commit
    return [
        entries,
        [(event.kind, event.step, event.at, dict(event.data)) for event in events],
        [
            (
                *(step.step, step.node, step.scope, step.status, step.attempt, step.started_at, step.ended_at),
                *(step.items_in, dict(step.items_out), step.error, step.wait),
            )
            for step in steps
        ],
    ]


@asynccontextmanager
async def measured(side: str, what: str, of: str, folder: str) -> AsyncGenerator[Any]:
    """Bytes, or milliseconds to encode and decode all values."""
    from pyagent.runtime.log import decode

    os.environ["PYAGENT_WORK"] = folder
    if of == "commits":
        values = [
            (
                [(one.kind, one.step, decode(one.body)) for one in change.entries],
                list(change.events),
                list(change.steps),
            )
            for change in await commits(folder)
        ]
        values = [value if side == "ours" else _plain(value) for value in values if any(value)]
        pack, unpack = _store_sides() if side == "ours" else _langgraph_sides()
    else:
        values = [value for value in await conversation() if value is not None]
        pack, unpack = _saver_sides() if side == "ours" else _langgraph_sides()

    async def sample() -> float:
        started = time.perf_counter()
        for _ in range(REPEATS):
            packed = [pack(value) for value in values]
            for one in packed:
                unpack(one)
        taken = (time.perf_counter() - started) * 1000 / REPEATS
        return float(sum(len(part) for one in packed for part in one)) if what == "bytes" else taken

    yield sample


def _row(id: str, what: str, of: str, work: str, bar: Bar) -> Row:
    def side(name: str, which: str) -> Side:
        options = {"side": which, "what": what, "of": of}
        return Side(name=name, sampler="bench.codec:measured", options=options)

    return Row(
        id=id,
        work=f"{work}: {'bytes' if what == 'bytes' else 'time to encode and decode'}",
        unit="B" if what == "bytes" else "ms",
        ours=side("PyAgent", "ours"),
        peer=side("LangGraph, JsonPlusSerializer", "langgraph"),
        bar=bar,
        samples=3 if what == "bytes" else 9,
    )


ROWS = [
    _row("P21", "bytes", "commits", "commits of real runs", Bar(text="≥ 3 x", ratio=3)),
    _row("P21t", "time", "commits", "commits of real runs", Bar(text="≥ 1 x", ratio=1)),
    _row("P21m", "bytes", "conversation", "checkpoints of a conversation", Bar(text="≥ 3 x", ratio=3)),
    _row("P21mt", "time", "conversation", "checkpoints of a conversation", Bar(text="≥ 1 x", ratio=1)),
]
