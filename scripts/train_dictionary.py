"""Train the codec's dictionary on what PyAgent's own runs keep, and write it where the codec is built from.

    .venv/bin/python scripts/train_dictionary.py NUMBER
    .venv/bin/python scripts/train_dictionary.py NUMBER --check

The runs are those of the example graphs beside the nodes that need no server, and a LangGraph conversation with a
checkpointer. Times, identities and durations differ from run to run: they are replaced by others that do not, and what
still differs between two rounds is left out. The samples are kept beside the dictionary: the same ones give the same
file. A number that is in use is refused: what was packed with a dictionary is read with that one for ever.
"""

import argparse
import asyncio
import hashlib
import json
import lzma
import os
import random
import re
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
DICTIONARIES = ROOT / "rust_core" / "crates" / "codec" / "dictionaries"
SIZE = 32 * 1024
LARGEST_SAMPLE = 32 * 1024

_ISO = re.compile(rb"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?")
_STAMP = re.compile(rb"(?<!\d)1[78]\d{14}(?!\d)")
_SECONDS = re.compile(rb'"(seconds|duration|took)":\d+\.\d+')
_VERSION = re.compile(rb"\b0000[0-9a-f]{4}\.[0-9a-f]{10}\b")
_FOLDER = re.compile(rb"/[^\s\"']*/tmp[a-z0-9_]{8}\b")
_HEX = re.compile(rb"\b[0-9a-f]{32,64}\b")
_ID = re.compile(rb"\b01[0-9A-HJKMNP-TV-Z]{24}\b|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")


@contextmanager
def captured() -> Generator[list[bytes]]:
    """Everything that goes through the codec."""
    from pyagent.store import codec

    found: list[bytes] = []
    encode = codec.encode

    def keeping(payload: bytes, *, parent: bytes | None = None) -> bytes:
        found.append(payload)
        return encode(payload, parent=parent)

    codec.encode = keeping
    try:
        yield found
    finally:
        codec.encode = encode


async def samples() -> list[bytes]:
    """What the runs keep, as SQLite's store (a commit in three payloads) and Neo4j's (each by itself) pass it on."""

    import orjson

    from pyagent.store.sqlite import SqliteStore

    singles: list[bytes] = []
    commit = SqliteStore.commit

    async def keeping(self: Any, lease: Any, change: Any) -> Any:
        singles.extend(entry.body for entry in change.entries)
        singles.extend(orjson.dumps(dict(event.data)) for event in change.events)
        return await commit(self, lease, change)

    patched: Any = SqliteStore
    patched.commit = keeping
    try:
        with captured() as found:
            await run_examples("[!i]*")
            await run_langgraph()
        await run_examples("io")  # what goes into one commit depends on the disk's speed there
    finally:
        patched.commit = commit
    return [*found, *singles]


async def run_examples(domains: str) -> None:
    """Every example graph beside a node that needs no server."""
    from pyagent.graph.yaml import load_file
    from pyagent.runtime.engine import Engine
    from pyagent.runtime.library import GraphLibrary
    from pyagent.store.sqlite import SqliteStore
    from pyagent.testing.node_examples import filled

    for example in sorted((ROOT / "nodes" / "pyagent_nodes").glob(f"{domains}/examples/*.yaml")):
        said = json.loads(example.with_suffix(".json").read_text())
        if said.get("needs"):
            continue
        with tempfile.TemporaryDirectory() as folder:
            os.environ["PYAGENT_WORK"] = folder
            given = {"folder": folder}
            store = SqliteStore(Path(folder) / "runs.db")
            await store.open()
            try:
                engine = Engine(store, library=GraphLibrary([example.parent, ROOT / "graphs"]))
                run = await engine.run(load_file(example), filled(said.get("inputs", {}), given))
                for sent in filled(said.get("sends", []), given):
                    if "signal" in sent:
                        await engine.signal(sent["signal"], sent.get("value"), key=sent.get("key", ""))
                    else:
                        await engine.answer(run.id, sent.get("step", ""), sent["answer"])
                    run = await engine.drive(run.id)
            finally:
                await store.close()


async def run_langgraph() -> None:
    """A conversation with tools, interrupted and resumed."""
    import operator
    from typing import Annotated, TypedDict

    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
    from langgraph.graph import END, START, StateGraph
    from langgraph.types import Command, interrupt

    from pyagent.store.checkpoints import langgraph_saver

    class State(TypedDict):
        messages: Annotated[list[Any], operator.add]
        step: int

    def ask(state: State) -> dict[str, Any]:
        number = state.get("step", 0)
        call = {"name": "search", "args": {"query": f"weather in town {number}"}, "id": f"call_{number}"}
        return {"messages": [AIMessage("", id=f"ask-{number}", tool_calls=[call])], "step": number + 1}

    def tool(state: State) -> dict[str, Any]:
        number = state["step"] - 1
        answer = ToolMessage(f"It is {number} degrees.", tool_call_id=f"call_{number}", id=f"tool-{number}")
        return {"messages": [answer, SystemMessage("Go on.", id=f"system-{number}")]}

    def confirm(state: State) -> dict[str, Any]:
        return {"messages": [HumanMessage(str(interrupt({"question": "Go on?"})), id=f"human-{state['step']}")]}

    builder: Any = StateGraph(State)
    for name, node in (("ask", ask), ("tool", tool), ("confirm", confirm)):
        builder.add_node(name, node)
    for source, target in ((START, "ask"), ("ask", "tool"), ("tool", "confirm"), ("confirm", END)):
        builder.add_edge(source, target)
    with tempfile.TemporaryDirectory() as folder:
        async with langgraph_saver(f"{folder}/talk.db") as saver:
            graph = builder.compile(checkpointer=saver)
            config: Any = {"configurable": {"thread_id": "talk"}}
            for number in range(4):
                await graph.ainvoke({"messages": [HumanMessage("How is it?", id=f"first-{number}")]}, config)
                await graph.ainvoke(Command(resume="yes"), config)


def settled(payloads: list[bytes], again: list[bytes]) -> list[bytes]:
    """The payloads of two rounds without what differs from round to round, each once, in an order of their own."""

    def plain(text: bytes) -> bytes:
        text = _FOLDER.sub(b"/tmp/folder", text)
        for pattern in (_ISO, _STAMP, _VERSION, _HEX, _ID):
            text = pattern.sub(b"0", text)
        return _SECONDS.sub(rb'"\1":0', text)

    def replaced(text: bytes) -> bytes:
        chance = random.Random(plain(text))  # noqa: S311

        def iso(_: re.Match[bytes]) -> bytes:
            return b"2026-%02d-%02dT%02d:%02d:%02d.%06d" % (
                *(chance.randrange(1, 13), chance.randrange(1, 29), chance.randrange(24), chance.randrange(60)),
                *(chance.randrange(60), chance.randrange(10**6)),
            )

        def digits(match: re.Match[bytes]) -> bytes:
            return re.sub(rb"[0-9a-zA-Z]", lambda _: b"%x" % chance.randrange(16), match[0])

        text = _ISO.sub(iso, _FOLDER.sub(b"/tmp/folder", text))
        text = _STAMP.sub(lambda _: b"1795%012d" % chance.randrange(10**12), text)
        text = _SECONDS.sub(lambda match: b'"%s":%.6f' % (match[1], chance.random() / 100), text)
        for pattern in (_VERSION, _HEX, _ID):
            text = pattern.sub(digits, text)
        return text

    twice = {plain(payload) for payload in again}
    fitting = (payload for payload in payloads if 32 <= len(payload) <= LARGEST_SAMPLE)
    found = {key: payload for payload in fitting if (key := plain(payload)) in twice}
    return [replaced(found[key]) for key in sorted(found)]


def write_samples(path: Path, found: list[bytes]) -> None:
    """Keep what a dictionary was trained on."""
    path.write_bytes(lzma.compress(json.dumps([sample.decode("latin-1") for sample in found]).encode(), preset=9))


def read_samples(path: Path) -> list[bytes]:
    """What `write_samples` was given."""
    return [sample.encode("latin-1") for sample in json.loads(lzma.decompress(path.read_bytes()))]


def trained(number: int, found: list[bytes]) -> bytes:
    """The dictionary: the same for the same samples."""
    import zstandard

    return zstandard.train_dictionary(SIZE, cast("Any", found), level=1, dict_id=number).as_bytes()


def main() -> int:
    """0 when the dictionary was written, or is what its samples give."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("number", type=int, help="the new dictionary's number")
    parser.add_argument("--check", action="store_true", help="train an old one again from its samples, and compare")
    asked = parser.parse_args()
    target, kept = DICTIONARIES / f"{asked.number}.zdict", DICTIONARIES / f"{asked.number}.samples.xz"
    if asked.check:
        same = trained(asked.number, read_samples(kept)) == target.read_bytes()
        print(f"{target} is {'' if same else 'not '}what its samples give")
        return 0 if same else 1
    if target.exists():
        print(f"{target} is there already: give the new dictionary a new number.", file=sys.stderr)
        return 1
    found = settled(asyncio.run(samples()), asyncio.run(samples()))
    write_samples(kept, found)
    made = trained(asked.number, found)
    target.write_bytes(made)
    print(f"{target}: {len(made)} bytes from {len(found)} samples, {sum(map(len, found))} bytes")
    print(f"sha256 {hashlib.sha256(made).hexdigest()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
