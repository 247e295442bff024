"""What a program in a sandbox may see and reach, and the program that holds it there."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

from pyagent.settings import SANDBOX

Network: TypeAlias = Literal["none", "loopback", "all"]


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """What a program may see and reach: nothing else exists for it, nor for what it starts.

    It always has a temporary folder of its own (TMPDIR, `/tmp`), devices without effect, and the processes it started.
    """

    read: tuple[Path, ...] = ()
    """Files and folders that it may read and execute; what is not there is left out."""
    write: tuple[Path, ...] = ()
    """Files and folders that it may also change; they must exist."""
    network: Network = "none"
    """`none`; `loopback`: an interface of its own that leads nowhere; `all`: what this machine sees."""
    system: bool = True
    """Whether it sees the system's programs, libraries and settings without secrets."""
    tmp: Path | None = None
    """Its temporary folder; without one it gets a fresh one that is removed at its end."""
    own_home: bool = True
    """Whether HOME is the temporary folder, or as its environment says."""
    without: frozenset[str] = frozenset()
    """Mechanisms (`landlock`, `mount`, …) taken for absent: how tests look at machines that lack them."""


def is_wanted() -> bool:
    """Whether programs are to be kept in a sandbox at all. Raises `SetupError` for a wrong PYAGENT_SANDBOX."""
    return SANDBOX.text() != "off"


@cache
def program() -> Path | None:
    """`pyagent-sandbox`: it was installed with the compiled module; None where it was not."""
    beside = Path(sys.executable).parent / "pyagent-sandbox"
    if beside.is_file():
        return beside
    found = shutil.which("pyagent-sandbox")
    return Path(found) if found else None


def entries(sandbox: Sandbox | None, temporary: Path | None) -> list[tuple[str, str]]:
    """The sandbox as entries of a profile."""
    if sandbox is None:
        return [("mode", "off")]
    found = [("mode", SANDBOX.text()), ("network", sandbox.network), ("system", "1" if sandbox.system else "0")]
    found += [("read", str(path.absolute())) for path in sandbox.read]
    found += [("write", str(path.absolute())) for path in sandbox.write]
    found += [("without", name) for name in sorted(sandbox.without)]
    return [*found, ("tmp", str(temporary))] if temporary is not None else found


@contextlib.asynccontextmanager
async def scratch(sandbox: Sandbox | None) -> AsyncGenerator[Path | None]:
    """The temporary folder of a program in `sandbox`, removed afterwards if it was made here."""
    if sandbox is None or sandbox.tmp is not None:
        yield sandbox.tmp.absolute() if sandbox is not None and sandbox.tmp is not None else None
        return
    folder = Path(tempfile.mkdtemp(prefix="pyagent-")).absolute()
    try:
        yield folder
    finally:
        # A program may have left any number of files there, and the event loop renews leases meanwhile.
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


@cache
def python_places() -> tuple[Path, ...]:
    """Where this interpreter and the packages it can import are."""
    folders = [Path(sys.base_prefix), Path(sys.prefix), *(Path(entry) for entry in sys.path[1:] if entry)]
    return _widest(folder for folder in folders if folder.is_absolute() and folder.exists())


def interpreter_places(python: Path) -> tuple[Path, ...]:
    """Where the files of another interpreter, or of a virtual environment's, are.

    Of a folder that is no environment only what Python has there: the environment's own words (`pyvenv.cfg`, a link)
    may come from code that is to stay in a sandbox, and beside `~/.local/bin` lie other programs' secrets.
    """
    found: list[Path] = []
    for path in (python, python.resolve()):
        if path.parent.name == "bin":
            found += _installed_at(path.parent.parent)
    with contextlib.suppress(OSError, ValueError):
        for line in (python.parent.parent / "pyvenv.cfg").read_text().splitlines():
            name, _, value = line.partition("=")
            if name.strip() == "home" and Path(value.strip()).name == "bin":
                found += _installed_at(Path(value.strip()).parent)
    return _widest(found)


def _installed_at(prefix: Path) -> list[Path]:
    if (prefix / "pyvenv.cfg").is_file():
        return [prefix]
    return [folder for name in ("bin", "lib", "lib64", "include") if (folder := prefix / name).is_dir()]


@cache
def program_places() -> tuple[Path, ...]:
    """Where the programs on PATH are, with the libraries beside them."""
    found: list[Path] = []
    for entry in os.environ.get("PATH", os.defpath).split(os.pathsep):
        folder = Path(entry)
        if not folder.is_absolute() or not folder.is_dir():
            continue
        found.append(folder)
        if folder.name in ("bin", "sbin"):
            found += [folder.parent / name for name in ("lib", "lib64", "libexec", "include")]
        elif folder.name == "shims":
            found.append(folder.parent)
    return _widest(path for path in found if path.is_dir())


def _widest(paths: Iterable[Path]) -> tuple[Path, ...]:
    """The paths without those inside others, and never a whole home or disk."""
    home = Path.home()
    kept: list[Path] = []
    for path in sorted(set(paths), key=lambda each: len(each.parts)):
        if path == Path("/") or home.is_relative_to(path) or any(path.is_relative_to(other) for other in kept):
            continue
        kept.append(path)
    return tuple(kept)
