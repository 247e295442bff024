"""Finds node types by the entry-point group `pyagent.nodes`, importing as little as it can.

An entry point names a package, one a domain: `flow = "pyagent_nodes.flow"`. The type `flow.switch` is looked for in
its module `switch` first, so that a run imports only the nodes its graph uses.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterator
from importlib.metadata import entry_points
from types import ModuleType

from pyagent.sdk.node import NodeType


class Registry:
    """Node types by `use` (`flow.switch@1`)."""

    def __init__(self, packages: dict[str, str]) -> None:
        """`packages`: import path by domain."""
        self._packages = packages
        self._types: dict[str, NodeType] = {}
        self._complete: set[str] = set()

    @classmethod
    def installed(cls) -> Registry:
        """All node types installed in this environment."""
        return cls({entry.name: entry.value for entry in entry_points(group="pyagent.nodes")})

    def add(self, node_type: NodeType) -> None:
        """Register a type by hand, as tests and embedding programs do."""
        self._types[node_type.use] = node_type

    def get(self, use: str) -> NodeType | None:
        """The type, or None. `use` without `@version` means version 1."""
        if "@" not in use:
            use += "@1"
        if use in self._types:
            return self._types[use]
        name = use.partition("@")[0]
        domain, _, rest = name.partition(".")
        package = self._packages.get(domain)
        if package is None or domain in self._complete:
            return None
        module = f"{package}.{rest.replace('.', '_')}"
        # `if` is a keyword, so the module of `flow.if` is `if_`.
        for candidate in (module, f"{module}_"):
            if importlib.util.find_spec(package) and importlib.util.find_spec(candidate):
                self._collect(importlib.import_module(candidate))
                break
        if use not in self._types:
            self._load(domain)
        return self._types.get(use)

    def all(self) -> list[NodeType]:
        """Every type, by name."""
        for domain in self._packages:
            self._load(domain)
        return sorted(self._types.values(), key=lambda found: (found.name, found.version))

    def _load(self, domain: str) -> None:
        if domain in self._complete:
            return
        self._complete.add(domain)
        for module in self._modules(self._packages[domain]):
            self._collect(module)

    @staticmethod
    def _modules(package: str) -> Iterator[ModuleType]:
        root = importlib.import_module(package)
        yield root
        for found in pkgutil.walk_packages(getattr(root, "__path__", []), prefix=f"{package}."):
            yield importlib.import_module(found.name)

    def _collect(self, module: ModuleType) -> None:
        for value in vars(module).values():
            if isinstance(value, NodeType):
                self._types[value.use] = value
