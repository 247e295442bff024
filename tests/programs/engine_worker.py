"""An engine in a process of its own that drives one run, to be killed at any moment.

Usage: `engine_worker.py STORE GRAPHS LEASE_SECONDS`. It prints `ready`, then drives each run whose id comes on its
standard input until that run ends or waits, and prints the run's status. Nodes or kinds of events named after the id:
it prints `at NODE` and kills itself as a step of one of them begins, or such an event is told. With PYAGENT_EFFECTS set
to a port of `effect_server.py` it has a node `kill.post`, which asks that server for an effect.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

from pyagent.errors import LeaseHeld
from pyagent.runtime.engine import Engine
from pyagent.runtime.journal import StoreJournal
from pyagent.runtime.library import GraphLibrary
from pyagent.sdk import Context, Item, NodeParams, Registry, node
from pyagent.store.base import NewEvent, StepRecord


class PostParams(NodeParams):
    """Parameters of `kill.post`."""

    what: str


@node("kill.post", title="Post", effects="once", each_item=True)
async def post(item: Item, params: PostParams, ctx: Context) -> dict[str, object]:
    """Have the process outside do something that must happen once for each item."""
    return await ask(params.what, item, ctx)


@node("kill.post_all", title="Post all", effects="once")
async def post_all(items: list[Item], params: PostParams, ctx: Context) -> list[Item]:
    """Have the process outside do something that must happen once."""
    return [Item(await ask(params.what, items[0], ctx))]


async def ask(what: str, item: Item, ctx: Context) -> dict[str, object]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(os.environ["PYAGENT_EFFECTS"]))
    try:
        done = {"what": what, "n": item.json["n"]}
        effect = {"key": ctx.idempotency_key, "run": ctx.run_id, "step": ctx.step, "done": done}
        writer.write(json.dumps({"post": effect, "pid": os.getpid()}).encode() + b"\n")
        await writer.drain()
        if not await reader.readline():
            raise ConnectionError("no answer")
        return done
    finally:
        writer.close()


def registry() -> Registry:
    """The installed nodes and `kill.post`."""
    found = Registry.installed()
    found.add(post)
    found.add(post_all)
    return found


async def drive(engine: Engine, run_id: str) -> str:
    """Drive the run; while the dead worker's lease lasts, wait for its end."""
    while True:
        mark = engine.store.mark()
        try:
            return (await engine.drive(run_id)).status
        except LeaseHeld:
            await engine.store.changed(0.05, mark)


def die_at(nodes: list[str]) -> None:
    """Have this process kill itself, saying where, when a step of one of the nodes begins."""
    tell = StoreJournal.tell

    def tell_or_die(self: StoreJournal, event: NewEvent, step: StepRecord | None = None) -> None:
        node_id = event.step.rpartition("/")[2].partition("@")[0]
        place = node_id if event.kind == "step.started" else event.kind
        if place in nodes:
            print(f"at {place}", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        tell(self, event, step)

    StoreJournal.tell = tell_or_die


async def main(store: str, graphs: str, lease: str) -> None:
    options = {"registry": registry(), "library": GraphLibrary([Path(graphs)])}
    async with Engine.open(store, lease=timedelta(seconds=float(lease)), **options) as engine:
        print("ready", flush=True)
        while words := (await asyncio.to_thread(sys.stdin.readline)).split():
            run_id, *nodes = words
            if nodes:
                die_at(nodes)
            print(await drive(engine, run_id), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
