"""PyAgent: a workflow-graph engine for agents and automations on your own machines.

The public names; each is imported when it is first used, so that `import pyagent` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyagent.errors import (
        ExpressionError,
        GraphError,
        InputError,
        NodeError,
        NotFound,
        PyAgentError,
        RunError,
        StoreError,
    )
    from pyagent.graph.spec import GraphSpec
    from pyagent.runtime.compile import CompiledGraph, compile
    from pyagent.runtime.engine import Engine
    from pyagent.runtime.library import GraphLibrary
    from pyagent.store import Event, Run, RunFilter, Store, open_store
    from pyagent.store.checkpoints import langgraph_saver

__version__ = "0.1.0"

_HOMES = {
    "CompiledGraph": "pyagent.runtime.compile",
    "Engine": "pyagent.runtime.engine",
    "Event": "pyagent.store",
    "ExpressionError": "pyagent.errors",
    "GraphError": "pyagent.errors",
    "GraphLibrary": "pyagent.runtime.library",
    "GraphSpec": "pyagent.graph.spec",
    "InputError": "pyagent.errors",
    "NodeError": "pyagent.errors",
    "NotFound": "pyagent.errors",
    "PyAgentError": "pyagent.errors",
    "Run": "pyagent.store",
    "RunError": "pyagent.errors",
    "RunFilter": "pyagent.store",
    "Store": "pyagent.store",
    "StoreError": "pyagent.errors",
    "compile": "pyagent.runtime.compile",
    "langgraph_saver": "pyagent.store.checkpoints",
    "open_store": "pyagent.store",
}

__all__ = [
    "CompiledGraph",
    "Engine",
    "Event",
    "ExpressionError",
    "GraphError",
    "GraphLibrary",
    "GraphSpec",
    "InputError",
    "NodeError",
    "NotFound",
    "PyAgentError",
    "Run",
    "RunError",
    "RunFilter",
    "Store",
    "StoreError",
    "__version__",
    "compile",
    "langgraph_saver",
    "open_store",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'pyagent' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value
