"""The programs that the pipeline runs, and their environment."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from pyagent.sdk import SetupError
from pyagent.sdk.sandbox import HostEntry, Sandbox, interpreter_places, program_places, python_places

TEST_VARIABLES = re.compile(r"^(LC_|LANG$|LANGUAGE$|TZ$)")
"""What tests may see of the user's environment beside path and home: language and time zone."""
SuiteNetwork = Annotated[
    bool | list[HostEntry],
    Field(
        description="Whether the tests see this machine's network, or a loopback of their own; or the hosts that they "
        "reach by a proxy there",
        examples=[["pypi.org", "127.0.0.1:8080"]],
    ),
]
_NAMES_FILE = re.compile(r"^(PIP_CONFIG_FILE|UV_CONFIG_FILE|PIP_CERT|REQUESTS_CA_BUNDLE|SSL_CERT_(FILE|DIR))$", re.I)
_OFFLINE = re.compile(
    r"NewConnectionError|ConnectTimeout|Name or service not known|Temporary failure in name resolution"
    r"|Network is unreachable|Connection refused|Failed to establish a new connection|error sending request"
    r"|dns error|Could not connect|network was disabled|tcp connect error|Connection to \S+ timed out|ProxyError",
)


def client_sandbox(*write: Path, read: tuple[Path, ...] = (), network: bool = True) -> Sandbox:
    """For package clients and the builds that they run: the index, their caches, settings and certificates.

    `write`: what they may change beside the caches.
    """
    home = Path.home()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    caches = [os.environ.get("UV_CACHE_DIR") or cache / "uv", os.environ.get("PIP_CACHE_DIR") or cache / "pip"]
    for folder in map(Path, caches):
        folder.mkdir(parents=True, exist_ok=True)
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    settings = [config / "uv", config / "pip", home / ".pip", Path("/etc/pip.conf"), Path("/etc/uv")]
    settings += [Path(value) for name, value in os.environ.items() if _NAMES_FILE.search(name) and value[:1] == "/"]
    pythons = [Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or home / ".local" / "share" / "uv" / "python")]
    # uv looks for other interpreters where pyenv keeps them.
    pythons.append(Path(os.environ.get("PYENV_ROOT") or home / ".pyenv"))
    return Sandbox(
        read=(*read, *settings, *pythons, *python_places(), *program_places()),
        write=(*map(Path, caches), *write),
        network="all" if network else "none",
        own_home=False,
    )


def suite_sandbox(
    python: Path, *write: Path, read: tuple[Path, ...] = (), network: bool | Sequence[str], tmp: Path
) -> Sandbox:
    """For a repository's own tests: its folders and its environment; without `network` a loopback of their own, which
    with a list leads to those hosts."""
    reached = tuple(network) or "loopback" if not isinstance(network, bool) else "all" if network else "loopback"
    return Sandbox(
        read=(*interpreter_places(python), *read),
        write=write,
        network=reached,
        tmp=tmp,
        own_home=False,
    )


def tool_sandbox(*write: Path, read: tuple[Path, ...] = ()) -> Sandbox:
    """For tools that look at files, and change those in `write`: no network."""
    return Sandbox(read=(*read, *python_places(), *program_places()), write=write)


def looks_offline(said: str) -> bool:
    """Whether what a package client said means that it could not reach the index."""
    return _OFFLINE.search(said) is not None


def find_program(name: str) -> Path:
    """A program that was installed with PyAgent, or else one on PATH. Raises `SetupError`."""
    beside = Path(sys.executable).parent / name
    if beside.is_file() and os.access(beside, os.X_OK):
        return beside
    if (found := shutil.which(name)) is not None:
        return Path(found)
    raise SetupError(
        f"the program {name} is missing", hint=f"Install it into PyAgent's environment: pip install {name}"
    )
