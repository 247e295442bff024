"""Every node type has an example graph beside it, and the example gives what it says.

`nodes/pyagent_nodes/<domain>/examples/<name>.yaml` is the graph, `<name>.json` what the test needs of it:

    inputs    the run's inputs; `${http}`, `${folder}`, … in their strings are what a need gives (conftest.py)
    needs     servers that the example talks to: `http`, `smtp`, `postgres`, …
    sends     what comes from outside while the run waits, in order: `{"signal": name, "key": …, "value": …}` or
              `{"answer": value, "step": node}`
    status    how the run ends, `completed` if left out
    outputs   what the run gives, exactly

The nodes of `pipeline` are shown by the ready graphs that use them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pyagent.graph.yaml import load_file
from pyagent.runtime.checking import GraphChecker
from pyagent.runtime.engine import Engine
from pyagent.runtime.library import GraphLibrary
from pyagent.sdk import Registry
from pyagent.testing import MemoryStore

ROOT = Path(__file__).parents[2]
DOMAINS = ROOT / "nodes" / "pyagent_nodes"
EXAMPLES = sorted(DOMAINS.glob("*/examples/*.yaml"))
SHOWN_BY_GRAPHS = {"pipeline"}
SLOW = {"postgres"}
"""Needs that only `make integration` meets."""


def about(example: Path) -> dict[str, Any]:
    return json.loads(example.with_suffix(".json").read_text())


def parameters() -> Iterator[Any]:
    for example in EXAMPLES:
        slow = SLOW & set(about(example).get("needs", ())) if example.with_suffix(".json").is_file() else ()
        yield pytest.param(
            example, id=f"{example.parents[1].name}.{example.stem}", marks=[pytest.mark.integration] if slow else []
        )


def filled(value: Any, given: dict[str, str]) -> Any:
    """The value with `${name}` in its strings replaced."""
    text = json.dumps(value)
    for name, replacement in given.items():
        text = text.replace(f"${{{name}}}", json.dumps(replacement)[1:-1])
    return json.loads(text)


@pytest.mark.parametrize("example", list(parameters()))
async def test_the_example_gives_what_it_says(
    example: Path, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = about(example)
    given = {"folder": str(tmp_path / "given")}
    (tmp_path / "given").mkdir()
    for need in said.get("needs", ()):
        given |= request.getfixturevalue(f"example_{need}")
    monkeypatch.setenv("PYAGENT_WORK", str(tmp_path / "work"))
    store = MemoryStore()
    await store.open()
    engine = Engine(store, library=GraphLibrary([example.parent, ROOT / "graphs"]))

    run = await engine.run(load_file(example), filled(said.get("inputs", {}), given))
    for sent in filled(said.get("sends", []), given):
        assert run.status == "waiting", run.error
        if "signal" in sent:
            await engine.signal(sent["signal"], sent.get("value"), key=sent.get("key", ""))
        else:
            await engine.answer(run.id, sent.get("step", ""), sent["answer"])
        run = await engine.drive(run.id)

    assert run.status == said.get("status", "completed"), run.error
    assert await engine.outputs(run.id) == filled(said.get("outputs"), given)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: f"{path.parents[1].name}.{path.stem}")
def test_the_example_is_a_graph_without_problems_in_canonical_form_that_shows_its_node(example: Path) -> None:
    document = load_file(example)

    assert [problem.as_dict() for problem in GraphChecker(Registry.installed()).check(document)] == []
    name = f"{example.parents[1].name}.{example.stem}"
    assert any(str(place.node.use).partition("@")[0] == name for place in document.spec.places())
    assert document.spec.description, "says what it shows"


def test_every_node_type_has_an_example() -> None:
    without = [
        found.name
        for found in Registry.installed().all()
        if found.function.__module__.startswith("pyagent_nodes.")
        and found.name.partition(".")[0] not in SHOWN_BY_GRAPHS
        and not (DOMAINS / found.name.partition(".")[0] / "examples" / f"{found.name.partition('.')[2]}.yaml").is_file()
    ]
    assert without == []


def test_every_node_type_without_an_example_of_its_own_stands_in_a_ready_graph() -> None:
    used = {
        str(place.node.use).partition("@")[0]
        for path in (ROOT / "graphs").glob("*.yaml")
        for place in load_file(path).spec.places()
    }
    shown = {found.name for found in Registry.installed().all() if found.name.partition(".")[0] in SHOWN_BY_GRAPHS}
    assert shown - used == set()
