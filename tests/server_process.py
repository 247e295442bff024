"""A `pyagent serve` of its own for tests that need the real program."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

PYAGENT = [sys.executable, "-m", "pyagent.cli"]


def environment(folder: Path) -> dict[str, str]:
    """A store, graphs and work directory in `folder` alone."""
    return {
        **os.environ,
        "PYAGENT_STORE": str(folder / "store.db"),
        "PYAGENT_GRAPHS": str(folder),
        "PYAGENT_WORK": str(folder / "work"),
    }


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return int(made.getsockname()[1])


class ServerProcess:
    """A server in a process of its own; a context manager."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.folder = folder
        self.port = port or free_port()
        self.address = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> ServerProcess:
        self.process = subprocess.Popen(
            [*PYAGENT, "serve", "--port", str(self.port)],
            env=environment(self.folder),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout is not None
        self.printed = ""
        while "?once=" not in self.printed:
            line = self.process.stdout.readline()
            assert line, f"the server did not start: {self.printed}"
            self.printed += line
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop()

    @property
    def link(self) -> str:
        """The link that it printed."""
        found = re.search(r"http://\S+\?once=\S+", self.printed)
        assert found is not None
        return found.group(0)

    def stop(self) -> int:
        """Ctrl-C; returns the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait(10)

    @property
    def headers(self) -> dict[str, str]:
        """What a program sends to get in."""
        return {"Authorization": f"Bearer {(self.folder / 'server-token').read_text().strip()}"}

    def get(self, path: str) -> Any:
        """JSON of the API."""
        return httpx.get(f"{self.address}/api/v1{path}", headers=self.headers, timeout=20).raise_for_status().json()

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Send JSON to the API."""
        answer = httpx.post(f"{self.address}/api/v1{path}", json=body, headers=self.headers, timeout=20)
        return answer.raise_for_status().json()
