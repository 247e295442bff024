"""A user whose graphs, inputs, disk and terminal are bad: runs `pyagent` as a process and looks for what it leaves."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from pyagent.store.base import RunFilter
from pyagent.store.location import open_store

ESCAPE = "import os, time\nif os.fork() == 0:\n os.setsid()\n if os.fork() == 0:\n  time.sleep(600)\n os._exit(0)\n"
"""Python that leaves a process which no parent and no session ends."""
PYAGENT = str(Path(sys.executable).parent / "pyagent")


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err

    def without_defects(self) -> Ended:
        """Checks that nothing of Python shows and that no error was one that nobody meant."""
        assert "Traceback" not in self.text, self.text
        assert "error internal" not in self.text, self.text
        assert "node.crashed" not in self.text, self.text
        return self

    def said(self, code: str, exit_code: int) -> Ended:
        """Checks for an error with this code, something to do about it, and this exit code."""
        self.without_defects()
        assert self.code == exit_code, self.text
        plain = " ".join(self.text.split())
        assert code in plain, self.text
        assert re.search(r"hint:|Try '|  = ", self.text), self.text
        return self

    @property
    def run(self) -> str:
        """The id of the run that it began or spoke of."""
        found = re.search(r"\brun (\w{20})\b", self.text)
        assert found is not None, self.text
        return found[1]


class User:
    """A user with a home of their own; every process that they start has its path in the environment."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir(exist_ok=True)
        self.work = home / "work"

    def environment(self, **more: str | None) -> dict[str, str]:
        """What a fresh login has, and `more`; None takes a variable away."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYAGENT_", "XDG_"))}
        # Compiled modules make each start faster.
        kept.pop("PYTHONDONTWRITEBYTECODE", None)
        all_of_it = {
            **kept, "HOME": str(self.home), "XDG_DATA_HOME": str(self.home / "data"), "NO_COLOR": "1",
            "PYAGENT_WORK": str(self.work), "COLUMNS": "200", **more,
        }  # fmt: skip
        return {name: value for name, value in all_of_it.items() if value is not None}

    def file(self, name: str, content: str | bytes) -> str:
        """Write a file in the home."""
        data = content.encode() if isinstance(content, str) else content
        (self.home / name).write_bytes(data)
        return name

    def pyagent(
        self, *arguments: str, before: Sequence[str] = (), stdin: str | None = None, timeout: float = 60, **more: Any
    ) -> Ended:
        """Run a command to its end. `before`: a command that starts it; `more`: environment variables."""
        done = subprocess.run(
            [*before, PYAGENT, *arguments], cwd=self.home, env=self.environment(**more), timeout=timeout, check=False,
            capture_output=True, stdin=subprocess.DEVNULL if stdin is None else None,
            input=None if stdin is None else stdin.encode(errors="surrogateescape"),
        )  # fmt: skip
        return Ended(code=done.returncode, out=done.stdout.decode(), err=done.stderr.decode())

    def shell(self, line: str, **more: str | None) -> Ended:
        """Run a line of Bash in which `pyagent` is the program; its exit code is the first command's."""
        script = f'pyagent() {{ "{PYAGENT}" "$@"; }}; {line}; exit "${{PIPESTATUS[0]}}"'
        done = subprocess.run(
            ["bash", "-c", script], cwd=self.home, env=self.environment(**more), timeout=60, check=False,
            capture_output=True,
        )  # fmt: skip
        return Ended(code=done.returncode, out=done.stdout.decode(), err=done.stderr.decode())

    def background(self, *arguments: str, **more: str | None) -> subprocess.Popen[str]:
        """Start a command."""
        return subprocess.Popen(
            [PYAGENT, *arguments], cwd=self.home, env=self.environment(**more), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def runs(self, **more: str | None) -> list[Mapping[str, Any]]:
        """All runs of the user's store."""
        done = self.pyagent("runs", "--json", **more)
        assert done.code == 0, done.text
        return json.loads(done.out)

    def statuses(self) -> dict[str, str]:
        """How each run of the store stands, seen without a command."""

        async def read() -> dict[str, str]:
            store = open_store(str(self.home / "data" / "pyagent" / "pyagent.db"))
            await store.open()
            try:
                return {run.id: run.status for run in await store.list_runs(RunFilter(limit=1000))}
            finally:
                await store.close()

        return asyncio.run(read())

    def processes(self) -> list[psutil.Process]:
        """What runs in the user's name."""
        found: list[psutil.Process] = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("HOME") == str(self.home) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def left(self) -> list[str]:
        """Work trees and processes that are still there."""
        trees = [str(path) for path in self.work.iterdir()] if self.work.is_dir() else []
        return trees + [str(process) for process in self.processes()]

    def nothing_left(self) -> None:
        """Checks that no work tree and no process is left; processes that were killed get a moment to be gone."""
        psutil.wait_procs(self.processes(), timeout=5)
        assert self.left() == []
