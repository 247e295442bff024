"""What every command does first: open the engine on the user's store, with the graphs that can be found."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyagent.runtime.engine import Engine


@asynccontextmanager
async def open_engine(graph: str | None = None) -> AsyncGenerator[Engine]:
    """The engine on the store of PYAGENT_STORE. The folder of `graph`, if that is a file, is searched first."""
    from pyagent.runtime.engine import Engine
    from pyagent.runtime.library import GraphLibrary, graph_folders

    folders = graph_folders()
    if graph is not None and is_path(graph):
        folders = list(dict.fromkeys([Path(graph).absolute().parent, *folders]))
    async with Engine.open(library=GraphLibrary(folders)) as engine:
        yield engine


def server_token() -> str:
    """The token of the server on the store that `open_engine` opens. Raises `SetupError` (`server.token`)."""
    from pyagent.server.security import read_token, token_file
    from pyagent.store.location import sqlite_path

    return read_token(token_file(sqlite_path()))


def is_path(graph: str) -> bool:
    """Whether a graph is given as a file rather than by its id."""
    return graph.endswith((".yaml", ".yml")) or os.sep in graph
