"""Schemathesis attacks the whole API: no 500, nothing undocumented, and every answer fits its schema."""

from __future__ import annotations

import asyncio
import itertools
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import HypothesisException, Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from pyagent.runtime.engine import Engine
from pyagent.runtime.library import GraphLibrary
from pyagent.server.limits import Limiter
from pyagent.server.serving import serving
from pyagent.store.blobs import digest_of
from pyagent.store.location import open_store
from pyagent.vault import make_vault

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

TOKEN = "t" * 43
EXAMPLES = int(os.environ.get("PYAGENT_ATTACKS", "12"))
"""Requests to each operation."""
GREET = """\
pyagent: 1
id: greet
inputs: {name: {type: string, default: you}}
outputs: {hello: "{{ $('greet').first().json.hello }}"}
nodes: [{id: greet, use: data.set@1, with: {fields: {hello: "Hello {{ $inputs.name }}"}}}]
"""
ASK = """\
pyagent: 1
id: ask
nodes: [{id: ask, use: flow.approve@1}, {id: end, use: flow.noop@1}]
edges: [ask.approved -> end]
"""


class Attacked:
    """A server in a thread of its own, with something of everything in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = ""
        self.known: dict[str, list[str]] = {}
        self._up = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Attacked:
        self._thread.start()
        assert self._up.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join(30)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        self._done = asyncio.Event()
        store = open_store(str(self.folder / "store.db"))
        await store.open()
        engine = Engine(store, library=GraphLibrary([self.folder]))
        ended = await engine.run("greet", {})
        waiting = await engine.run("ask", {})
        await store.put_blob(ended.id, digest_of(b"payload"), b"payload")
        self.known = {
            "run_id": [ended.id, waiting.id],
            "graph_id": ["greet", "ask"],
            "digest": [digest_of(b"payload")],
            "step": ["greet", "ask"],
            "use": ["flow.approve@1"],
            "version": [ended.graph_hash],
            "name": ["api"],
        }
        async with serving(engine, token=TOKEN, port=0, work=False) as page:
            self.address = page.address
            self._up.set()
            await self._done.wait()
        await store.close()


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    folder = tmp_path_factory.mktemp("attacked")
    for name, text in (("greet", GREET), ("ask", ASK)):
        (folder / f"{name}.yaml").write_text(text)
    (folder / "broken.yaml").write_text("pyagent: 1\nid: [")
    with pytest.MonkeyPatch.context() as patched:
        # The attack is not to be slowed down; limits have tests of their own.
        patched.setattr(Limiter, "take", lambda *_: None)
        patched.setenv("PYAGENT_VAULT", str(folder / "credentials.vault"))
        make_vault().put("api", "http_bearer", {"token": "a token of the attack"})
        with Attacked(folder) as made:
            yield made


@pytest.fixture(scope="module")
def api(attacked: Attacked) -> Any:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    schema = schemathesis.openapi.from_url(f"{attacked.address}/api/v1/openapi.json", headers=headers)
    turns = {"n": 0}

    @schema.hook
    def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
        """Every other request is about something that is there."""
        turns["n"] += 1
        if path_parameters and turns["n"] % 2:
            for name, values in attacked.known.items():
                if name in path_parameters:
                    path_parameters[name] = values[turns["n"] // 2 % len(values)]
        return path_parameters

    return schema


CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
ATTACK = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="PYAGENT_ATTACKS" not in os.environ,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def test_no_request_gets_an_answer_that_is_not_described(api: Any) -> None:
    found: dict[str, str] = {}
    operations = [result.ok() for result in api.get_all_operations()]
    # What deletes comes last, so that there is something for the others.
    ordered = sorted(operations, key=lambda operation: operation.method == "delete")
    for operation, mode in itertools.product(ordered, GenerationMode):

        @ATTACK
        @given(case=operation.as_strategy(generation_mode=mode))
        def attack(case: Any) -> None:
            case.call_and_validate(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=20, checks=CHECKS)

        try:
            attack()
        except Unsatisfiable:
            # There is nothing that could be wrong with a request without parameters.
            continue
        except BaseExceptionGroup as error:
            found[f"{operation.label} {mode.value}"] = "\n".join(map(str, error.exceptions))
        except (AssertionError, HypothesisException) as error:
            found[f"{operation.label} {mode.value}"] = str(error)
    assert found == {}, "\n\n".join(f"{label}:\n{said}" for label, said in found.items())
    assert len(operations) > 30
