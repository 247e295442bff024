"""How `first_database.tar.xz` was made: the first release's program had eight runs in all states when it was killed.

    git archive f5ebe6e engine nodes | tar -x -C OLD
    PYTHONPATH=OLD/engine:OLD/nodes python tests/replay/old_database.py OUT.tar.xz

The file is never made again: newer programs must be able to open what that one left, write-ahead log and all. Steps
that act note it in `$HOME/outbox`, and so can be counted; they stall while `$HOME/stall` is there.
"""

from __future__ import annotations

import asyncio
import json
import operator
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Annotated, Any, TypedDict

NOTE = """
import os, pathlib, time
home = pathlib.Path(os.environ["HOME"])
with open(home / "outbox", "a") as outbox:
    outbox.write(f"{word} {inputs['n']}\\n")
while {stalls} and (home / "stall").exists():
    time.sleep(0.02)
"""

ORDER = """\
pyagent: 1
id: order
inputs:
  n: {type: integer}
  fails: {type: boolean, default: false}
  asks: {type: string, default: ""}
  stalls: {type: boolean, default: false}
state:
  seen: {type: array, reduce: append}
outputs:
  seen: "{{ $state.seen }}"
  sizes: "{{ $('lines').all().map(item => item.json.size) }}"
  shipped: "{{ $('ship').first().json.shipped }}"
nodes:
  - {id: letter, use: io.read_file@1, with: {path: ~/letter.txt}}
  - {id: charge, use: code.python@1, write: {seen: charge}, with: {code: CHARGE}}
  - {id: split, use: data.split@1, with: {field: list}}
  - id: lines
    use: flow.map@1
    with: {parallel: 2}
    body:
      nodes:
        - id: size
          use: data.set@1
          with: {fields: {size: "{{ $json.word.length }}"}}
          write: {seen: "{{ $json.size }}"}
  - id: asks
    use: flow.switch@1
    with:
      rules:
        - {when: "{{ $inputs.asks == 'person' }}", to: person}
        - {when: "{{ $inputs.asks == 'signal' }}", to: signal}
  - {id: person, use: flow.approve@1}
  - {id: signal, use: flow.wait@1, with: {signal: paid, key: "{{ $inputs.n }}"}}
  - {id: ship, use: code.python@1, join: any, write: {seen: ship}, with: {code: SHIP}}
edges:
  - letter -> charge
  - charge -> split
  - split -> lines
  - lines -> asks
  - asks.person -> person
  - asks.signal -> signal
  - asks.rest -> ship
  - person.approved -> ship
  - signal -> ship
"""
CHARGE = (
    NOTE.replace("{word}", "charge").replace("{stalls}", "False")
    + 'return [{"list": [{"word": word} for word in ("one", "three", "seventeen")]}]\n'
)
SHIP = (
    "import os\n"
    "if inputs['fails'] and not os.path.exists(os.environ['HOME'] + '/mended'):\n"
    "    raise OSError('no ship')\n"
    + NOTE.replace("{word}", "ship").replace("{stalls}", "inputs['stalls']")
    + 'return [{"shipped": inputs["n"]}]\n'
)
RUNS: dict[int, dict[str, Any]] = {
    1: {},
    2: {"asks": "person"},
    3: {"asks": "signal"},
    4: {"fails": True},
    5: {"stalls": True},
    6: {"asks": "person"},
    7: {"asks": "person"},
}
"""Completed, waiting, waiting, failed, in flight, cancelled, queued; and there is a fork of the first."""


def talk() -> Any:
    """A LangGraph graph of its own that stops before its second node."""
    from langgraph.graph import END, START, StateGraph

    class Said(TypedDict):
        words: Annotated[list[str], operator.add]

    found: Any = StateGraph(Said)
    found.add_node("first", lambda state: {"words": ["first"]})
    found.add_node("second", lambda state: {"words": ["second"]})
    found.add_edge(START, "first")
    found.add_edge("first", "second")
    found.add_edge("second", END)
    return found


async def work(folder: Path) -> None:
    """Be the old program: run everything, and stay at work until killed."""
    from pyagent.runtime.engine import Engine
    from pyagent.store import open_store

    home = Path.home()
    (home / "letter.txt").write_text("dear customer, " * 20_000)
    graph = home / "order.yaml"
    graph.write_text(ORDER.replace("CHARGE", json.dumps(CHARGE)).replace("SHIP", json.dumps(SHIP)))
    store = open_store(f"sqlite:///{folder}/pyagent.db")
    await store.open()
    thread: Any = {"configurable": {"thread_id": "talk"}}
    compiled = talk().compile(checkpointer=store.langgraph_saver(), interrupt_before=["second"])
    await compiled.ainvoke({"words": ["begin"]}, thread)
    engine = Engine(store)

    async def start(n: int) -> Any:
        return await engine.start(graph, {"n": n, **RUNS[n]}, key=f"order-{n}", actor="ann", labels={"n": str(n)})

    for n in (1, 2, 3, 4, 6):
        run = await start(n)
        await engine.drive(run.id)
        if n == 1:
            await engine.drive((await engine.fork(run.id, "asks", once="reuse")).id)
        if n == 6:
            await engine.cancel(run.id, reason="not wanted")
            await engine.drive(run.id)
    await start(7)
    (home / "stall").touch()
    await engine.drive((await start(5)).id)


def main(target: str) -> None:
    """Start the old program, kill it in the middle, and pack what it leaves."""
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "HOME": home, "XDG_CACHE_HOME": f"{home}/cache"}
        child = subprocess.Popen([sys.executable, __file__, "--work", folder], env=environment)
        outbox = Path(home, "outbox")
        while not outbox.exists() or "ship 5" not in outbox.read_text():
            if child.poll() is not None:
                raise SystemExit("the old program ended by itself")
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        Path(home, "stall").unlink()
        with tarfile.open(target, "w:xz", preset=9) as packed:
            for path in sorted(Path(folder).rglob("*")):
                # Times and owners say nothing.
                packed.add(path, str(path.relative_to(folder)), recursive=False, filter=_plain)


def _plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = info.mtime = 0
    info.uname = info.gname = ""
    return info


if __name__ == "__main__":
    if sys.argv[1] == "--work":
        asyncio.run(work(Path(sys.argv[2])))
    else:
        main(sys.argv[1])
