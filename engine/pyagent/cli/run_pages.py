"""`pyagent show RUN --html FILE`: a run as one page for somebody else."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pyagent.cli.exits import Exit
from pyagent.cli.output import print_json, table_console
from pyagent.cli.session import open_engine
from pyagent.cli.text import escape
from pyagent.errors import InputError


async def write_page(run_id: str, file: str, *, as_json: bool) -> Exit:
    """Write the page. Raises `NotFound`, `InputError` (`input.file`)."""
    from pyagent.runtime.run_page import run_page
    from pyagent.server.run_html import run_html

    path = Path(file)
    async with open_engine() as engine:
        found = await run_page(engine, run_id)
        page = await asyncio.to_thread(run_html, found, engine.registry)
    try:
        await asyncio.to_thread(path.write_text, page, encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror or error}",
            code="input.file",
            hint="Name a file in a folder that is there and can be written.",
        ) from None
    if as_json:
        print_json({"run": found.id, "file": str(path), "bytes": len(page.encode("utf-8", "replace"))})
    else:
        table_console().print(f"Run {found.id} is in [bold]{escape(str(path))}[/]; secrets are left out.")
    return Exit.DONE
