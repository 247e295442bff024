"""What every command does first: open the engine on the user's store, with the graphs that can be found."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pyagent.graph.source import is_path

if TYPE_CHECKING:
    from pyagent.runtime.engine import Engine


@asynccontextmanager
async def open_engine(graph: str | None = None, *, store: str | None = None) -> AsyncGenerator[Engine]:
    """The engine on a store (None: PYAGENT_STORE). The folder of `graph`, if that is a file, is searched first."""
    from pyagent.runtime.engine import Engine
    from pyagent.runtime.library import GraphLibrary, graph_folders
    from pyagent.sdk.registry import Registry

    beside = folder_of(graph)
    folders = list(dict.fromkeys([*beside, *graph_folders()]))
    async with Engine.open(store, library=GraphLibrary(folders), registry=Registry.installed(beside)) as engine:
        yield engine


def folder_of(graph: str | None) -> list[Path]:
    """The folder of a graph that is given as a file: the graphs it calls and its nodes are looked for there."""
    return [Path(graph).absolute().parent] if graph is not None and is_path(graph) else []


def shared_links() -> Path:
    """Where the server on that store keeps the links to runs that were given away."""
    from pyagent.server.security import token_file
    from pyagent.server.shares import shares_file
    from pyagent.settings import machine_file

    return shares_file(token_file(machine_file()))


def server_token() -> str:
    """The token of the server on the store that `open_engine` opens. Raises `SetupError` (`server.token`)."""
    from pyagent.server.security import read_token, token_file
    from pyagent.settings import machine_file

    return read_token(token_file(machine_file()))
