"""What the programs of `code.python` and `code.shell` may see and reach: parameters, and the sandbox made of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from pyagent.sdk import NodeError
from pyagent.sdk.fields import PATH
from pyagent.sdk.sandbox import HostEntry, Sandbox

_Path = Annotated[str, Field(json_schema_extra=PATH)]
Read = Annotated[
    list[_Path],
    Field(
        description="Files and folders it may read, beside programs and libraries; nothing else is there for it",
        examples=[["~/data", "/srv/reports/2026.csv"]],
    ),
]
Write = Annotated[
    list[_Path],
    Field(description="Files and folders it may change, beside the run's own directory; they must exist"),
]
Network = Annotated[
    Literal["none", "loopback", "all"] | list[HostEntry],
    Field(
        description="What of the network it sees; `loopback` is its own and leads nowhere. Or the hosts that it "
        "reaches by a proxy there: names, addresses and networks, each perhaps with a port (else 80 and 443)",
        examples=[["pypi.org", "*.example.com", "127.0.0.1:8080"]],
    ),
]


def sandbox(work: Path, read: Sequence[str], write: Sequence[str], network: Network, *more: Path) -> Sandbox:
    """The sandbox of a program that works in `work`; relative paths begin there. Raises `NodeError`."""
    writable = [work, *_absolute(work, write)]
    for path in writable:
        if not path.exists():
            raise NodeError(
                f"{path}, named by `write`, does not exist",
                code="node.sandbox_path",
                hint="Make it first, or name the folder that it is to be made in.",
            )
    reached = network if isinstance(network, str) else tuple(network) or "none"
    return Sandbox(read=(*more, *_absolute(work, read)), write=tuple(writable), network=reached)


def _absolute(work: Path, paths: Iterable[str]) -> list[Path]:
    return [_place(work, Path(path).expanduser()) for path in paths if path]


def _place(work: Path, path: Path) -> Path:
    # An earlier step's code may have left a link there: what it cannot reach itself, it must not show to the next.
    if not path.is_absolute() and not (work / path).resolve().is_relative_to(work.resolve()):
        raise NodeError(
            f"{path}, named by `read` or `write`, leads out of the run's own directory",
            code="node.sandbox_path",
            hint="Name places outside of it by their absolute paths.",
        )
    return work / path
