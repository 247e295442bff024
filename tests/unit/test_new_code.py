"""An engine that is given new code of nodes: a run that goes on keeps the code it began with."""

from __future__ import annotations

import asyncio

from pyagent.runtime.engine import Engine
from pyagent.sdk import Context, Item, JsonObject, NoParams, Registry, node
from pyagent.testing import MemoryStore

GRAPH = """\
pyagent: 1
id: g
outputs: {said: "{{ [$('first').first().json.said, $('second').first().json.said].join() }}"}
nodes:
  - {id: first, use: x.say@1}
  - {id: gate, use: x.gate@1}
  - {id: second, use: x.say@1}
edges: [first -> gate, gate -> second]
"""


async def test_a_run_has_one_version_of_code_from_its_beginning_to_its_end() -> None:
    reached, go = asyncio.Event(), asyncio.Event()

    def registry(word: str) -> Registry:
        @node("x.say", title="Say", effects="idempotent", each_item=True)
        async def say(item: Item, params: NoParams, ctx: Context) -> JsonObject:
            return {"said": word}

        @node("x.gate", title="Gate", effects="idempotent", each_item=True)
        async def gate(item: Item, params: NoParams, ctx: Context) -> JsonObject:
            reached.set()
            await go.wait()
            return {}

        made = Registry({})
        for each in (say, gate):
            made.add(each)
        return made

    store = MemoryStore()
    await store.open()
    engine = Engine(store, registry=registry("old"))
    old = asyncio.create_task(engine.run(GRAPH))
    await reached.wait()
    engine.use_registry(registry("new"))
    go.set()

    assert await engine.outputs((await old).id) == {"said": "old,old"}
    assert await engine.outputs((await engine.run(GRAPH)).id) == {"said": "new,new"}
