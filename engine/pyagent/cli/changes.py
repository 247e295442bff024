"""Watches what runs depend on while they are written: graph files, the graphs they call, and modules of nodes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pyagent.errors import PyAgentError

if TYPE_CHECKING:
    from pyagent.graph.spec import GraphSpec
    from pyagent.runtime.library import GraphLibrary
    from pyagent.sdk.registry import Registry


def graph_files(library: GraphLibrary, graph: str) -> list[Path]:
    """The files of a graph (a path or an id) and of the graphs that it calls, those that can be read."""
    found: dict[Path, None] = {}
    open_ = [graph]
    seen: set[str] = set()
    while open_:
        name = open_.pop()
        if name in seen:
            continue
        seen.add(name)
        path = Path(name)
        try:
            file = library.read(path.absolute()) if path.suffix in (".yaml", ".yml") else library.find(name)
        except PyAgentError:
            # Broken now: it is watched all the same, until it can be read.
            found[path.absolute()] = None
            continue
        if file is not None:
            found[file.path.absolute()] = None
            open_ += _called(file.spec)
    return list(found)


def _called(spec: GraphSpec) -> Iterator[str]:
    for place in spec.places():
        graph: Any = place.node.params.get("graph")
        if isinstance(graph, str) and "{{" not in graph:
            yield graph
    if spec.settings.on_failure:
        yield spec.settings.on_failure


def node_folders(registry: Registry) -> list[Path]:
    """Folders of node modules that somebody may be writing: local ones, and packages that are not in site-packages."""
    import importlib.util

    found = [folder for folder in registry.folders if folder.is_dir()]
    for package in registry.packages:
        spec = importlib.util.find_spec(package)
        for place in (spec.submodule_search_locations or ()) if spec else ():
            if "site-packages" not in Path(place).parts:
                found.append(Path(place))
    return found


async def changes(files: Sequence[Path], folders: Sequence[Path], stop: asyncio.Event) -> AsyncIterator[set[Path]]:
    """Sets of files that have changed: those in `files`, and Python modules beneath `folders`, until `stop` is set."""
    import watchfiles
    from watchfiles import Change

    wanted = {path.resolve() for path in files}
    beneath = [folder.resolve() for folder in folders]

    def counts(_: Change, name: str) -> bool:
        path = Path(name)
        if path.resolve() in wanted:
            return True
        return path.suffix == ".py" and any(folder in path.resolve().parents for folder in beneath)

    # A file's folder, not the file: editors put a new file in its place.
    places = {path.parent for path in wanted if path.parent.is_dir()} | set(beneath)
    roots = [place for place in places if place in beneath or not any(place.is_relative_to(root) for root in beneath)]
    module: Any = watchfiles  # its types are known in part
    awatch = cast("Callable[..., AsyncIterator[set[tuple[Change, str]]]]", module.awatch)
    async for found in awatch(*roots, watch_filter=counts, stop_event=stop, debounce=200, step=20, recursive=True):
        yield {Path(name) for _, name in found}


def new_code(registry: Registry, beside: Sequence[Path] = ()) -> Registry:
    """The node types as they are now in the files. Modules of packages under development are imported anew.

    What holds the old types keeps their code; only what such old code imports while it runs is new.
    """
    import importlib

    from pyagent.sdk.registry import Registry

    importlib.invalidate_caches()
    local = set(node_folders(registry))
    for package in registry.packages:
        module = sys.modules.get(package)
        places = [Path(place) for place in getattr(module, "__path__", ())]
        if any(place in local for place in places):
            for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
                del sys.modules[name]
    return Registry.installed(beside)
