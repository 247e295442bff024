"""The command line, `pyagent …`: `main` is the program, `app` the Typer application behind it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyagent.cli.app import app

__all__ = ["app", "main"]


def main() -> None:
    """Run the command in `sys.argv` and exit with one of `pyagent.cli.exits.Exit`."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        # Answered before anything is imported: scripts ask this often.
        from pyagent import __version__

        print(f"pyagent {__version__}")
        return
    from pyagent.cli.app import run

    sys.exit(run(sys.argv[1:]))


def __getattr__(name: str) -> Any:
    if name == "app":
        from pyagent.cli.app import app

        return app
    raise AttributeError(f"module 'pyagent.cli' has no attribute {name!r}")
