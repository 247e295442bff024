"""What the modules of commands share: arguments, and how a command's coroutine becomes an exit code."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer

RunId = Annotated[str, typer.Argument(metavar="RUN", help="Id of the run; its first 6 characters or more will do.")]
WaitingStep = Annotated[str, typer.Argument(metavar="[STEP]", help="The step; not needed where only one waits.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON.")]
AsJsonLines = Annotated[bool, typer.Option("--json", help="Write every event as a line of JSON.")]


def finish(made: Callable[[], Awaitable[int | None]]) -> None:
    """Run a command's coroutine and end with its exit code."""

    async def awaited() -> int | None:
        return await made()

    raise typer.Exit(asyncio.run(awaited()) or 0)
