"""What a program in a sandbox may see and reach, and the program that holds it there."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import itertools
import os
import re
import shutil
import sys
import tempfile
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated, Literal, TypeAlias
from urllib.parse import unquote

from pydantic import AfterValidator

from pyagent.sdk.places import cache_path
from pyagent.settings import (
    BLOBS,
    MEMORY,
    SANDBOX,
    SANDBOX_PROGRAM,
    WORK,
    data_folder,
    key_file,
    machine_file,
    vault_file,
    witness_folder,
)

_NAME = re.compile(r"(?=.{1,253}\Z)(?:[A-Za-z0-9_-]{1,63}\.)*[A-Za-z_-][A-Za-z0-9_-]{0,62}\.?", re.A)


def host_entry(text: str) -> str:
    """An entry of a list of allowed hosts, as it is: `api.example.com`, `*.example.com`, `10.1.0.0/16`, each perhaps
    with `:port`; IPv6 with a port has brackets. Raises `ValueError` for what is none."""
    host, colon, port = text.rpartition(":")
    if not colon or (":" in host and not host.endswith("]")):
        host, port = text, "80"
    if port.isascii() and port.isdigit() and 0 < int(port) < 65536:
        if _NAME.fullmatch(host.removeprefix("*.")):
            return text
        bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        with contextlib.suppress(ValueError):
            if "%" not in bare and ipaddress.ip_network(bare, strict=False) and not re.search(r"/.*\.", bare):
                return text
    raise ValueError(
        f"{text!r} is no host: write a name, *. and a domain, an address or a network, each perhaps with :port"
    )


HostEntry: TypeAlias = Annotated[str, AfterValidator(host_entry)]
Network: TypeAlias = Literal["none", "loopback", "all"] | tuple[str, ...]


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
    """`none`; `loopback`: an interface of its own that leads nowhere; `all`: what this machine sees. Or the hosts that
    it may reach (`host_entry`), by a proxy on such an interface, which its environment names (HTTPS_PROXY, …). An entry
    without a port means 80 and 443. A name that leads to an address of the inside needs that address as an entry."""
    hide: tuple[Path, ...] = ()
    """Files and folders that it never sees, whatever else is said here; beside `hidden_places()`."""
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


def program() -> Path | None:
    """`pyagent-sandbox`: what PYAGENT_SANDBOX_PROGRAM names, else what was installed with the compiled module.

    None where it is missing. PATH is not asked: whoever may write to one of its folders would be trusted with
    everything.
    """
    named = SANDBOX_PROGRAM.path()
    if named is not None:
        return named.absolute() if named.is_file() else None
    return _installed_program()


@cache
def _installed_program() -> Path | None:
    from importlib import metadata

    try:
        files = metadata.distribution("pyagent-core").files or []
    except metadata.PackageNotFoundError:
        return None
    found = next((file.locate() for file in files if file.name == "pyagent-sandbox"), None)
    path = Path(str(found)).resolve() if found is not None else None
    return path if path is not None and path.is_file() else None


def hidden_places() -> tuple[Path, ...]:
    """What no program in a sandbox sees: the engine's store, vault, keys, tokens, blobs and memories.

    They are hidden even inside folders that the program may read. Raises `StoreError` if PYAGENT_STORE is wrong.
    """
    store, data = machine_file(), data_folder() / "pyagent"
    own = [data, *(Path(f"{store}{end}") for end in ("", "-wal", "-shm", "-journal", ".blobs"))]
    own += [store.with_name("server-token"), witness_folder(), MEMORY.path() or data / "memory"]
    own += dict.fromkeys(path for file in (vault_file(), key_file()) for path in (file, file.resolve()))  # or a link
    if (blobs := BLOBS.text()) and not blobs.startswith("s3:"):
        own.append(Path(unquote(blobs.removeprefix("file://")) if blobs.startswith("file:") else blobs).expanduser())
    work = WORK.path() or cache_path() / "work"
    absolute = tuple(path.absolute() for path in own)
    return _without_needed(absolute, (work, Path(tempfile.gettempdir()), Path(sys.prefix), Path(sys.base_prefix)))


@lru_cache(maxsize=8)
def _without_needed(paths: tuple[Path, ...], needed: tuple[Path, ...]) -> tuple[Path, ...]:
    """Folders in which programs work must be seen; what is secret within them is in the list by itself."""
    real = [path.resolve() for path in needed]
    return tuple(path for path in paths if not any(each.is_relative_to(path.resolve()) for each in real))


def entries(sandbox: Sandbox | None, temporary: Path | None) -> list[tuple[str, str]]:
    """The sandbox as entries of a profile."""
    if sandbox is None:
        return [("mode", "off")]
    found = [("mode", SANDBOX.text()), ("system", "1" if sandbox.system else "0")]
    if isinstance(sandbox.network, str):
        found.append(("network", sandbox.network))
    else:
        found.append(("network", "hosts" if sandbox.network else "none"))
        found += [("host", host) for host in sandbox.network]
    found += [("read", str(path.absolute())) for path in sandbox.read]
    found += [("write", str(path.absolute())) for path in sandbox.write]
    found += [("hide", str(path.absolute())) for path in (*hidden_places(), *sandbox.hide)]
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
        await asyncio.to_thread(_remove, folder)


def _remove(folder: Path) -> None:
    """Remove a folder, whatever a program has left in it: folders that nobody may open, or very many in each other."""
    with contextlib.suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
    # What is left is taken apart from above, each folder beside the first.
    names = (folder.with_name(f"{folder.name}.{number}") for number in itertools.count())
    left = [folder]
    while left:
        current = left.pop()
        with contextlib.suppress(OSError):
            current.chmod(0o700)
            for entry in list(current.iterdir()):
                if entry.is_dir() and not entry.is_symlink():
                    entry.chmod(0o700)  # without it the folder cannot be moved
                    left.append(entry.rename(next(names)))
                else:
                    entry.unlink()
            current.rmdir()


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
