"""The command line, `pyagent …`: `main` is the program, `app` the Typer application behind it."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyagent.cli.commands import app

__all__ = ["app", "main"]


def main() -> None:
    """Run the command in `sys.argv` and exit with one of `pyagent.cli.exits.Exit`."""
    try:
        from pyagent.cli.streams import prepare_streams

        prepare_streams()
        code = _run(sys.argv[1:])
    except KeyboardInterrupt:  # while modules were imported, or between two parts of a command
        code = 130
    # All is done: Ctrl-C could only interrupt the interpreter's end, and make it print where.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from pyagent.cli.streams import flush_streams

    if (failure := flush_streams()) is not None:
        from pyagent.cli.exits import Exit
        from pyagent.cli.messages import print_error

        print_error(failure)
        code = code or Exit.STORE
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    if arguments in (["--version"], ["-V"]):
        # Answered before anything is imported: scripts ask this often.
        from pyagent import __version__

        print(f"pyagent {__version__}")
        return 0
    if arguments[:1] == ["__complete"]:
        # A shell asks while somebody types.
        from pyagent.cli.complete import answer

        return answer(arguments[1:])
    from pyagent.cli.collector import set_pace

    set_pace()
    from pyagent.cli.commands import run

    return run(arguments)


def __getattr__(name: str) -> Any:
    if name == "app":
        from pyagent.cli.commands import app

        return app
    raise AttributeError(f"module 'pyagent.cli' has no attribute {name!r}")
