"""Graph versions that are kept ready, and those that a run keeps."""

from __future__ import annotations

from pyagent.graph.spec import GraphSpec
from pyagent.graph.yaml import dump, load_text
from pyagent.runtime.library import GraphLibrary
from pyagent.runtime.versions import KEPT, Recent, Versions
from pyagent.sdk import Registry
from pyagent.store.base import GraphVersion
from pyagent.testing import MemoryStore


def spec(number: int) -> GraphSpec:
    return GraphSpec.model_validate({"pyagent": 1, "id": f"g{number}", "nodes": [{"id": "a", "use": "flow.noop@1"}]})


def test_of_more_than_are_kept_the_one_asked_for_longest_ago_goes() -> None:
    made: list[int] = []

    def make(key: int) -> int:
        made.append(key)
        return key

    recent = Recent(make)
    for key in range(KEPT):
        assert recent[key] == key
    assert recent[0] == 0
    assert recent[KEPT] == KEPT
    assert len(recent) == KEPT
    assert recent[0] == 0
    assert made == [*range(KEPT), KEPT]
    assert recent[1] == 1
    assert made[-1] == 1


def test_a_run_keeps_its_versions_whatever_else_is_made_meanwhile() -> None:
    versions = Versions(Registry.installed(), GraphLibrary([]), MemoryStore())
    of_run = versions.of_run()
    own = of_run.program(spec(0))
    assert versions.program(spec(0)) is own
    for number in range(1, KEPT + 2):
        versions.program(spec(number))
    assert of_run.loaded(own.hash) is own
    assert versions.program(spec(0)) is not own


async def test_a_version_that_is_ready_is_not_read_again() -> None:
    read: list[str] = []

    class Reading(MemoryStore):
        async def get_graph(self, hash: str) -> GraphVersion:
            read.append(hash)
            return await super().get_graph(hash)

    store = Reading()
    await store.open()
    document = load_text(dump(spec(0)))
    hash = document.spec.hash()
    await store.put_graph("g0", hash, document.text)
    versions = Versions(Registry.installed(), GraphLibrary([]), store)
    first = await versions.of_run().load(hash)
    assert await versions.of_run().load(hash) is first
    assert read == [hash]
    assert versions.program(document.spec) is first
