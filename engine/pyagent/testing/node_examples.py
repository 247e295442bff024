"""Example graphs of node types: a graph and, beside it, what it is run with and what it gives.

`<folder>/examples/<name>.yaml` is the graph, `<name>.json` holds

    inputs    the run's inputs; `${folder}` in their strings is an empty folder, `${…}` others that `needs` names
    needs     servers that the example talks to, such as `http`
    sends     what comes from outside while the run waits: `{"signal": name, …}` or `{"answer": value, "step": node}`
    status    how the run ends, `completed` if left out
    outputs   what the run gives, exactly
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyagent.errors import InputError
from pyagent.sdk.node import NodeType
from pyagent.sdk.registry import Registry
from pyagent.testing.node_cases import CaseRecorder

if TYPE_CHECKING:
    from pyagent.store.base import Run


@dataclass(frozen=True, kw_only=True)
class NodeExample:
    """One example."""

    path: Path
    """The graph file."""
    said: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What the file beside it says."""

    @classmethod
    def read(cls, path: Path) -> NodeExample:
        """The example whose graph is this file. Raises `InputError` (`node.check.example`)."""
        beside = path.with_suffix(".json")
        try:
            said = json.loads(beside.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(
                f"{beside} cannot be read: {error}",
                code="node.check.example",
                hint='Write {"inputs": {…}, "outputs": {…}} into it: what the graph is run with, what it gives.',
            ) from None
        return cls(path=path, said=said)

    @property
    def needs(self) -> tuple[str, ...]:
        """Servers that it talks to."""
        return tuple(self.said.get("needs", ()))

    async def run(
        self, recorder: CaseRecorder | None = None, *, given: Mapping[str, str] | None = None
    ) -> tuple[Run, Any]:
        """Run it; returns the run and what it gave. `given` are the values of `${…}`. Raises `PyAgentError`."""
        recorder = recorder or CaseRecorder(Registry.installed([self.path.parent]))
        inputs = filled(self.said.get("inputs", {}), given or {})
        return await recorder.run(self.path, inputs, filled(self.said.get("sends", []), given or {}))

    def difference(self, run: Run, outputs: Any, *, given: Mapping[str, str] | None = None) -> str:
        """In what the run is not as the example says; empty where it is."""
        status = self.said.get("status", "completed")
        if run.status != status:
            return f"the run is {run.status}, not {status}: {run.error and run.error.get('message')}"
        expected = filled(self.said.get("outputs"), given or {})
        return "" if outputs == expected else f"it gives {json.dumps(outputs, ensure_ascii=False)}"


def filled(value: Any, given: Mapping[str, str]) -> Any:
    """The value with `${name}` in its strings replaced."""
    text = json.dumps(value)
    for name, replacement in given.items():
        text = text.replace(f"${{{name}}}", json.dumps(replacement)[1:-1])
    return json.loads(text)


async def run_example(path: Path | str, *node_types: NodeType) -> str:
    """Run an example that needs no servers; returns in what it is not as it says, or nothing.

    For tests of node packages: `assert await run_example(path) == ""`. `node_types` are those that are not installed,
    or to be taken instead of installed ones. Raises `PyAgentError`.
    """
    example = NodeExample.read(Path(path))
    registry = Registry.installed()
    for node_type in node_types:
        registry.add(node_type)
    with tempfile.TemporaryDirectory(prefix="pyagent-example-") as folder:
        given = {"folder": folder}
        run, outputs = await example.run(CaseRecorder(registry), given=given)
        return example.difference(run, outputs, given=given)
